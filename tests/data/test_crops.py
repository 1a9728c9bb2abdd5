import threading
from itertools import islice

import numpy as np
import pytest
from voices import corpus

from vqspeech.data.crops import BatchShape, Crops, Tracks, prefetch
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import F0Track, PhonemeTrack
from vqspeech.errors import InputError


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    root = tmp_path_factory.mktemp("packed")
    found = corpus(root / "in", {"abe": 3, "zoe": 8}, 0.4)
    pack(found, root / "out", 1, 0.2, 0, progress=False)
    return PackedCorpus(root / "out")


@pytest.fixture(scope="module")
def tracks(packed):
    """Made-up F0 and phonemes in which every place has its own value."""
    samples = packed.index["utterances"]["samples"]
    f0 = [100 + 200 * row + np.arange(n // 320 + 1) for row, n in enumerate(samples)]
    f0[0][5:9] = 0
    labels = [(7 * row + np.arange(-(-n // 160))) % 41 - 1 for row, n in enumerate(samples)]

    def track(kind, parts, dtype):
        return kind(np.concatenate(parts).astype(dtype), np.cumsum([len(part) for part in parts]))

    phonemes = track(PhonemeTrack, labels, np.int8)
    return Tracks(track(F0Track, f0, np.float16), phonemes, 320)


FIVE = BatchShape(1000, 5)


def equal(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_shapes_and_determinism(packed):
    crops = Crops(packed, "train", FIVE, seed=3)
    batch = crops.batch_at(7)
    assert (batch.wave.shape, batch.wave.dtype) == ((5, 1000), np.int16)
    assert (batch.speaker.shape, batch.speaker.dtype) == ((5,), np.int64)
    assert batch.f0 is None and batch.phonemes is None
    assert equal(crops.batch_at(7), Crops(packed, "train", FIVE, seed=3).batch_at(7))
    assert not equal(crops.batch_at(7), crops.batch_at(8))
    assert not equal(crops.batch_at(7), Crops(packed, "train", FIVE, seed=4).batch_at(7))


def test_ranks_split_the_same_list(packed):
    whole = Crops(packed, "train", BatchShape(500, 6), seed=0).batch_at(11)
    parts = [Crops(packed, "train", BatchShape(500, 2, i, 3), 0).batch_at(11) for i in range(3)]
    assert equal(whole[:2], [np.concatenate([p[i] for p in parts]) for i in range(2)])


def test_ranks_split_tracks_and_references_too(packed, tracks):
    whole = Crops(packed, "train", BatchShape(640, 6, reference=900), 0, tracks).batch_at(11)
    shapes = [BatchShape(640, 2, rank, 3, 900) for rank in range(3)]
    parts = [Crops(packed, "train", shape, 0, tracks).batch_at(11) for shape in shapes]
    assert equal(whole, [np.concatenate(part) for part in zip(*parts, strict=True)])


def test_a_reference_is_other_speech_of_the_same_speaker(packed):
    batch = Crops(packed, "train", BatchShape(1000, 24, reference=1500), seed=0).batch_at(2)
    assert (batch.reference.shape, batch.reference.dtype) == ((24, 1500), np.int16)
    starts = set()
    for crop, reference, speaker in zip(batch.wave, batch.reference, batch.speaker, strict=True):
        row, start = place_of(packed, reference)
        assert packed.index["utterances"]["speaker"][row] == speaker
        assert row != place_of(packed, crop)[0]
        starts.add(start)
    assert len(starts) > 12, "it begins anywhere"


def test_a_reference_changes_none_of_the_crops(packed):
    plain = Crops(packed, "train", BatchShape(640, 6), seed=0).batch_at(5)
    heard = Crops(packed, "train", BatchShape(640, 6, reference=900), seed=0).batch_at(5)
    assert equal(plain[:2], heard[:2])


def test_a_reference_is_no_pause(packed, monkeypatch):
    """Of recordings that are silence but for their ends, the ends."""

    def quiet(row):
        audio = np.ones(packed.index["utterances"]["samples"][row], np.int16)
        audio[-400:] = 5000
        return audio

    monkeypatch.setattr(packed, "audio", quiet)
    crops = Crops(packed, "train", BatchShape(640, 8, reference=900), seed=0)
    for step in range(5):
        assert (crops.batch_at(step).reference == 5000).any(1).all()
    assert any((crops.batch_at(step).wave.max(1) < 5000).any() for step in range(5))


def test_a_reference_longer_than_any_utterance_is_repeated(packed):
    batch = Crops(packed, "train", BatchShape(640, 3, reference=20_000), seed=0).batch_at(0)
    for reference in batch.reference:
        row, start = place_of(packed, reference[:6000])
        assert start == 0
        length = len(packed.audio(row))
        again = reference[length : 2 * length]
        assert len(again) and np.array_equal(again, reference[: len(again)])


def place_of(packed, crop):
    """(row, first sample) of a crop: no two places of noise are equal."""
    for row, size in enumerate(packed.index["utterances"]["samples"]):
        audio = packed.audio(row)
        for start in np.flatnonzero(audio[: size - len(crop) + 1] == crop[0]):
            if np.array_equal(audio[start : start + len(crop)], crop):
                return row, int(start)
    raise AssertionError("not a crop of the corpus")


def test_f0_and_phonemes_are_those_of_the_crops_own_samples(packed, tracks):
    crops = Crops(packed, "train", BatchShape(1280, 20), seed=0, tracks=tracks)
    batch = crops.batch_at(3)
    assert (batch.f0.shape, batch.f0.dtype) == ((20, 8), np.float32)
    assert (batch.phonemes.shape, batch.phonemes.dtype) == ((20, 4), np.int64)
    starts = set()
    for crop, f0, phonemes in zip(batch.wave, batch.f0, batch.phonemes, strict=True):
        row, start = place_of(packed, crop)
        tens, frames = start + 80 + 160 * np.arange(8), start + 160 + 320 * np.arange(4)
        np.testing.assert_array_equal(f0, tracks.f0.at(row, tens))
        # A value every 20 ms that rises by one: what lies between is their mean.
        if not (row == 0 and start < 9 * 320):
            np.testing.assert_allclose(f0, 100 + 200 * row + tens / 320, rtol=2e-3)
        np.testing.assert_array_equal(phonemes, (7 * row + frames // 160) % 41 - 1)
        starts.add(start % 320)
    assert len(starts) > 10, "crops begin anywhere"


def test_beyond_a_short_utterance_nothing_is_known(packed, tracks):
    batch = Crops(packed, "train", BatchShape(50_240, 8), seed=0, tracks=tracks).batch_at(0)
    for crop, f0, phonemes in zip(batch.wave, batch.f0, batch.phonemes, strict=True):
        size = int(np.flatnonzero(crop)[-1]) + 1
        assert (f0[: size // 160] > 0).sum() > size // 160 - 10 and not f0[size // 160 + 3 :].any()
        assert (phonemes[: size // 320] >= 0).any() and (phonemes[size // 320 + 2 :] == -1).all()


def test_crops_are_inside_one_utterance_of_the_split(packed):
    inside = {
        split: [(speaker, audio.tobytes()) for _, speaker, audio in packed.utterances(split)]
        for split in ("train", "valid")
    }
    for split, utterances in inside.items():
        audio, speakers, *_ = Crops(packed, split, BatchShape(600, 20), seed=0).batch_at(0)
        for crop, speaker in zip(audio, speakers, strict=True):
            assert any(row == speaker and crop.tobytes() in data for row, data in utterances)


def test_short_utterances_are_followed_by_zeros(packed):
    audio = Crops(packed, "train", BatchShape(50_000, 8), seed=0).batch_at(0).wave
    padded = [
        np.pad(data, (0, 50_000 - len(data))).tobytes() for _, _, data in packed.utterances("train")
    ]
    assert all(crop.tobytes() in padded for crop in audio)


def test_utterances_weigh_by_length_and_places_are_uniform(packed):
    crops = Crops(packed, "train", BatchShape(100, 2000), seed=0)
    speakers = crops.batch_at(0).speaker
    share = [0, 0]
    for _, speaker, audio in packed.utterances("train"):
        share[speaker] += len(audio) / packed.samples("train")
    assert np.bincount(speakers) / 2000 == pytest.approx(share, abs=0.04)


def test_empty_split(tmp_path):
    pack(corpus(tmp_path / "in", {"abe": 1}, 0.3), tmp_path / "out", 1, 0.5, 0, progress=False)
    with pytest.raises(InputError, match="no audio for valid"):
        Crops(PackedCorpus(tmp_path / "out"), "valid", BatchShape(10, 1), 0)


def prefetching():
    return [thread for thread in threading.enumerate() if thread.name.startswith("vqspeech")]


def test_prefetch_is_the_same_and_ends(packed):
    crops = Crops(packed, "train", BatchShape(300, 3), seed=1)
    batches = prefetch(crops, start_step=5)
    for step, batch in enumerate(islice(batches, 20), 5):
        assert equal(batch, crops.batch_at(step))
    assert prefetching()
    batches.close()
    assert not prefetching()


def test_prefetch_passes_errors_on():
    class Broken:
        def batch_at(self, step):
            if step == 3:
                raise OSError("disk gone")
            return step

    batches = prefetch(Broken(), depth=2)
    assert list(islice(batches, 3)) == [0, 1, 2]
    with pytest.raises(OSError, match="disk gone"):
        next(batches)
    assert not prefetching()
