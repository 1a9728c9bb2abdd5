"""A heard voice is moved towards the speech that it was heard in, and to nothing else."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from synthetic_voice import sung

from vqspeech import Codec, InputError
from vqspeech.synthesis import refining
from vqspeech.synthesis.fitting import mel_and_pitch, pieces_of
from vqspeech.synthesis.listening import Listener, RefinedListener
from vqspeech.synthesis.refining import MOST_PIECES, Refiner


@pytest.fixture(scope="module")
def codec(hearing_model):
    return Codec.from_pretrained(hearing_model, "cpu")


@pytest.fixture(scope="module")
def her():
    return sung(6.3, 200.0, 220.0, pauses=False)[0]


def error(codec, wave, vector, levels=1):
    size = len(wave) // 640 * 640
    pieces = pieces_of(codec.loaded, wave[None, :size], levels)
    with torch.no_grad():
        return float(mel_and_pitch(codec.loaded, pieces, torch.from_numpy(vector)[None]))


def heard(codec, wave, kind=Listener):
    listener = kind(codec.loaded)
    listener.add(wave)
    return listener.vector()


def test_it_explains_the_speech_better_and_other_speech_of_the_voice_too(codec, her):
    first, rest = np.split(her, [len(her) // 2])
    plain, better = heard(codec, first), heard(codec, first, RefinedListener)
    assert better.dtype == np.float32 and better.shape == plain.shape
    assert error(codec, first, better) < error(codec, first, plain)
    assert error(codec, rest, better) < error(codec, rest, plain)


def test_the_model_stays_as_it_is(codec, her):
    before = {k: v.clone() for k, v in codec.model.state_dict().items()}
    needs = [p.requires_grad for p in codec.model.parameters()]
    with torch.inference_mode():
        heard(codec, her, RefinedListener)
    assert all(torch.equal(v, before[k]) for k, v in codec.model.state_dict().items())
    assert [p.requires_grad for p in codec.model.parameters()] == needs
    assert all(p.grad is None for p in codec.model.parameters())


def test_how_the_recording_is_cut_into_blocks_does_not_matter(codec, her):
    whole, blocks = RefinedListener(codec.loaded), RefinedListener(codec.loaded)
    whole.add(her)
    for at in range(0, len(her), 777):
        blocks.add(her[at : at + 777])
    np.testing.assert_array_equal(whole.vector(), blocks.vector())


def test_what_comes_after_enough_does_not_matter(codec, her):
    """A file comes in blocks, an array at once: both are listened to as far."""
    speech, blocks = np.concatenate([her, -0.5 * her[::-1]]), 4000
    whole, parts = (RefinedListener(codec.loaded, seconds=1.0) for _ in range(2))
    whole.add(speech)
    for at in range(0, len(speech), blocks):
        parts.add(speech[at : at + blocks])
    assert whole.enough and parts.enough
    np.testing.assert_array_equal(whole.vector(), parts.vector())
    assert whole.samples == parts.samples < len(speech) - blocks


def refined(codec, speech, vector, levels=1):
    refiner = Refiner(codec.loaded, levels)
    refiner.add(speech)
    return refiner.refined(vector)


def test_it_explains_the_speech_with_the_codes_that_are_decoded(levelled_model, her):
    codec = Codec.from_pretrained(levelled_model, "cpu")
    start = codec.speaker_vector("anna")[0].detach().numpy()
    few, many = (refined(codec, her, start, levels) for levels in (1, 4))
    assert error(codec, her, few, 1) < error(codec, her, many, 1) < error(codec, her, start, 1)
    assert error(codec, her, many, 4) < error(codec, her, few, 4) < error(codec, her, start, 4)


def test_speech_is_what_counts(codec, her, monkeypatch):
    """Of a long recording the pieces with most speech are taken; a pause says nothing."""
    monkeypatch.setattr(refining, "MOST_PIECES", 2)
    speech, plain = her[: 4 * 16_000], heard(codec, her)
    pause = np.zeros(10 * 16_000, np.float32)
    found = refined(codec, np.concatenate([pause, speech, pause]), plain)
    np.testing.assert_array_equal(found, refined(codec, speech, plain))
    np.testing.assert_array_equal(refined(codec, pause, plain), plain)


def test_no_more_is_held_than_what_it_is_fitted_to(codec, her):
    refiner = Refiner(codec.loaded)
    for _ in range(12):
        refiner.add(her)
    assert len(refiner._best) == MOST_PIECES
    assert sum(map(len, refiner._held)) < 2 * 16_000


def test_threads_share_a_model(codec, her):
    """A web page's visitors are heard at once."""
    plain = heard(codec, her)
    alone = refined(codec, her, plain)
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda _: refined(codec, her, plain), range(3)))
    for one in together:
        np.testing.assert_array_equal(one, alone)
    assert all(p.grad is None for p in codec.model.parameters())


