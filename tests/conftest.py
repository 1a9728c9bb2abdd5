"""A model small enough to make in a second, for every test that needs one."""

import os
import signal
import stat

import numpy as np
import pytest
import soundfile

from vqspeech.checkpoint.speakers import Speaker
from vqspeech.config.model import from_dict

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # What a shell starts in the background ignores it, and so would all that the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

TINY = {
    "name": "tiny",
    "hop": 320,
    "encoder": {"channels": 16, "mels": 16, "fine_dilations": [1], "coarse_dilations": [1, 2]},
    "quantizer": {"codebook_size": 4, "dim": 8},
    "conditioning": {"channels": 16, "dilations": [1], "speaker_dim": 4},
    "decoder": {"residual_channels": 8, "skip_channels": 8, "layers": 4, "cycle": 4},
    "training": {
        "stages": [
            {
                "name": "codes",
                "steps": 4,
                "batch": 2,
                "crop_seconds": 0.16,
                "decoder_seconds": 0.08,
            },
            {"name": "waveform", "steps": 4, "batch": 2, "crop_seconds": 0.16}
            | {"decoder_seconds": 0.08},
        ]
    },
}

SPEAKERS = [
    Speaker("anna", "f", 12.5),
    Speaker("bert", "m", 3.25),
    Speaker("other", "", 40.0),
]


@pytest.fixture(scope="session")
def tiny_config():
    """4 codes, a few channels everywhere."""
    return from_dict(TINY)


@pytest.fixture(scope="session")
def tiny_model(tiny_config, tmp_path_factory):
    """Folder of a checkpoint with random weights and three speakers."""
    import torch

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.nn.vqvae import VQVAE

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    save_checkpoint(VQVAE(tiny_config, 3), SPEAKERS, folder, {"codes": 10, "waveform": 10})
    return folder


@pytest.fixture(scope="session")
def paired_model(tmp_path_factory):
    """Folder of a tiny model whose frames take two codebooks in turn."""
    import torch

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.nn.vqvae import VQVAE

    table = TINY | {"quantizer": TINY["quantizer"] | {"codebooks": 2}}
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "paired"
    save_checkpoint(VQVAE(from_dict(table), 3), SPEAKERS, folder, {"codes": 10, "waveform": 10})
    return folder


@pytest.fixture(scope="session")
def pitched_model(tmp_path_factory):
    """Folder of a tiny model that predicts pitch, of every code another, and decodes by it; what it
    draws are residuals."""
    import torch

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.nn.vqvae import VQVAE

    parts = {
        "encoder": {"low_bins": 8, "vtlp": 0.1, "equaliser": 0.1},
        "quantizer": {"codebooks": 2},
        "conditioning": {"pitch_head": True, "phoneme_head": True, "film": True},
        "decoder": {"harmonics": 3, "pulses": True}
        | {"scaled": True, "prediction": 3, "long_term": 0.7},
    }
    table = TINY | {name: TINY[name] | values for name, values in parts.items()}
    torch.manual_seed(0)
    model = VQVAE(from_dict(table), 3)
    with torch.no_grad():
        for book in model.quantizer.books:
            book.codebook.mul_(3)
        head, excite = model.conditioning.pitch_head, model.decoder.excitation
        head.weight[::2] *= 2  # log F0
        head.bias[1::2] = 0.3  # a voice in most frames
        excite.weight *= 4
        model.decoder.scale.fill_(20.0)
        model.decoder.output.weight *= 8  # so that what it is told shows in what it says
    folder = tmp_path_factory.mktemp("models") / "pitched"
    save_checkpoint(model, SPEAKERS, folder, {"codes": 10, "waveform": 10})
    return folder


@pytest.fixture(scope="session")
def levelled_model(tmp_path_factory):
    """Folder of a tiny model with four levels of codes, whose upper ones were drawn from noise."""
    import torch

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.nn.vqvae import VQVAE

    levels = {"codebooks": 2, "levels": 4, "upper_dim": 12}
    table = TINY | {"quantizer": TINY["quantizer"] | levels}
    torch.manual_seed(0)
    model = VQVAE(from_dict(table), 3)
    with torch.no_grad():
        for level, quantizer in enumerate(model.levels.quantizers):
            for book in quantizer.books:
                book.codebook.mul_(0.7**level)
                book.initialised.fill_(True)
        model.conditioning.level.weight.normal_()
    folder = tmp_path_factory.mktemp("models") / "levelled"
    save_checkpoint(model, SPEAKERS, folder, {"codes": 10, "levels": 10, "waveform": 10})
    return folder


@pytest.fixture(scope="session")
def hearing_model(tmp_path_factory):
    """Folder of a tiny model with a speaker encoder, whose voices differ much."""
    import torch

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.nn.vqvae import VQVAE

    listens = {"channels": 12, "dilations": [1, 2], "reference_seconds": 0.5}
    table = TINY | {
        "quantizer": TINY["quantizer"] | {"codebooks": 2},
        "conditioning": TINY["conditioning"] | {"pitch_head": True},
        "speaker_encoder": listens,
    }
    torch.manual_seed(0)
    model = VQVAE(from_dict(table), 3)
    with torch.no_grad():
        model.speakers.weight.mul_(4)
        model.speaker_encoder.project.weight.mul_(8)
        model.conditioning.pitch_head.bias[1::2] = 0.3  # a voice in most frames
    folder = tmp_path_factory.mktemp("models") / "hearing"
    save_checkpoint(model, SPEAKERS, folder, {"codes": 10, "waveform": 10})
    return folder


@pytest.fixture(scope="session")
def tiny_prior_model(tiny_model, tmp_path_factory):
    """The tiny model with a prior of random weights, far from uniform."""
    import shutil

    import torch

    from vqspeech.checkpoint.identity import codes_identity
    from vqspeech.checkpoint.model import load_checkpoint
    from vqspeech.checkpoint.prior import save_prior
    from vqspeech.config.training import PriorConfig
    from vqspeech.nn.prior import Prior

    folder = shutil.copytree(tiny_model, tmp_path_factory.mktemp("models") / "tiny-prior")
    loaded = load_checkpoint(folder)
    torch.manual_seed(1)
    config = PriorConfig(residual_channels=8, skip_channels=8, layers=4, cycle=2, speaker_dim=4)
    prior = Prior(config, loaded.about.config.quantizer, 3)
    with torch.no_grad():
        prior.embedding.weight.mul_(8)  # so that the past matters
        for layer in (*prior.stack.gates, prior.stack.skip):
            layer.weight.mul_(4)
        prior.output.weight.mul_(8)
        prior.speakers.weight.mul_(5)
    codes = codes_identity(loaded.model.state_dict())
    save_prior(prior, [speaker.name for speaker in SPEAKERS], folder, codes)
    return folder


@pytest.fixture
def modes_hold(monkeypatch):
    """Write-protected files are that for root too, whom the system lets write to all."""
    access = os.access

    def asked(path, mode, **how):
        if mode & os.W_OK and os.path.exists(path) and not os.stat(path).st_mode & stat.S_IWUSR:
            return False
        return access(path, mode, **how)

    monkeypatch.setattr(os, "access", asked)


@pytest.fixture
def make_audio(tmp_path):
    """make_audio(name, seconds): a file of noise in tmp_path, folders made as needed."""

    def make(name="in.wav", seconds=0.5, rate=16_000, seed=0, **options):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(seed).standard_normal(round(seconds * rate))
        soundfile.write(path, 0.1 * noise, rate, **options)
        return path

    return make
