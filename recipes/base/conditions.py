"""What a telephone, a phone's recorder and a crowd cost models, beside one another.

    python recipes/base/conditions.py --speech DIR [--split eval-unseen] MODEL [MODEL ...]

DIR holds a manifest.tsv. Utterances of one split, evenly spread, are heard as they are and

- telephone: 300 to 3400 Hz, 8 kHz, 8-bit mu-law;
- m4a: AAC of 32 kbit/s at 44.1 kHz, as phones record (needs ffmpeg);
- babble: four other utterances of the split, of other speakers, 10 dB below.

Each is encoded and decoded by preview (Griffin-Lim) with each MODEL (a folder, or `shipped`), as
its own speaker where the model knows that, else in its own voice where the model has a speaker
encoder, else as `other`. One Markdown table: words kept are of those that a recogniser
(pocketsphinx, and with --whisper Whisper) heard in the recording as it was, codes kept are those
that the recording as it was has at the same place. The rows `original` are of what the models were
given. Needs the `eval` extra.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr
from scipy.signal import butter, sosfilt
from shared import SHIPPED, codec_of, finish, read_manifest, spread
from tqdm import tqdm

from vqspeech import Codec
from vqspeech.audio import ffmpeg
from vqspeech.audio import reading as audio
from vqspeech.audio.level import rms
from vqspeech.audio.signal import SAMPLE_RATE, mu_law_table
from vqspeech.audio.writing import Writer
from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import words
from vqspeech.evaluation.metrics.recognisers import Recogniser, choose
from vqspeech.evaluation.metrics.scores import Signal
from vqspeech.evaluation.metrics.signals import match
from vqspeech.evaluation.plan import stand_in
from vqspeech.parallel import cores, map_processes

CLEAN, TELEPHONE, M4A, BABBLE = "as it was", "telephone", "m4a", "babble"
ORIGINAL = "original"
BAND_HZ, ORDER, NARROW_RATE = (300.0, 3400.0), 4, 8_000
M4A_RATE, M4A_BITS = 44_100, 32_000
VOICES, SNR_DB = 4, 10.0
"""Of babble."""


class Kept(NamedTuple):
    """So many of all words, or codes."""

    count: int
    of: int


class Row(NamedTuple):
    """One utterance, or all of them: words by recogniser, and codes, that were kept."""

    words: list[Kept]
    codes: Kept = Kept(0, 0)


Key = tuple[str, str]
"""(model, condition)"""


class Job(NamedTuple):
    """An utterance, float32 [T] at 16 kHz, those that babble behind it, and who speaks."""

    wave: np.ndarray
    others: list[np.ndarray]
    speaker: str


class How(NamedTuple):
    models: tuple[str, ...]
    conditions: tuple[str, ...]
    recognisers: tuple[Recogniser, ...]


def telephone(wave: np.ndarray) -> np.ndarray:
    """`wave` [T] through a telephone line, without its delay."""
    sections = butter(ORDER, BAND_HZ, "bandpass", fs=SAMPLE_RATE, output="sos")
    once = sosfilt(sections, wave)
    band = sosfilt(sections, once[::-1])[::-1]  # and back again: no delay
    narrow = soxr.resample(band, SAMPLE_RATE, NARROW_RATE)
    peak = max(np.abs(narrow).max(initial=0.0), 1e-6)
    table = mu_law_table()
    edges = (table[1:] + table[:-1]) / 2
    line = table[np.searchsorted(edges, narrow / peak)] * peak
    wide = soxr.resample(line, NARROW_RATE, SAMPLE_RATE)[: len(wave)]
    return np.pad(wide, (0, len(wave) - len(wide))).astype(np.float32)


def m4a(wave: np.ndarray) -> np.ndarray:
    """`wave` [T] as a phone keeps it, in place and length as it was. Raises InputError."""
    with tempfile.TemporaryDirectory(prefix="vqspeech-") as folder:
        wav, coded = Path(folder, "in.wav"), Path(folder, "coded.m4a")
        with Writer(wav) as file:
            file.add(wave)
        command = [ffmpeg.PROGRAM, "-v", "error", "-i", wav, "-c:a", "aac", "-ar", M4A_RATE]
        command = [str(part) for part in (*command, "-b:a", M4A_BITS, coded)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no message"])[-1][:200]
            raise InputError(f"{ffmpeg.PROGRAM} makes no m4a ({reason}); install one with AAC")
        return match(wave, audio.read(coded, quiet=True))[0]


def babble(wave: np.ndarray, others: list[np.ndarray]) -> np.ndarray:
    """`wave` [T] with `others`, each as loud as the next and repeated to its end, SNR_DB below."""
    crowd = np.zeros(len(wave))
    for other in others:
        crowd += np.resize(other / max(rms(other), 1e-6), len(wave))
    gain = rms(wave) / max(rms(crowd), 1e-6) * 10 ** (-SNR_DB / 20)
    return (wave + gain * crowd).astype(np.float32)


def heard_as(job: Job, condition: str) -> np.ndarray:
    """The recording of a job under a condition: float32 [T]."""
    if condition == TELEPHONE:
        return telephone(job.wave)
    if condition == M4A:
        return m4a(job.wave)
    return babble(job.wave, job.others) if condition == BABBLE else job.wave


def speaker_of(codec: Codec, name: str) -> str | None:
    """Whom a recording of `name` is decoded as; None for its own voice."""
    return name if name in codec.speakers else stand_in(codec)


def measure(job: Job, how: How) -> dict[Key, Row]:
    """What is left of an utterance, by model and condition."""
    signals = {condition: Signal(heard_as(job, condition)) for condition in how.conditions}
    clean = signals[CLEAN]

    def words_in(signal: Signal) -> list[Kept]:
        pairs = ((clean.heard(ears), signal.heard(ears)) for ears in how.recognisers)
        return [Kept(words.align(was, found)[0], len(was)) for was, found in pairs]

    rows = {(ORIGINAL, condition): Row(words_in(signal)) for condition, signal in signals.items()}
    for model in how.models:
        codec = codec_of(model)
        codes = {condition: codec.encode(signal.samples) for condition, signal in signals.items()}
        speaker = speaker_of(codec, job.speaker)
        for condition, found in codes.items():
            same = int((found.indices == codes[CLEAN].indices).sum())
            decoded = Signal(codec.decode(found, speaker, preview=True))
            rows[model, condition] = Row(words_in(decoded), Kept(same, found.frames))
    return rows


def total(rows: list[Row]) -> Row:
    """All of them together."""
    words_of = zip(*(row.words for row in rows), strict=True)
    return Row([_sum(ones) for ones in words_of], _sum(row.codes for row in rows))


def _sum(ones: Iterable[Kept]) -> Kept:
    return Kept(*(sum(parts) for parts in zip(*ones, strict=True)))


def jobs_of(speech: Path, split: str, count: int) -> list[Job]:
    """`count` utterances of a split, evenly spread. Raises InputError."""
    rows = [row for row in read_manifest(speech) if row["split"] == split]
    if len({row["speaker"] for row in rows}) < 2:
        raise InputError(
            f"{speech}/manifest.tsv: split {split!r} has no two speakers, whom babble needs; "
            "name another"
        )
    found, rng = [], np.random.default_rng(0)
    for row in spread(rows, count):
        strangers = [other["path"] for other in rows if other["speaker"] != row["speaker"]]
        chosen = rng.choice(len(strangers), min(VOICES, len(strangers)), replace=False)
        others = [audio.read(strangers[place], quiet=True) for place in chosen]
        found.append(Job(audio.read(row["path"], quiet=True), others, row["speaker"]))
    return found


def table(rows: dict[Key, Row], recognisers: Sequence[Recogniser]) -> str:
    """Markdown, a line a model and condition."""
    heard = zip(recognisers, rows[ORIGINAL, CLEAN].words, strict=True)
    columns = [f"words kept ({ears.name}), % of {said.of}" for ears, said in heard]
    columns.append("codes kept, %")
    lines = [f"| model | condition | {' | '.join(columns)} |"]
    lines.append(f"|---|---|{'---:|' * len(columns)}")
    for (model, condition), row in rows.items():
        kept = (*row.words, row.codes)
        shares = [f"{100 * one.count / one.of:.1f}" if one.of else "-" for one in kept]
        lines.append(f"| {model} | {condition} | {' | '.join(shares)} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", default=[SHIPPED], metavar="MODEL")
    parser.add_argument("--speech", required=True, type=Path, metavar="DIR")
    parser.add_argument("--split", default="eval-unseen")
    parser.add_argument("--utterances", type=int, default=40)
    parser.add_argument("--whisper", metavar="DIR", help="Whisper's model, in CTranslate2's format")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes; 0: this one alone")
    args = parser.parse_args()
    recognisers, note = choose(None, args.whisper)
    for ears in recognisers:
        ears.check()
    left, conditions = [] if note is None else [note], [CLEAN, TELEPHONE, M4A, BABBLE]
    if not ffmpeg.available():
        left.append(f"{M4A} was left out: {ffmpeg.PROGRAM} is not installed")
        conditions.remove(M4A)
    for line in left:
        print(line, file=sys.stderr)
    for model in args.models:
        codec_of(model).check_decodable(preview=True)
    how = How(tuple(args.models), tuple(conditions), recognisers)
    jobs = jobs_of(args.speech, args.split, args.utterances)
    found = map_processes(partial(measure, how=how), jobs, args.jobs, advice="use fewer --jobs")
    rows = list(tqdm(found, "utterances", len(jobs), leave=False, disable=None))
    print(table({key: total([row[key] for row in rows]) for key in rows[0]}, recognisers), end="")


if __name__ == "__main__":
    finish(main)
