"""A small model, a voice to train it on, and runs of it."""

import dataclasses
import json

import numpy as np
import torch
from safetensors.torch import load_file

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
    | {"harmonics": 2, "pulses": True, "scaled": True}
    | {"prediction": 3, "own_envelope": True, "long_term": 0.7},
    "speaker_encoder": {"channels": 8, "dilations": [1], "reference_seconds": 0.2},
    "training": {
        "stages": [stage | {"muon": 3.0} for stage in CONFIG["training"]["stages"]],
    },
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
        for line in ("say", "warn"):
            monkeypatch.setattr(RunLog, line, lambda log, message: self.said.append(message))
        monkeypatch.setattr(stage, "LOG_EVERY", 1)
        monkeypatch.setattr(stage, "previews", lambda run, stage: {})

    def options(self, out="run", **options):
        return Options(self.corpus, self.root / out, device="cpu", quiet=True, **options)

    def train(self, config, out="run", **options):
        train(config, self.options(out, **options))
        return self.root / out

    def stop_after(self, steps):
        """Let time run out after `steps` more steps, counted over all stages."""
        done, step = [], self.step

        def counted(training, batch):
            step(training, batch)
            done.append(batch)

        self._patch.setattr(StageRun, "step", counted)
        self._patch.setattr(Run, "is_to_stop", lambda run: len(done) >= steps)

    def go_on(self):
        self._patch.setattr(Run, "is_to_stop", lambda run: False)

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


def assert_repeats(out, whole_run):
    """What `out` logged is what the uninterrupted run did, and its model too, bit for bit: on as
    many threads of PyTorch, whose number moves last digits."""
    log, wanted = Runs.log(out), Runs.log(whole_run)
    stopped = {key for key in set(log) - set(wanted) if key[0] == "valid"}  # at other steps
    assert {key: log[key] for key in set(log) - stopped} == wanted, torch.get_num_threads()
    assert not differences(Runs.weights(out), Runs.weights(whole_run))
