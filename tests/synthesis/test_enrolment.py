"""Enrolment moves the vector, and nothing else, towards the speech it is given."""

import numpy as np
import pytest
import soundfile
import torch
from tones import vowel

from vqspeech import Codec, InputError
from vqspeech.config.model import from_dict
from vqspeech.errors import InputWarning
from vqspeech.nn.heads import Pitch
from vqspeech.synthesis import enrolment
from vqspeech.synthesis.enrolment import cut, enroll, nearest_speakers

RATE = 16_000


@pytest.fixture(scope="module")
def codec(tiny_model):
    return Codec.from_pretrained(tiny_model, device="cpu")


@pytest.fixture
def speech(tmp_path):
    """Twelve seconds in two files."""
    for i in range(2):
        tone = vowel(6.0, 140.0, seed=i)
        time = np.arange(len(tone)) / RATE
        tone *= np.clip(4 * np.sin(2 * np.pi * time) + 2, 0, 1).astype(np.float32)
        soundfile.write(tmp_path / f"{i}.wav", tone, RATE)
    return [tmp_path / "0.wav", tmp_path / "1.wav"]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(enrolment, "MEL_STEPS", 40)
    monkeypatch.setattr(enrolment, "NATS_STEPS", 3)


def test_the_new_voice_explains_speech_kept_out_better(codec, speech):
    before = {name: value.clone() for name, value in codec.model.state_dict().items()}
    shares = []
    voice, held = enroll(codec.loaded, " Eva ", speech, progress=shares.append)
    assert held.better and held.mel < held.nearest_mel
    assert np.isfinite([held.nats, held.nearest_nats]).all()
    assert voice.name == "Eva" and voice.model == codec.fingerprint
    assert voice.seconds == pytest.approx(10, abs=2.1), "in the end every piece is fitted"
    assert 2 <= held.seconds <= voice.seconds - 4
    assert 130 < voice.f0 < 150
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)
    for name, value in codec.model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(parameter.grad is None for parameter in codec.model.parameters())


def test_the_seed_decides(codec, speech):
    one, two = (enroll(codec.loaded, "Eva", speech, seed=1)[0].vector for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, enroll(codec.loaded, "Eva", speech, seed=2)[0].vector)


def test_a_model_without_a_trained_wavenet(codec, speech, monkeypatch):
    monkeypatch.delitem(codec.trained, "waveform")
    _, held = enroll(codec.loaded, "Eva", speech)
    assert np.isnan(held.nats) and held.better


def test_a_model_without_an_auxiliary_head(tiny_config, tmp_path, speech):
    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.checkpoint.speakers import Speaker
    from vqspeech.nn.vqvae import VQVAE

    table = tiny_config.to_dict()
    table["conditioning"]["log_mel_head"] = False
    table["training"]["stages"] = [{**table["training"]["stages"][0], "name": "joint"}]
    torch.manual_seed(0)
    model = VQVAE(from_dict(table), 2)
    rows = [Speaker(name) for name in "ab"]
    save_checkpoint(model, rows, tmp_path / "model", {"joint": 5})
    codec = Codec.from_pretrained(tmp_path / "model", device="cpu")
    voice, held = enroll(codec.loaded, "Eva", speech)
    assert np.isnan(held.mel) and np.isfinite(held.nats) and len(voice.vector) == 4
    codec.trained.clear()
    with pytest.raises(InputError, match="not trained"):
        enroll(codec.loaded, "Eva", speech)


def test_pitch_is_part_of_the_fit_and_not_of_the_log_mel_error(pitched_model, speech, monkeypatch):
    codec = Codec.from_pretrained(pitched_model, device="cpu")
    voice, held = enroll(codec.loaded, "Eva", speech)
    assert np.isfinite([held.mel, held.nats]).all()
    heard = []

    def heavy(pitch, truth):
        heard.append(truth)
        return 1000 + 0 * pitch.log_f0.sum()

    monkeypatch.setattr(Pitch, "loss", heavy)
    without, held = enroll(codec.loaded, "Eva", speech)
    assert held.mel < 100 and held.nearest_mel < 100
    assert np.abs(without.vector - voice.vector).max() > 1e-3, "pitch moves the vector"
    f0 = torch.cat([truth.flatten() for truth in heard])
    assert float((f0 > 0).float().mean()) > 0.3
    assert float(f0[f0 > 0].median()) == pytest.approx(140, rel=0.03)


