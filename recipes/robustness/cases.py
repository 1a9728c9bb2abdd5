"""The command lines that are killed: every verb, on inputs of seconds."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
SENTENCE = ROOT / "egs" / "sentence.flac"
SECONDS, LONG_SECONDS = 1.0, 9.5
TINY = """
name = "tiny"
[encoder]
channels = 16
mels = 16
fine_dilations = [1]
coarse_dilations = [1]
[quantizer]
codebook_size = 16
dim = 6
ema_decay = 0.8
[conditioning]
channels = 16
dilations = [1]
speaker_dim = 4
[decoder]
residual_channels = 8
skip_channels = 8
layers = 3
cycle = 3
[prior]
residual_channels = 8
skip_channels = 8
layers = 3
cycle = 3
speaker_dim = 4
steps = 40
batch = 4
crop_frames = 12
evaluate_every = 10
patience = 20
warmup = 5
"""
STAGE = """
[[training.stages]]
name = "{}"
steps = 16
batch = 2
crop_seconds = 0.16
decoder_seconds = 0.08
warmup = 4
ema_decay = 0.9
"""


@dataclass(frozen=True)
class Case:
    """A command line, run in a folder of its own.

    again: what is added to go on after a kill. speaks: its stdout is its result. grows: files
    under final names are replaced while it runs, so that they only have to be readable.
    """

    name: str
    words: tuple[str, ...]
    again: tuple[str, ...] = ()
    speaks: bool = False
    grows: bool = False


def make_inputs(folder: Path) -> None:
    """Recordings, codes, a corpus, its packed form and a tiny trained model."""
    wave, rate = soundfile.read(SENTENCE)
    length = round(SECONDS * rate)
    for i in range(6):
        for name in (f"recordings/{i:02}.wav", f"corpus/{'ab'[i % 2]}/{i:02}.wav"):
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, np.roll(wave, -i * rate // 4)[:length], rate)
    soundfile.write(folder / "long.wav", np.resize(wave, round(LONG_SECONDS * rate)), rate)
    for i in range(6):
        path = folder / f"alignments/{'ab'[i % 2]}/{i:02}.phn"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("0 5000 AA\n5000 11000 S\n11000 16000 IY\n")
    stages = "".join(STAGE.format(name) for name in ("codes", "waveform", "joint"))
    (folder / "tiny.toml").write_text(TINY + stages)
    for words in (
        ["encode", "recordings", "codes"],
        ["encode", "recordings/00.wav", "one.vqs", "--speaker", "ocean-2252"],
        ["prepare", "corpus", "packed", "--min-minutes", "0", "--valid", "0.4"],
        ["train", "--config", "tiny.toml", "--data", "packed", "--out", "run", "--device", "cpu"],
    ):
        command = [sys.executable, "-m", "vqspeech", *words]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)


def cases(inputs: Path) -> list[Case]:
    """Every verb, with files and with folders; `inputs` of `make_inputs`."""

    def at(name: str) -> str:
        return os.fspath(inputs / name)

    voice = ("--speaker", "ocean-2252")
    tiny = ("--model", at("run/model"))
    corpus = ("--data", at("corpus"), "--device", "cpu")
    train = ("train", "--config", at("tiny.toml"), "--data", at("packed"), "--device", "cpu")
    train += ("--out", "run", "--quiet", "--save-minutes", "0.01", "--resume")
    metrics = ("--methods", "preview", "--metrics", "mel,f0", "--limit", "2", "--jobs", "1")
    two, resume = ("--workers", "2"), ("--resume",)
    return [
        Case("encode file", ("encode", at("recordings/00.wav"), "out.npy")),
        Case("encode file .vqs", ("encode", at("recordings/00.wav"), "out.vqs", *voice)),
        Case("encode folder", ("encode", at("recordings"), "out", *two), resume),
        Case(
            "encode folder .vqs",
            ("encode", at("recordings"), "out", "--format", "vqs", *two),
            resume,
        ),
        Case("decode file", ("decode", at("one.vqs"), "out.wav")),
        Case("decode folder", ("decode", at("codes"), "out", *voice)),
        Case("convert file", ("convert", at("recordings/00.wav"), "out.flac", *voice)),
        Case("convert folder", ("convert", at("recordings"), "out", *voice, "--preview")),
        Case("generate", ("generate", "out.wav", *voice, "--seconds", "1", "--codes", "out.npy")),
        Case("enroll", ("enroll", "eva", at("long.wav"), "--out", "v.safetensors", *tiny)),
        Case(
            "prepare",
            ("prepare", at("corpus"), "packed", "--min-minutes", "0", *two),
        ),
        Case("train", train, grows=True),
        Case(
            "train prior",
            (*train, "--stage", "prior", *tiny),
            grows=True,
        ),
        Case("evaluate", ("evaluate", *corpus, *metrics, "--out", "report", *tiny)),
        Case("info", ("info", at("one.vqs")), speaks=True),
        Case(
            "phonemes",
            ("phonemes", *corpus, "--alignments", at("alignments"), "--out", "report", *tiny),
        ),
        Case("speakers", ("speakers", "--json"), speaks=True),
    ]