@pytest.mark.parametrize("samples", [1, 639, 641, 9_000])
def test_short_recordings(codec, her, samples):
    plain = heard(codec, her)
    found = refined(codec, her[8_000 : 8_000 + samples], plain)
    assert np.isfinite(found).all() and np.array_equal(found, plain) == (samples < 640)


def test_a_voice_that_is_asked_for_is_refined(codec, her):
    voice = codec.voice_of(her, name="her")
    plain = heard(codec, her)
    assert not np.allclose(voice.vector, plain, atol=1e-4)
    assert codec.decode(codec.encode(her), voice, preview=True).shape == her.shape


def test_a_recording_that_is_encoded_is_refined_where_it_is_wanted(codec, her, tmp_path):
    import soundfile

    soundfile.write(path := tmp_path / "her.wav", her, 16_000, "FLOAT")
    plain, better = codec.encode(her), codec.encode(her, voice="refined")
    assert np.array_equal(plain.indices, better.indices)
    assert not np.allclose(plain.voice, better.voice, atol=1e-4)
    np.testing.assert_array_equal(codec.encode_file(path, voice="refined").voice, better.voice)
    (many,) = codec.encode_many([her], voice="refined")
    np.testing.assert_allclose(many.voice, better.voice, atol=1e-5)
    codec.save_vqs(better, tmp_path / "her.vqs")
    kept = codec.load_vqs(tmp_path / "her.vqs")[0].voice
    np.testing.assert_allclose(kept, better.voice, atol=np.abs(better.voice).max() / 200)


@pytest.mark.parametrize("voice", ["best", 2, None, 1.0])
def test_other_wishes_are_refused(codec, her, voice):
    with pytest.raises(InputError, match="voice"):
        codec.encode(her, voice=voice)


def test_a_stream_does_not_wait_for_it(codec, her):
    with pytest.raises(InputError, match="voice 'refined' must be"):
        codec.encode_stream([her], voice="refined")


def test_it_is_refined_for_the_codes_that_it_is_decoded_with(codec, her):
    """Those of the recording that are given, piece by piece, wherever the pieces lie."""
    pieces = 2 * 16_000 * MOST_PIECES
    wave = np.concatenate([her, her])[:pieces]
    nearest = codec.encode(wave, voice=False).indices
    other = (nearest + 1) % 4
    found = {}
    for name, indices in {"nearest": nearest, "other": other, "none": None}.items():
        listener = RefinedListener(codec.loaded)
        listener.add(wave)
        found[name] = listener.vector(indices)
    assert not np.allclose(found["other"], found["nearest"], atol=1e-3)
    np.testing.assert_allclose(found["none"], found["nearest"], atol=0.3)

    def told(indices, vector):
        size = len(wave) // 640 * 640
        fitted = pieces_of(codec.loaded, wave[None, :size])
        codes = torch.from_numpy(indices[None, : size // 320].astype(np.int64))
        with torch.no_grad():
            part = fitted._replace(codes=codes)
            return float(mel_and_pitch(codec.loaded, part, torch.from_numpy(vector)[None]))

    assert told(other, found["other"]) < told(other, found["nearest"])
