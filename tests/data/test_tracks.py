"""F0 and phonemes beside a packed corpus: tracked once, kept, and never believed blindly."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch
from tones import RATE, vowel

from vqspeech.audio.pitch import PitchTrack
from vqspeech.data import tracks
from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import (
    F0_FILE,
    PHONEME_FILE,
    F0Track,
    PhonemeTrack,
    load_f0,
    load_phonemes,
    save_phonemes,
    track_f0,
)
from vqspeech.errors import InputError

PITCH = {"anna": 220.0, "bert": 110.0}


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Two voices of known pitch, two utterances each."""
    root = tmp_path_factory.mktemp("voices")
    for speaker, pitch in PITCH.items():
        (root / "in" / speaker).mkdir(parents=True)
        for i in range(2):
            soundfile.write(
                root / "in" / speaker / f"{i}.wav", vowel(0.6 + 0.2 * i, pitch, seed=i), RATE
            )
    pack(find_utterances(root / "in"), root / "packed", 1, 0.3, 0, progress=False)
    return root / "packed"


@pytest.fixture(scope="module")
def tracked(packed):
    """(the corpus, its F0, what was said of the progress)."""
    corpus, told = PackedCorpus(packed), []
    f0 = track_f0(corpus, lambda done, total: told.append((done, total)), workers=1)
    return corpus, f0, told


@pytest.fixture
def copy(tracked, tmp_path):
    """A corpus of its own, with its F0."""
    return PackedCorpus(shutil.copytree(tracked[0].folder, tmp_path / "packed"))