def test_nats_are_those_that_training_lowers(pitched_model, speech, monkeypatch):
    codec, heard = Codec.from_pretrained(pitched_model, device="cpu"), []
    nats = codec.model.nats

    def kept(wave, hidden, window, f0, log_mel, **options):
        heard.append((wave, log_mel))
        return nats(wave, hidden, window, f0, log_mel, **options)

    monkeypatch.setattr(codec.model, "nats", kept)
    enroll(codec.loaded, "Eva", speech)
    assert heard, "of a model that has a WaveNet"
    for wave, log_mel in heard:
        torch.testing.assert_close(log_mel, codec.model.target_mel(wave))


def test_the_fit_may_start_from_what_the_speaker_encoder_hears(hearing_model, speech, monkeypatch):
    codec = Codec.from_pretrained(hearing_model)
    starts = []
    monkeypatch.setattr(
        enrolment._Fit, "_fit", lambda self, vector, *how: starts.append(vector) or vector[0].cpu()
    )
    monkeypatch.setattr(enrolment._Fit, "_mel_and_pitch", lambda self, part, vector: vector.sum())
    for sign in (1, -1):
        with torch.no_grad():
            codec.model.speaker_encoder.project.bias.fill_(-100.0 * sign)
        enroll(codec.loaded, "new", speech)
    heard, trained = starts[0], starts[2]
    assert heard.sum() < -200 and trained.sum() < 100


def test_nearest_speakers_are_all_of_them_in_order(codec):
    wave = vowel(2.0)
    names = nearest_speakers(codec.encoder, wave)
    assert sorted(names) == sorted(codec.speakers)
    errors = []
    for name in names:
        codes = codec.encode(wave)
        vector = codec.speaker_vector(name)
        with torch.no_grad():
            hidden = codec.model.hidden(torch.from_numpy(codes.indices.astype(int))[None], vector)
            mel = codec.model.conditioning.log_mel(hidden)
            truth = codec.model.target_mel(torch.from_numpy(enrolment.levelled(wave))[None])
        errors.append(float((mel - truth).abs().mean()))
    assert errors == sorted(errors)


def test_pieces():
    assert cut(np.zeros(100_000, "f4"), 320).shape == (3, 32_000)


def test_too_little_speech(codec, tmp_path):
    soundfile.write(tmp_path / "short.wav", vowel(2.0), RATE)
    with pytest.raises(InputError, match="too little"):
        enroll(codec.loaded, "Eva", [tmp_path / "short.wav"])
    with pytest.raises(InputError, match="no such file"):
        enroll(codec.loaded, "Eva", [tmp_path / "none.wav"])


def test_recordings_that_cannot_be_used_are_left_out(codec, speech, tmp_path):
    soundfile.write(tmp_path / "silent.wav", np.zeros(RATE), RATE)
    (tmp_path / "broken.wav").write_bytes(b"junk" * 100)
    unusable = [tmp_path / "silent.wav", tmp_path / "broken.wav"]
    with pytest.warns(InputWarning, match="left out") as told:
        voice, _ = enroll(codec.loaded, "Eva", [unusable[0], *speech, unusable[1]])
    said = [str(one.message) for one in told]
    assert len(said) == 2 and "silent.wav: is silent" in said[0] and "broken.wav" in said[1]
    assert np.array_equal(voice.vector, enroll(codec.loaded, "Eva", speech)[0].vector)
    with pytest.raises(InputError, match="silent.wav: is silent; take another"):
        enroll(codec.loaded, "Eva", unusable[:1])
    none = pytest.raises(InputError, match="none of 2 recordings")
    with pytest.warns(InputWarning), none:
        enroll(codec.loaded, "Eva", unusable)
    with pytest.raises(InputError, match="none.wav: no such file"):
        enroll(codec.loaded, "Eva", [*speech, tmp_path / "none.wav"])


def test_a_recording_that_is_given_twice_is_heard_once(codec, speech, tmp_path):
    (link := tmp_path / "link.wav").symlink_to(speech[0])
    twice = [speech[0], str(speech[0]), speech[1], link]
    with pytest.warns(InputWarning, match=r"0.wav \(and 1 more\): it is given twice") as told:
        voice, _ = enroll(codec.loaded, "Eva", twice)
    assert len(told) == 1
    assert np.array_equal(voice.vector, enroll(codec.loaded, "Eva", speech)[0].vector)
    seconds = pytest.raises(InputError, match="6.0 s of speech is too little")
    with pytest.warns(InputWarning, match="link.wav: it is given twice"), seconds:
        enroll(codec.loaded, "Eva", [speech[0], link])
