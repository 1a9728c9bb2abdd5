"""Codes that are searched: the same however a recording comes, and only where a model can."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from synthetic_voice import sung

from vqspeech import Codec, InputError
from vqspeech.nn import search
from vqspeech.synthesis import searching

RATE = 16_000
SENTENCE = Path(__file__).parents[2] / "egs" / "sentence.flac"


@pytest.fixture(scope="module")
def codec(hearing_model):
    return Codec.from_pretrained(hearing_model, "cpu")


@pytest.fixture(scope="module")
def her():
    return sung(3.3, 200.0, 220.0, pauses=False)[0]


@pytest.fixture(autouse=True)
def free(monkeypatch):
    """Codes of a tiny model were taught nothing that they would have to keep."""
    monkeypatch.setattr(search, "DISTANCE", 0.0)


@pytest.fixture
def short_chunks(monkeypatch):
    monkeypatch.setattr(searching, "CHUNK_SECONDS", 0.64)


def mel_error(codec, codes, wave):
    """Of the log-mel that codes predict in their own voice."""
    model, size = codec.model, len(wave) // 320 * 320
    with torch.inference_mode():
        indices = torch.from_numpy(codes.indices[..., : size // 320].astype(np.int64))[None]
        hidden = model.hidden(indices, torch.from_numpy(codes.voice)[None])
        truth = model.target_mel(torch.from_numpy(wave[:size])[None])
        return float((model.conditioning.log_mel(hidden) - truth).abs().mean())


def test_they_say_the_recording_better(codec, her):
    plain, found = codec.encode(her), codec.encode(her, search=True)
    assert (found.samples, found.frames, found.model) == (plain.samples, plain.frames, plain.model)
    np.testing.assert_array_equal(found.voice, plain.voice)
    assert mel_error(codec, found, her) < mel_error(codec, plain, her)


def test_neither_blocks_nor_threads_nor_the_way_in_matter(codec, her, short_chunks, tmp_path):
    gain, whole = 1.0, codec.encoder.at(None, True).blocks([her], 1.0).indices
    assert not np.array_equal(whole, codec.encoder.blocks([her], gain).indices)
    parts = np.split(her, [1, 700, 20_000, 20_001, 50_000])
    again = codec.encoder.at(None, True).blocks(parts, gain).indices
    np.testing.assert_array_equal(again, whole)
    threads = torch.get_num_threads()
    try:
        for number in (1, 3):
            torch.set_num_threads(number)
            found = codec.encode(her, search=True).indices
            np.testing.assert_array_equal(found, codec.encode(her, search=True).indices)
            if number == 1:
                alone = found
        np.testing.assert_array_equal(found, alone)
    finally:
        torch.set_num_threads(threads)
    many = codec.encode_many([her, her[:9000]], search=True)
    np.testing.assert_array_equal(many[0].indices, alone)
    np.testing.assert_array_equal(many[1].indices, codec.encode(her[:9000], search=True).indices)
    soundfile.write(tmp_path / "her.wav", her, RATE, "FLOAT")
    done: list[float] = []
    one = codec.encode_file(tmp_path / "her.wav", search=True, progress=done.append)
    (other,) = codec.encode_files([tmp_path / "her.wav"], search=True)
    np.testing.assert_array_equal(one.indices, alone)
    np.testing.assert_array_equal(other.indices, alone)
    assert (
        done == sorted(done) and len(done) > 3 and done[-1] == pytest.approx(one.seconds, abs=0.02)
    )


def test_what_a_program_has_set_changes_nothing(codec, her):
    found = codec.encode(her, search=True).indices
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.autocast("cpu", torch.bfloat16), torch.inference_mode(), torch.device("meta"):
            again = codec.encode(her, search=True).indices
    finally:
        torch.set_default_dtype(default)
    np.testing.assert_array_equal(again, found)


@pytest.mark.parametrize("samples", [1, 320, 641, 5000])
def test_short_recordings(codec, her, samples):
    codes = codec.encode(her[:samples], search=True)
    assert codes.samples == samples and codes.frames == -(-samples // 320)


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_silence_and_noise_have_codes(codec, level):
    noise = level * np.random.default_rng(0).standard_normal(8000).astype(np.float32)
    assert codec.encode(noise, search=True).frames == 25


def test_the_voice_that_it_is_decoded_in_does_not_matter(codec, her):
    plain = codec.encode(her, voice=False, search=True)
    refined = codec.encode(her, voice="refined", search=True)
    np.testing.assert_array_equal(plain.indices, refined.indices)
    assert plain.voice is None and refined.voice is not None


def test_a_conversion_may_be_searched(codec, her):
    how = {"preview": True, "pitch": "keep"}
    plain = codec.convert(her, RATE, codec.speakers[0], **how)
    found = codec.convert(her, RATE, codec.speakers[0], **how, search=True)
    assert found.shape == plain.shape and not np.array_equal(found, plain)
    (many,) = codec.convert_many([her], RATE, codec.speakers[0], **how, search=True)
    np.testing.assert_array_equal(many, found)


def test_a_model_that_cannot(tiny_model, her):
    codec = Codec.from_pretrained(tiny_model, "cpu")
    assert not codec.searches
    with pytest.raises(InputError, match="no log-mel head and speaker encoder to search"):
        codec.encode(her, search=True)
    with pytest.raises(InputError, match="search"):
        codec.convert(her, RATE, codec.speakers[0], search=True)


def test_what_is_no_switch_is_refused(codec, her):
    with pytest.raises(InputError, match="search"):
        codec.encode(her, search="yes")
    with pytest.raises(InputError, match="search"):
        codec.convert(her, RATE, codec.speakers[0], search=2)


def test_of_the_shipped_model_low_rates_are_the_first_of_high_ones(monkeypatch):
    monkeypatch.undo()
    codec, (wave, _) = Codec.from_pretrained(device="cpu"), soundfile.read(SENTENCE, dtype="f4")
    wave = wave[: 2 * RATE]
    low, high = (codec.encode(wave, search=True, bitrate=rate) for rate in (500, 2000))
    np.testing.assert_array_equal(high.at(500).indices, low.indices)
    assert mel_error(codec, low, wave) < 0.95 * mel_error(codec, codec.encode(wave), wave)
    fine = codec.encode(wave, bitrate=2000)
    assert mel_error(codec, high, wave) < mel_error(codec, fine, wave)
