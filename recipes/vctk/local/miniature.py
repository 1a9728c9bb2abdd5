"""A miniature of VCTK to try the recipe on: real layouts, names and irregularities, made-up speech.

    python recipes/vctk/local/miniature.py DIR --release 0.92 [--utterances 12] [--voice auto]

Voices come from espeak-ng where it is installed, else from NumPy: harmonics with a formant for
each letter. 48 kHz, 16 bit; FLAC by two microphones (0.92; the first hums) or WAV (0.80; long
silence ahead). Irregular on purpose: p280 without mic2 (0.92) or without a row in the table (0.80),
p315 without text, p362 with recordings missing, s5 (0.92), p376_295.raw (0.80), multi-word regions,
comments.
"""

import argparse
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from layouts import LAYOUTS, TABLE, TEXTS
from split import is_drawn, load_rules, normalised

RATE = 48_000
TABLES = {
    "0.92": """ID  AGE  GENDER  ACCENTS  REGION COMMENTS
p225  23  F    English    Southern  England
p226  22  M    English    Surrey
p233  23  F    English    Staffordshire
p252  22  M    Scottish   Edinburgh
p280  25  F    Unknown    France (mic2 files unavailable)
p315  18  M    American   New England (Text and mic2 files unavailable)
p362  29  F    American
s5  26  F  British
""",
    "0.80": """ID  AGE  GENDER  ACCENTS  REGION
225  23  F    English    Southern  England
226  22  M    English    Surrey
233  23  F    English    Staffordshire
252  22  M    Scottish   Edinburgh
315  18  M    American   New England
362  29  F    American
376  22  M    Indian
""",
}
SPEAKERS = {
    "0.92": ("p225", "p226", "p233", "p252", "p280", "p315", "p362", "s5"),
    "0.80": ("p225", "p226", "p233", "p252", "p280", "p315", "p362", "p376"),
}
ESPEAK = ("en-gb", "en-gb-scotland", "en-us", "en-gb-x-rp")
COMMON = ("Please call Stella.", "Ask her to bring these things with her from the store.")
WORDS = ("river", "window", "seven", "quiet", "morning", "bread", "engine", "yellow", "garden")
MORE_WORDS = ("silver", "voice", "market", "rain", "often", "teacher", "summer", "bottle", "paper")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--release", choices=LAYOUTS, default="0.92")
    parser.add_argument("--utterances", type=int, default=12, help="of each speaker (default: 12)")
    parser.add_argument("--voice", choices=("auto", "espeak", "numpy"), default="auto")
    args = parser.parse_args()
    make(args.folder, args.release, args.utterances, args.voice)
    print(f"wrote {args.folder}: {len(SPEAKERS[args.release])} speakers, release {args.release}")
    return 0


def make(folder: Path, release: str, utterances: int = 12, voice: str = "numpy") -> Path:
    """Write the corpus into `folder`; the path to give to the recipe, which is `folder` too."""
    root = folder / "VCTK-Corpus" if release == "0.80" else folder
    espeak = voice == "espeak" or (voice == "auto" and shutil.which("espeak-ng") is not None)
    for number, speaker in enumerate(SPEAKERS[release]):
        audio = root / LAYOUTS[release] / speaker
        audio.mkdir(parents=True)
        texts = root / TEXTS / speaker
        texts.mkdir(parents=True)
        for prompt, text in prompts(number, utterances):
            name = f"{speaker}_{prompt:03d}"
            wave = by_espeak(text, number) if espeak else by_numpy(text, number)
            _write_audio(audio, name, wave, release, speaker, prompt)
            (texts / f"{name}.txt").write_text(text + " \n")
        if speaker == "p315":
            shutil.rmtree(texts)
    if release == "0.80":
        (root / LAYOUTS[release] / "p376" / "p376_295.raw").write_bytes(bytes(64))
    (root / TABLE).write_text(TABLES[release])
    (root / "README").write_text("A miniature of VCTK, made by recipes/vctk/local/miniature.py\n")
    return folder


def prompts(speaker: int, utterances: int) -> list[tuple[int, str]]:
    """Numbers and texts: two that everybody reads, two for evaluation, the others of one's own."""
    rules, found = load_rules(), [(1, COMMON[0]), (2, COMMON[1])]
    rng = np.random.default_rng([2017, speaker])
    number = rules.common_prompts + 1
    while len(found) < max(utterances, 5):
        text = " ".join(rng.choice(WORDS + MORE_WORDS, 4)).capitalize() + "."
        if is_drawn(rules, normalised(text)) == (len(found) < 4):
            found.append((number, text))
            number += 1
    return found


def _write_audio(audio: Path, name: str, wave, release: str, speaker: str, prompt: int) -> None:
    if release == "0.80":
        silence = np.zeros(RATE // 2)
        samples = np.concatenate([silence, wave, silence[: RATE // 4]])
        soundfile.write(audio / f"{name}.wav", samples, RATE, "PCM_16")
        return
    hum = 0.02 * np.sin(2 * np.pi * 20 * np.arange(len(wave)) / RATE)
    gone = speaker == "p362" and prompt % 3 == 2
    if not (gone and prompt % 2):
        soundfile.write(audio / f"{name}_mic1.flac", wave + hum, RATE, "PCM_16")
    if speaker not in ("p280", "p315") and not gone:
        soundfile.write(audio / f"{name}_mic2.flac", 0.7 * wave, RATE, "PCM_16")


def by_espeak(text: str, speaker: int) -> np.ndarray:
    """float64 [T] at RATE, spoken by espeak-ng in one of several voices."""
    voice, pitch = ESPEAK[speaker % len(ESPEAK)], 20 + 60 * speaker // 8
    command = ["espeak-ng", "--stdout", "-v", voice, "-p", str(pitch), text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    # The header of a pipe does not know its length: the samples begin after 44 bytes.
    samples = np.frombuffer(spoken[44:], "<i2") / 32768
    rate = soundfile.info(io.BytesIO(spoken)).samplerate
    count = len(samples) * RATE // rate
    return np.interp(np.arange(count) * rate / RATE, np.arange(len(samples)), samples)


def by_numpy(text: str, speaker: int) -> np.ndarray:
    """float64 [T] at RATE: 60 ms a letter, harmonics of the speaker's pitch, a formant a letter."""
    letters = [ord(letter) % 32 for letter in text.lower() if letter.isalpha() or letter == " "]
    each = round(0.06 * RATE)
    formant = np.repeat([300 + 110 * letter for letter in letters], each)
    voiced = np.repeat([0.0 if letter == 0 else 1.0 for letter in letters], each)
    time = np.arange(len(formant)) / RATE
    pitch = (90 + 20 * speaker) * (1 + 0.03 * np.sin(2 * np.pi * 3 * time))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    partials = (
        np.exp(-(((k * pitch - formant) / 400) ** 2)) * np.sin(k * phase) for k in range(1, 25)
    )
    noise = np.random.default_rng(speaker).standard_normal(len(time))
    return 0.2 * voiced * sum(partials) + 5e-4 * noise


if __name__ == "__main__":
    sys.exit(main())
