"""A small model, a voice to train it on, and runs of it."""

import dataclasses
import gc
import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vqspeech.nn.surroundings import one_thread
from vqspeech.training import stage
from vqspeech.training.log import RunLog
from vqspeech.training.loop import train
from vqspeech.training.run import Options, Run
from vqspeech.training.stage import StageRun
from vqspeech.training.validation import previews

RATE = 16_000
PITCH = {"anna": 220, "bert": 110}
SHORT = {"batch": 2, "crop_seconds": 0.16, "decoder_seconds": 0.08, "warmup": 4, "ema_decay": 0.9}

CONFIG = {
    "name": "tiny",
    "encoder": {"channels": 16, "mels": 16, "fine_dilations": [1], "coarse_dilations": [1]},
    "quantizer": {
        "codebook_size": 16,
        "dim": 6,
        "ema_decay": 0.8,
        "jitter": 0.2,
        "revive_below": 0.2,
    },
    "conditioning": {"channels": 16, "dilations": [1], "speaker_dim": 4},
    "decoder": {"residual_channels": 8, "skip_channels": 8, "layers": 3, "cycle": 3},
    "training": {
        "stages": [
            {"name": "codes", "steps": 12} | SHORT,
            {"name": "waveform", "steps": 9} | SHORT,
            {"name": "joint", "steps": 6} | SHORT,
        ]
    },
}

EVERYTHING = CONFIG | {
    "quantizer": CONFIG["quantizer"] | {"codebooks": 2},
    "encoder": CONFIG["encoder"]
    | {"low_bins": 8, "vtlp": 0.15, "pitch_shift": 0.1, "equaliser": 0.2},
    "conditioning": CONFIG["conditioning"]
    | {"pitch_head": True, "phoneme_head": True, "film": True},
    "decoder": CONFIG["decoder"]
    | {"harmonics": 2, "scaled": True}
    | {"prediction": 3, "long_term": 0.7},
    "speaker_encoder": {"channels": 8, "dilations": [1], "reference_seconds": 0.2},
}
"""With every term of the loss there is."""


def voice(pitch, seconds, seed):
    """Vowels of a tenth of a second: harmonics of `pitch` with a formant that jumps about."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    formant = np.repeat(rng.choice([500, 1000, 2000], len(time) // 1600 + 1), 1600)[: len(time)]
    partials = [
        np.exp(-(((k * pitch - formant) / 400) ** 2)) * np.sin(2 * np.pi * k * pitch * time)
        for k in range(1, 25)
    ]
    return 0.1 * sum(partials) + 0.001 * rng.standard_normal(len(time))


def with_stage(config, name, **values):
    """`config` with other values for the stage `name`."""
    stages = tuple(
        dataclasses.replace(stage, **values) if stage.name == name else stage
        for stage in config.training.stages
    )
    return dataclasses.replace(config, training=dataclasses.replace(config.training, stages=stages))


class Runs:
    """Starts runs on the corpus, and reads what they leave."""

    def __init__(self, corpus, root, monkeypatch):
        self.corpus, self.root, self._patch = corpus, root, monkeypatch
        self.said, self.step = [], StageRun.step
        monkeypatch.setattr(RunLog, "say", lambda log, message: self.said.append(message))
        monkeypatch.setattr(stage, "LOG_EVERY", 1)
        monkeypatch.setattr(stage, "previews", lambda run, stage: {})

    def options(self, out="run", **options):
        return Options(self.corpus, self.root / out, device="cpu", quiet=True, **options)

    def train(self, config, out="run", **options):
        # The number of threads moves last digits, and what earlier tests left behind (a block of
        # `surroundings.one_thread` that the garbage collector ends) once set it in mid-run.
        gc.collect()
        torch.set_num_threads(1)
        train(config, self.options(out, **options))
        return self.root / out

    def stop_after(self, steps):
        """Let time run out after `steps` more steps, counted over all stages."""
        done, step = [], self.step

        def counted(training, batch):
            step(training, batch)
            done.append(batch)

        self._patch.setattr(StageRun, "step", counted)
        self._patch.setattr(Run, "out_of_time", lambda run: len(done) >= steps)

    def go_on(self):
        self._patch.setattr(Run, "out_of_time", lambda run: False)

    def with_previews(self):
        self._patch.setattr(stage, "previews", previews)

    @staticmethod
    def log(folder):
        """{(kind, stage, step): figures} of a run, without what the clock decides."""
        lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
        found = {}
        for line in lines:
            key = tuple(line.pop(name) for name in ("kind", "stage", "step"))
            line.pop("time")
            line.pop("samples/s", None)
            # A repeated step must say the same again.
            assert found.setdefault(key, line) == line, key
        return found

    @staticmethod
    def weights(folder):
        return load_file(folder / "model" / "model.safetensors")


def differences(one, other, prefix=""):
    """Names of the tensors that are not the same, bit for bit."""
    assert set(one) == set(other)
    return {k for k in one if k.startswith(prefix) and not torch.equal(one[k], other[k])}


def assert_repeats(out, whole_run, within=0.0):
    """What `out` logged is what the uninterrupted run did, and its model too.

    within: by how much they may differ, absolute and relative. In a run of the whole suite an
    uninterrupted run with everything has differed from the resumed ones in last digits, as
    PyTorch's threads had become two in mid-run (`Runs.train`); what memory held before, where crops
    stand in it, flushing of denormals and previews move nothing. What differs is told from its
    beginning on.
    """
    log, wanted = Runs.log(out), Runs.log(whole_run)
    stopped = {key for key in set(log) - set(wanted) if key[0] == "valid"}  # at other steps
    found = {key: log[key] for key in set(log) - stopped}
    assert found.keys() == wanted.keys()
    one, other = Runs.weights(out), Runs.weights(whole_run)
    assert set(one) == set(other)
    differ = [
        (key, name, figures[name], found[key].get(name))
        for key, figures in wanted.items()
        for name in figures
        if found[key].get(name) != figures[name]
    ]
    beginning = (
        f"{torch.get_num_threads()} threads, {one_thread.inside} inside, {len(differ)} figures and "
        f"{len(differences(one, other))} of {len(one)} tensors differ; the first: {differ[:8]}"
    )
    for key in wanted:
        assert found[key] == pytest.approx(wanted[key], rel=within, abs=within), beginning
    for name in one:
        pair = one[name].float(), other[name].float()
        assert torch.allclose(*pair, within, within), (name, beginning)
