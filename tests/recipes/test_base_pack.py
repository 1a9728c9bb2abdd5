"""recipes/base/pack.py: half precision, prior, a card that the model wrote; never twice."""

import dataclasses

import pytest
import torch
from safetensors.torch import load_file

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.model import load_checkpoint, save_checkpoint
from vqspeech.checkpoint.prior import load_prior, save_prior
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.config.networks import SpeakerEncoderConfig
from vqspeech.config.training import DegradationConfig, PriorConfig
from vqspeech.errors import InputError
from vqspeech.nn.prior import Prior
from vqspeech.nn.vqvae import VQVAE

SPEAKERS = [
    Speaker("libri-1", "f", 12.5),
    Speaker("libri-2", "m", 20.25),
    Speaker("kathleen", "f", 30.0),
    Speaker("eva", "f", 4.0),
    Speaker("other", "", 40.0),
]
TEACHER = TaughtBy("whisper", "dc45810947358492", 6, 0.5, 3)


@pytest.fixture
def pack(base_script, monkeypatch, capsys):
    """pack(model, out): what the script says."""

    def start(*arguments):
        monkeypatch.setattr("sys.argv", ["pack.py", *map(str, arguments)])
        base_script("pack").main()
        return capsys.readouterr().out

    return start


def made(config, folder, teacher=None):
    """A checkpoint of random weights with a prior."""
    torch.manual_seed(0)
    model = VQVAE(config, len(SPEAKERS))
    save_checkpoint(model, SPEAKERS, folder, {"codes": 1400, "waveform": 7}, teacher)
    fit_another_prior(config, folder, 0)
    return folder


def fit_another_prior(config, folder, seed):
    torch.manual_seed(seed)
    shape = PriorConfig(4, 4, 2, 2, 2)
    names = [speaker.name for speaker in SPEAKERS]
    codes = codes_identity(load_checkpoint(folder).model.state_dict())
    save_prior(Prior(shape, config.quantizer, len(names)), names, folder, codes)


@pytest.fixture
def whole_config(tiny_config):
    """With all that a card tells of."""
    degradation = DegradationConfig(reverberation=0.1, narrow_band=0.08)
    heard = SpeakerEncoderConfig(channels=8, dilations=(1,), share=0.5, reference_seconds=3.0)
    return dataclasses.replace(
        tiny_config,
        training=dataclasses.replace(tiny_config.training, degradation=degradation),
        speaker_encoder=heard,
    )


def test_everything_goes_along_at_half_precision(pack, whole_config, tmp_path):
    model, out = made(whole_config, tmp_path / "model", TEACHER), tmp_path / "out"
    assert "wrote" in pack(model, out)
    full, half = (load_file(folder / "model.safetensors") for folder in (model, out))
    assert full.keys() == half.keys()
    assert [name for name in half if name.startswith("speaker_encoder.")]
    for name, value in half.items():
        wanted = full[name].half() if full[name].is_floating_point() else full[name]
        assert torch.equal(value, wanted), name
    packed = load_checkpoint(out)
    assert packed.about.teacher == TEACHER and packed.about.speakers == SPEAKERS
    assert load_prior(out, packed.model).speakers == [speaker.name for speaker in SPEAKERS]
    assert not list(tmp_path.glob(".*")), "nothing is left beside it"


def test_the_card_says_what_the_model_is(pack, whole_config, tmp_path):
    pack(made(whole_config, tmp_path / "model", TEACHER), tmp_path / "out")
    card = " ".join((tmp_path / "out" / "README.md").read_text().split())
    for words in (
        "5 speaker identities",
        "steps: codes: 1,400, waveform: 7",
        "1.8 h of read English",
        "2 identities, 12.5 to 20.2 minutes each, 33 in all: LibriSpeech (Panayotov",
        "`kathleen`, 30 minutes: Kathleen",
        "`eva`, 4 minutes: recordings that recipes/base/sources.toml does not name",
        "`other`, 40 minutes: speakers of whom there was too little",
        "the encoder of whisper (dc45810947358492; perceptual 0.5 after 3 of 6 layers): Whisper",
        "OpenAI; MIT",
        "in training only",
        "10% in a room, 8% through a telephone, while",
        "in 50% of the crops, 3 s each",
    ):
        assert words in card, words
    assert "speechocean762 (" not in card and "babble" not in card
    assert "{" not in card


def test_the_card_of_a_plain_model(pack, tiny_config, tmp_path):
    pack(made(tiny_config, tmp_path / "model"), tmp_path / "out")
    card = " ".join((tmp_path / "out" / "README.md").read_text().split())
    assert "no teacher was given" in card and "MIT). It taught" not in card
    assert "**Speaker encoder**: none" in card and "in a room" not in card
    assert "phonemes, which" not in card and "codes at a time" not in card


def test_the_card_says_what_rates_there_are(pack, levelled_model, tmp_path):
    pack(levelled_model, tmp_path / "out")
    card = " ".join((tmp_path / "out" / "README.md").read_text().split())
    assert "(100 bit/s; codebooks taken in turn: 2; up to 4 codes at a time, 400 bit/s)" in card


def test_what_is_packed_is_not_packed_again(pack, tiny_config, tmp_path):
    model, out = made(tiny_config, tmp_path / "model"), tmp_path / "out"
    pack(model, out)
    before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert pack(model, out) == f"nothing to do: {out} was made from this model\n"
    assert before == {path: path.stat().st_mtime_ns for path in out.iterdir()}
    fit_another_prior(tiny_config, model, 1)
    assert "wrote" in pack(model, out), "another prior is another model to give away"
    (model / "prior.safetensors").unlink()
    assert "wrote" in pack(model, out) and not (out / "prior.safetensors").exists()


def test_a_folder_of_something_else_stays(pack, tiny_config, tmp_path):
    model, out = made(tiny_config, tmp_path / "model"), tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    with pytest.raises(InputError, match="is no model, and would be replaced"):
        pack(model, out)
    assert [path.name for path in out.iterdir()] == ["README.md"]
