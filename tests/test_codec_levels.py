"""Several rates from one model: the first level is what it is alone, a lower rate is a cut."""

import numpy as np
import pytest
import torch

from vqspeech import Codec, Codes
from vqspeech.codes.vqs import reduce_vqs
from vqspeech.errors import InputError

ONE = 100.0  # bit/s of a level: 50 codes/s of 4


@pytest.fixture(scope="module")
def codec(levelled_model):
    return Codec.from_pretrained(levelled_model, "cpu")


@pytest.fixture(scope="module")
def speech():
    rng = np.random.default_rng(0)
    return 0.1 * rng.standard_normal(16_000 * 2 + 77).astype(np.float32)


def test_the_first_level_is_what_it_is_alone(codec, speech):
    assert codec.levels == 4 and codec.bit_rates == (ONE, 2 * ONE, 3 * ONE, 4 * ONE)
    plain = codec.encode(speech)
    assert plain.levels == 1 and np.array_equal(codec.encode(speech, bitrate=ONE), plain)
    four = codec.encode(speech, bitrate=4 * ONE)
    assert four.indices.shape == (4, plain.frames) and four.samples == plain.samples
    assert len({level.tobytes() for level in four.indices}) == 4
    for levels, rate in enumerate(codec.bit_rates, 1):
        lower = codec.encode(speech, bitrate=rate)
        assert np.array_equal(lower.by_level, four.indices[:levels])
        assert np.array_equal(four.at(rate).indices, lower.indices)


@pytest.mark.parametrize("rate", [0, 99, 150, 500, float("nan"), "fast", True])
def test_rates_that_there_are_not(codec, speech, rate):
    with pytest.raises(InputError, match="bitrate"):
        codec.encode(speech, bitrate=rate)


def test_every_way_to_encode_gives_the_same(codec, speech, tmp_path):
    import soundfile

    from vqspeech.audio.level import level_gain
    from vqspeech.codes.npy import load_npy

    rate = 3 * ONE
    known = codec.encode(speech, bitrate=rate).indices
    many = codec.encode_many([speech[:9000], speech], bitrate=rate)
    assert np.array_equal(many[1].indices, known) and many[0].levels == 3
    soundfile.write(path := tmp_path / "x.wav", speech, 16_000, "FLOAT")
    assert np.array_equal(codec.encode_file(path, bitrate=rate).indices, known)
    (one,) = codec.encode_files([path], bitrate=rate)
    assert np.array_equal(one.indices, known)
    blocks = np.split(speech, [1000, 9000, 20_000])
    stream = codec.encode_stream(blocks, gain=level_gain(speech), bitrate=rate)
    assert stream.levels == 3 and np.array_equal(codec.joined(stream).indices, known)
    one.save_npy(tmp_path / "x.npy")
    found = load_npy(tmp_path / "x.npy", codec.hop, codec.codebook_size)
    assert np.array_equal(codec.as_codes(found).indices, known)


def test_each_level_is_heard(codec, speech):
    four = codec.encode(speech, bitrate=4 * ONE)
    heard = [codec.decode(four.first(n), "anna", preview=True) for n in (1, 2, 3, 4)]
    assert {len(wave) for wave in heard} == {len(speech)}
    for n, wave in enumerate(heard):
        assert all(not np.array_equal(wave, other) for other in heard[:n])
    plain = codec.decode(codec.encode(speech), "anna", preview=True)
    assert np.array_equal(heard[0], plain)
    made = codec.decode(four, "anna", seed=3)
    assert not np.array_equal(made, codec.decode(four.first(3), "anna", seed=3))
    parts = np.split(four.indices, [10, 11, 60], -1)
    streamed = np.concatenate(list(codec.decode_stream(parts, "anna", seed=3)))
    assert np.array_equal(streamed[: len(made)], made)
    several = codec.decode_many([four, four.first(1)], "anna", seed=3)
    assert np.array_equal(several[0], made) and len(several[1]) == len(made)
    with pytest.raises(InputError, match="may be 4 recordings or 4 levels of one; give a list"):
        codec.decode_many(four.indices, "anna")


def test_a_recording_is_converted_at_any_rate(codec, speech, tmp_path):
    import soundfile

    how = {"preview": True, "pitch": "keep", "guidance": 0.0}
    made = {rate: codec.convert(speech, 16_000, "anna", bitrate=rate, **how) for rate in (ONE, 400)}
    assert np.array_equal(made[ONE], codec.convert(speech, 16_000, "anna", **how))
    assert not np.array_equal(made[ONE], made[400])
    (many,) = codec.convert_many([speech], speakers="anna", bitrate=400, **how)
    assert np.array_equal(many, made[400])
    soundfile.write(tmp_path / "x.wav", speech, 16_000, "FLOAT")
    for rate in (ONE, 400):
        out = tmp_path / f"{rate:g}.wav"
        codec.convert_file(tmp_path / "x.wav", out, "anna", bitrate=rate, **how)
        assert np.allclose(soundfile.read(out)[0], made[rate], atol=1e-4)
    with pytest.raises(InputError, match="bitrate 150 is none that this model has"):
        codec.convert(speech, 16_000, "anna", bitrate=150, **how)
    with pytest.raises(InputError, match="bitrate"):
        codec.convert(speech, 16_000, "anna", bitrate="much", **how)


