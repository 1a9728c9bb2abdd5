import threading
from itertools import islice

import numpy as np
import pytest
from voices import corpus

from vqspeech.data.batches import Crops, PackedCorpus, prefetch
from vqspeech.data.pack import pack
from vqspeech.errors import InputError


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    root = tmp_path_factory.mktemp("packed")
    found = corpus(root / "in", {"abe": 3, "zoe": 8}, 0.4)
    pack(found, root / "out", 1, 0.2, 0, progress=False)
    return PackedCorpus(root / "out")


def equal(one, two):
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_shapes_and_determinism(packed):
    crops = Crops(packed, "train", 1000, 5, seed=3)
    audio, speakers = crops.batch_at(7)
    assert (audio.shape, audio.dtype) == ((5, 1000), np.int16)
    assert (speakers.shape, speakers.dtype) == ((5,), np.int64)
    assert equal(crops.batch_at(7), Crops(packed, "train", 1000, 5, seed=3).batch_at(7))
    assert not equal(crops.batch_at(7), crops.batch_at(8))
    assert not equal(crops.batch_at(7), Crops(packed, "train", 1000, 5, seed=4).batch_at(7))


def test_ranks_split_the_same_list(packed):
    whole = Crops(packed, "train", 500, 6, seed=0).batch_at(11)
    parts = [Crops(packed, "train", 500, 2, 0, rank, 3).batch_at(11) for rank in range(3)]
    assert equal(whole, [np.concatenate(part) for part in zip(*parts, strict=True)])


def test_crops_are_inside_one_utterance_of_the_split(packed):
    inside = {
        split: [(speaker, audio.tobytes()) for _, speaker, audio in packed.utterances(split)]
        for split in ("train", "valid")
    }
    for split, utterances in inside.items():
        audio, speakers = Crops(packed, split, 600, 20, seed=0).batch_at(0)
        for crop, speaker in zip(audio, speakers, strict=True):
            assert any(row == speaker and crop.tobytes() in data for row, data in utterances)


def test_short_utterances_are_followed_by_zeros(packed):
    audio, _ = Crops(packed, "train", 50_000, 8, seed=0).batch_at(0)
    padded = [
        np.pad(data, (0, 50_000 - len(data))).tobytes() for _, _, data in packed.utterances("train")
    ]
    assert all(crop.tobytes() in padded for crop in audio)


def test_utterances_weigh_by_length_and_places_are_uniform(packed):
    crops = Crops(packed, "train", 100, 2000, seed=0)
    _, speakers = crops.batch_at(0)
    share = [0, 0]
    for _, speaker, audio in packed.utterances("train"):
        share[speaker] += len(audio) / packed.samples("train")
    assert np.bincount(speakers) / 2000 == pytest.approx(share, abs=0.04)


def test_empty_split(tmp_path):
    pack(corpus(tmp_path / "in", {"abe": 1}, 0.3), tmp_path / "out", 1, 0.5, 0, progress=False)
    with pytest.raises(InputError, match="no audio for valid"):
        Crops(PackedCorpus(tmp_path / "out"), "valid", 10, 1, 0)


def prefetching():
    return [t for t in threading.enumerate() if t.name.startswith("vqspeech-prefetch")]


def test_prefetch_is_the_same_and_ends(packed):
    crops = Crops(packed, "train", 300, 3, seed=1)
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