@pytest.fixture
def quick(monkeypatch):
    """Tracking in this process, to 100 Hz everywhere; counts how often it starts."""

    def flat(x, quick):
        return PitchTrack(np.full(len(x) // 320 + 1, 100.0), np.ones(len(x) // 320 + 1, bool))

    class Here:
        started = 0

        def __call__(self, call, items, workers):
            self.started += 1
            return map(call, items)

    here = Here()
    monkeypatch.setattr(tracks, "map_processes", here)
    monkeypatch.setattr(tracks, "track", flat)
    return here


def nothing(done, total):
    pass


# Tracking


def test_the_pitch_of_every_voice_is_found(tracked):
    corpus, f0, told = tracked
    columns = corpus.index["utterances"]
    assert told == [(4, 4)]
    for row, samples in enumerate(columns["samples"]):
        found, pitch = f0.of(row), PITCH[corpus.speakers[columns["speaker"][row]]]
        assert len(found) == samples // 320 + 1
        voiced = found[found > 0].astype(float)
        assert len(voiced) > 0.6 * len(found)
        assert np.median(voiced) == pytest.approx(pitch, rel=0.03)
        assert np.abs(voiced / pitch - 1).max() < 0.06  # it glides by 2 %
        middle = f0.at(row, np.array([samples // 2]))
        assert float(middle[0]) == pytest.approx(pitch, rel=0.05)


def test_it_is_kept_and_used_again(tracked, copy, quick):
    again = track_f0(copy, nothing)
    assert quick.started == 0
    for row in range(4):
        np.testing.assert_array_equal(again.of(row), tracked[1].of(row))
    assert sorted(path.name for path in copy.folder.glob("*f0*")) == [F0_FILE]


def test_it_is_made_anew_where_the_corpus_was_packed_anew(copy, quick):
    index = json.loads((copy.folder / "index.json").read_text())
    (copy.folder / "index.json").write_text(json.dumps(index | {"source": "another"}))
    anew = PackedCorpus(copy.folder)
    assert load_f0(anew) is None, "as long as before, but of other samples"
    told = []
    found = track_f0(anew, lambda done, total: told.append(done))
    assert quick.started == 1 and told == [4]
    assert set(found.of(0).tolist()) == {100.0}
    track_f0(anew, nothing)
    assert quick.started == 1
    with pytest.raises(InputError, match="was prepared anew while it was read"):
        track_f0(copy, nothing)  # as it was opened before
    assert load_f0(anew) is not None


def test_a_damaged_file_is_made_anew(copy, quick):
    (copy.folder / F0_FILE).write_bytes(b"junk")
    assert set(track_f0(copy, nothing).of(3).tolist()) == {100.0} and quick.started == 1
    assert load_f0(copy) is not None


def test_progress_is_told_part_by_part(copy, quick, monkeypatch):
    monkeypatch.setattr(tracks, "ROWS_AT_ONCE", 3)
    (copy.folder / F0_FILE).unlink()
    told = []
    track_f0(copy, lambda done, total: told.append((done, total)))
    assert told == [(3, 4), (4, 4)]


@pytest.mark.parametrize("samples", [1, 319, 320, 15_999, 16_000, 16_001, 32_000, 40_123])
def test_long_utterances_are_tracked_in_pieces(monkeypatch, samples):
    """That are as one: the tracker is replaced by one that hands samples on."""
    audio = np.random.default_rng(0).integers(-30_000, 30_000, samples).astype(np.int16)
    sizes = []

    def sampled(x, quick):
        sizes.append(len(x))
        found = np.append(x, 0)[::320]
        return PitchTrack(np.where(found == 0, np.nan, found), found != 0)

    monkeypatch.setattr(tracks, "PIECE_SECONDS", 1)
    monkeypatch.setattr(tracks, "track", sampled)
    corpus = type("Corpus", (), {"audio": lambda self, row: audio, "hash": "it"})
    monkeypatch.setattr(tracks, "_opened", lambda folder: corpus())
    (found,) = tracks._tracks_of("folder", "it", range(1))
    wanted = np.append(audio / 32768, 0)[::320]
    assert found.dtype == np.float16 and max(sizes) <= 16_000
    np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)


def test_a_folder_that_cannot_be_written(copy, quick, monkeypatch):
    (copy.folder / F0_FILE).unlink()
    before = sorted(copy.folder.iterdir())

    def elsewhere(tensors, path, about):
        save_file(tensors, path.parent / "no such folder" / path.name, about)

    monkeypatch.setattr(tracks, "save_file", elsewhere)
    with pytest.raises(OSError, match="No such file or directory") as caught:
        track_f0(copy, nothing)
    assert caught.value.filename == str(copy.folder / F0_FILE)
    assert sorted(copy.folder.iterdir()) == before


# Files that are not believed


def kept(corpus, name):
    """(values, ends, metadata) of a sound file."""
    samples = corpus.index["utterances"]["samples"]
    if name == F0_FILE:
        lengths, dtype, value = samples // 320 + 1, np.float16, 100
    else:
        lengths, dtype, value = -(-samples // 160), np.int8, 7
    return (
        np.full(lengths.sum(), value, dtype),
        np.cumsum(lengths),
        {"corpus": corpus.hash},
    )


KINDS = {F0_FILE: load_f0, PHONEME_FILE: load_phonemes}


def rewrite(corpus, name, values, ends, about):
    save_file({"values": np.ascontiguousarray(values), "ends": ends}, corpus.folder / name, about)
    return KINDS[name](corpus)


def with_value(values, value):
    values = values.copy()
    values[3] = value
    return values


@pytest.mark.parametrize("name", KINDS)
def test_a_sound_file_is_believed(copy, name):
    values, ends, about = kept(copy, name)
    found = rewrite(copy, name, values, ends, about)
    np.testing.assert_array_equal(found.of(1), values[ends[0] : ends[1]])
    np.testing.assert_array_equal(found.of(0), values[: ends[0]])


@pytest.mark.parametrize("name", KINDS)
def test_lengths_types_and_corpora_that_do_not_fit(copy, name):
    values, ends, about = kept(copy, name)
    shifted = ends.copy()
    shifted[0] -= 1
    for change, wrong in {
        "another corpus": (values, ends, {"corpus": "0" * 16}),
        "no corpus": (values, ends, None),
        "wider numbers": (values.astype(np.float32), ends, about),
        "text-like numbers": (values.astype(np.uint8), ends, about),
        "too short": (values[:-1], ends, about),
        "too long": (np.append(values, values[:1]), ends, about),
        "both too short": (values[:-1], np.append(ends[:-1], ends[-1] - 1), about),
        "a moved end": (values, shifted, about),
        "an end too few": (values, ends[:-1], about),
        "no ends": (values, ends[:0], about),
        "ends in two columns": (values, ends[:, None], about),
        "huge ends": (values, np.full_like(ends, 2**62), about),
        "ends that are no whole numbers": (values, ends.astype(np.float64), about),
        "two columns": (values[:, None], ends, about),
        "two of each": (np.stack([values, values], 1), ends, about),
        "a single number": (values[0].reshape(()), ends, about),
    }.items():
        assert rewrite(copy, name, *wrong) is None, change


@pytest.mark.parametrize(
    ("name", "value"),
    [(F0_FILE, value) for value in (np.nan, np.inf, -np.inf, -1.0, 2100.0)]
    + [(PHONEME_FILE, value) for value in (-2, 40, 127, -128)],
)
def test_values_out_of_range(copy, name, value):
    values, ends, about = kept(copy, name)
    assert rewrite(copy, name, with_value(values, value), ends, about) is None


@pytest.mark.parametrize("name", KINDS)
def test_files_that_are_damaged_or_of_another_make(copy, name):
    values, ends, about = kept(copy, name)
    rewrite(copy, name, values, ends, about)
    path = copy.folder / name
    whole = path.read_bytes()
    claims = json.dumps({"values": {"dtype": "F16", "shape": [2**40], "data_offsets": [0, 2**41]}})
    for data in (
        b"",
        b"junk",
        whole[:7],
        whole[: len(whole) // 2],
        whole[:-1],
        whole + b"x",
        (2**62).to_bytes(8, "little") + whole[8:],
        len(claims).to_bytes(8, "little") + claims.encode() + whole,
    ):
        path.write_bytes(data)
        assert KINDS[name](copy) is None, data[:20]
    save_file({"values": values}, path, about)
    assert KINDS[name](copy) is None
    for dtype in (torch.bfloat16, torch.float8_e4m3fn):
        strange = torch.zeros(len(values), dtype=dtype)
        save_torch({"values": strange, "ends": torch.from_numpy(ends)}, path, about)
        assert KINDS[name](copy) is None, dtype
    path.unlink()
    assert KINDS[name](copy) is None
    path.mkdir()
    assert KINDS[name](copy) is None


def test_phonemes_are_kept(copy):
    assert load_phonemes(copy) is None
    lengths = -(-copy.index["utterances"]["samples"] // 160)
    labels = [np.full(n, row - 1, np.int8) for row, n in enumerate(lengths)]
    assert save_phonemes(copy, labels) == copy.folder / PHONEME_FILE
    found = load_phonemes(copy)
    for row in range(4):
        np.testing.assert_array_equal(found.of(row), labels[row])


# Values at samples


def test_f0_at_samples():
    f0 = F0Track(np.array([100, 200, 0, 50, 0], np.float16), np.array([2, 5]))
    found = f0.at(0, np.array([0, 160, 320, 480, 639, 640, 10_000]))
    # Half an octave up between the two; beyond the last value, that one until the track ends.
    np.testing.assert_allclose(found, [100, 100 * 2**0.5, 200, 200, 200, 0, 0], rtol=1e-6)
    assert found.dtype == np.float32
    # Where only one neighbour has a voice, the nearer one says whether there is any.
    found = f0.at(1, np.array([0, 159, 161, 320, 479, 481, 640, 959, 960]))
    np.testing.assert_array_equal(found, [0, 0, 50, 50, 50, 0, 0, 0, 0])


def test_phonemes_at_samples():
    phonemes = PhonemeTrack(np.array([3, -1, 7], np.int8), np.array([2, 3]))
    found = phonemes.at(0, np.array([0, 159, 160, 319, 320, 9999]))
    assert found.tolist() == [3, 3, -1, -1, -1, -1] and found.dtype == np.int64
    assert phonemes.at(1, np.array([0, 159, 160])).tolist() == [7, 7, -1]