def test_codes_as_arrays_lists_and_tensors(codec, speech):
    four = codec.encode(speech, bitrate=4 * ONE)
    for given in (four.indices, four.indices.tolist(), torch.from_numpy(four.indices.astype(int))):
        found = codec.as_codes(given)
        assert np.array_equal(found.indices, four.indices) and found.at(ONE).levels == 1


def test_streams_of_levels_of_any_kind(codec, speech):
    four = codec.encode(speech[:30_007], bitrate=4 * ONE)
    whole = codec.decode(four, "anna", preview=True)
    array = four.indices
    for given in (four, array, torch.from_numpy(array.astype(int)), [four], iter(four)):
        found = np.concatenate(list(codec.decode_stream(given, "anna", preview=True)))
        assert np.array_equal(found[: len(whole)], whole) and len(found) - len(whole) < codec.hop


def test_streams_of_levels_that_change_are_refused(codec):
    parts = [np.zeros((4, 60), int), np.zeros((2, 60), int)]
    with pytest.raises(InputError, match="codes of 4 levels goes on with 2"):
        list(codec.decode_stream(parts, "anna", preview=True))
    with pytest.raises(
        InputError, match=r"the codes have 5 levels, this model has 4; .*first\(4\)"
    ):
        list(codec.decode_stream([np.zeros((5, 60), int)], "anna", preview=True))


def test_vqs_files_of_every_rate(codec, speech, tmp_path):
    four = codec.encode(speech, bitrate=4 * ONE)
    sizes = []
    for levels in (1, 2, 3, 4):
        path = tmp_path / f"{levels}.vqs"
        sizes.append(codec.save_vqs(four.first(levels), path, "anna"))
        found, speaker, contents = codec.load_vqs(path)
        assert np.array_equal(found.indices, four.first(levels).indices) and speaker == "anna"
        assert (found.samples, contents.header.levels) == (four.samples, levels)
        assert found.at(ONE).levels == 1
    for levels in (1, 2, 3):
        found, *_ = codec.load_vqs(tmp_path / "4.vqs", bitrate=levels * ONE)
        assert np.array_equal(found.indices, four.first(levels).indices)
        reduce_vqs(tmp_path / "4.vqs", tmp_path / f"low{levels}.vqs", levels * ONE)
        assert (tmp_path / f"low{levels}.vqs").read_bytes() == (
            tmp_path / f"{levels}.vqs"
        ).read_bytes()
    steps = np.diff(sizes)
    assert (steps[1:] == steps[1]).all() and steps[1] >= four.frames * 2 / 8


def test_levels_of_another_model_are_told_from_the_first(codec, speech, tmp_path, levelled_model):
    from vqspeech.checkpoint.model import load_checkpoint, save_checkpoint

    made = load_checkpoint(levelled_model)
    made.model.levels.quantizers[0].books[0].codebook.data.add_(1.0)
    folder = tmp_path / "other"
    save_checkpoint(made.model, list(made.about.speakers), folder, made.about.trained)
    other = Codec.from_pretrained(folder, "cpu")
    assert other.codes_identity == codec.codes_identity
    four = codec.encode(speech, bitrate=4 * ONE)
    codec.save_vqs(four, tmp_path / "4.vqs")
    codec.save_vqs(four.first(1), tmp_path / "1.vqs")
    with pytest.raises(InputError, match=r"upper levels of another model .*vqspeech reduce"):
        other.load_vqs(tmp_path / "4.vqs")
    assert np.array_equal(other.load_vqs(tmp_path / "1.vqs")[0].indices, four.indices[0])
    found, *_ = other.load_vqs(tmp_path / "4.vqs", bitrate=ONE)
    assert np.array_equal(found.indices, four.indices[0])


def test_a_model_of_one_level_refuses_more(paired_model, codec, speech, tmp_path):
    plain = Codec.from_pretrained(paired_model, "cpu")
    assert plain.bit_rates == (ONE,)
    with pytest.raises(InputError, match="bitrate 200 is none that this model has: 100 bit/s"):
        plain.encode(speech, bitrate=200)
    with pytest.raises(InputError, match="the codes have 2 levels, this model has 1"):
        plain.decode(np.zeros((2, 10), int), "anna", preview=True)
    assert isinstance(plain.as_codes(np.zeros((1, 10), int)), Codes)
