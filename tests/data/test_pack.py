import json
import os

import numpy as np
import pytest
from voices import RATE, corpus

from vqspeech.audio import ffmpeg
from vqspeech.data import pack as pack_module
from vqspeech.data.condition import conditioned
from vqspeech.data.corpus import Utterance
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus, check_packed
from vqspeech.errors import InputError
from vqspeech.locks import LOCK_FILE, sole_process

PACKED = ["audio-00000.bin", "index.json", "skipped.tsv"]


def packed(utterances, out, **options):
    return pack(utterances, out, **{"workers": 1, "progress": False, "min_minutes": 0} | options)


def test_what_goes_in_comes_out(tmp_path, monkeypatch):
    monkeypatch.setattr(pack_module, "SHARD_SAMPLES", 3 * RATE)
    utterances = corpus(tmp_path / "in", {"zoe": 5, "abe": 2})
    report = packed(utterances, tmp_path / "out")
    loaded = PackedCorpus(tmp_path / "out")
    assert loaded.speakers == ["abe", "zoe"]
    found = {
        name: (speaker, audio)
        for split in ("train", "valid")
        for name, speaker, audio in loaded.utterances(split)
    }
    assert len(found) == report.utterances == 7
    for u in utterances:
        speaker, audio = found[f"{u.speaker}/{u.name}"]
        assert loaded.speakers[speaker] == u.speaker
        assert np.array_equal(audio, conditioned(u.path))
    assert len(loaded.index["shards"]) == 3
    assert report.hours == pytest.approx(loaded.hours("train") + loaded.hours("valid"))
    assert 60 * report.hours == pytest.approx(sum(report.speakers.values()), rel=1e-3)
    assert "2 identities" in str(report) and "0 files skipped" in str(report)


def test_same_bytes_with_any_number_of_workers(tmp_path):
    utterances = corpus(tmp_path / "in", {"abe": 6, "zoe": 6}, seconds=0.3)
    (tmp_path / "in/abe/3.wav").write_text("not audio")
    one, two = tmp_path / "one", tmp_path / "two"
    packed(utterances, one)
    packed(utterances, two, workers=2)
    assert sorted(os.listdir(one)) == PACKED
    for name in os.listdir(one):
        assert (one / name).read_bytes() == (two / name).read_bytes()


def test_unreadable_files_are_listed_and_counted(tmp_path, capsys):
    utterances = corpus(tmp_path / "in", {"abe": 3})
    (tmp_path / "in/abe/1.wav").write_text("not audio")
    missing = Utterance("abe", "gone", tmp_path / "in/abe/gone.wav")
    nul = Utterance("abe", "nul", tmp_path / "in/abe/a\0b.wav")
    report = packed([*utterances, missing, nul], tmp_path / "out")
    assert (report.utterances, report.skipped) == (2, 3)
    lines = (tmp_path / "out/skipped.tsv").read_text().splitlines()
    assert lines[0] == "path\treason"
    assert lines[1].startswith(f"{utterances[1].path}\t") and "not audio" in lines[1]
    assert "no such file" in lines[2] and len(lines) == 4
    assert "3 files skipped" in capsys.readouterr().err


def test_nothing_usable(tmp_path):
    utterances = corpus(tmp_path / "in", {"abe": 2})
    for u in utterances:
        u.path.write_text("not audio")
    with pytest.raises(InputError, match="none of 2 files could be used.*not audio"):
        packed(utterances, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []
    with pytest.raises(InputError, match="nothing to pack"):
        packed([], tmp_path / "out")
    again = Utterance("zoe", "again", utterances[0].path)  # might be held out, and trained on
    with pytest.raises(InputError, match="stands there twice, as abe/.* and as zoe/again"):
        packed([*utterances, again], tmp_path / "out")


def test_speakers_with_little_audio_share_an_identity(tmp_path):
    utterances = corpus(tmp_path / "in", {"abe": 1, "mia": 8, "other": 9, "zoe": 1})
    report = packed(utterances, tmp_path / "out", min_minutes=0.1)
    loaded = PackedCorpus(tmp_path / "out")
    assert loaded.speakers == ["mia", "other"]
    assert report.shared == 3
    for split in ("train", "valid"):
        for name, row, _ in loaded.utterances(split):
            assert loaded.speakers[row] == ("mia" if name.startswith("mia/") else "other")


def test_gender_of_the_speaker(tmp_path):
    found = corpus(tmp_path / "in", {"abe": 2, "zoe": 2})
    genders = ["m", "m", "f", "x"]
    found = [Utterance(u.speaker, u.name, u.path, g) for u, g in zip(found, genders, strict=True)]
    packed(found, tmp_path / "out")
    assert [s.gender for s in PackedCorpus(tmp_path / "out").speaker_table] == ["m", ""]


def test_packing_again_does_nothing_unless_something_changed(tmp_path, capsys):
    utterances = corpus(tmp_path / "in", {"abe": 3})
    out = tmp_path / "out"
    first = packed(utterances, out)
    before = (out / "index.json").stat().st_mtime_ns
    again = packed(utterances, out)
    assert again.reused and again.hours == first.hours
    assert "nothing to do" in capsys.readouterr().err
    assert (out / "index.json").stat().st_mtime_ns == before
    assert not packed(utterances, out, valid_fraction=0.5).reused
    assert not packed(utterances[:2], out, valid_fraction=0.5).reused
    with open(out / "audio-00000.bin", "ab") as file:
        file.write(b"x")
    assert not packed(utterances[:2], out, valid_fraction=0.5).reused
    assert packed(utterances[:2], out, valid_fraction=0.5).reused


def test_a_split_that_is_empty(tmp_path):
    packed(corpus(tmp_path / "in", {"abe": 3}), tmp_path / "out", valid_fraction=0.0)
    found = PackedCorpus(tmp_path / "out")
    assert len(found.require("train")) == 3
    with pytest.raises(InputError, match="no audio for valid; prepare it with a larger --valid"):
        found.require("valid")
    with pytest.raises(InputError, match="no audio for valid"):
        check_packed(tmp_path / "out")


def test_packing_again_reads_what_wanted_ffmpeg(tmp_path, capsys, monkeypatch):
    utterances = corpus(tmp_path / "in", {"abe": 3})
    (tmp_path / "in/abe/1.wav").write_bytes(b"junk" * 100)
    out = tmp_path / "out"
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    assert packed(utterances, out).skipped == 1
    assert "install ffmpeg" in (out / "skipped.tsv").read_text()
    capsys.readouterr()
    assert packed(utterances, out).reused
    said = capsys.readouterr().err
    assert "nothing to do" in said and f"1 file is left out: {out / 'skipped.tsv'}" in said
    monkeypatch.setattr(ffmpeg, "available", lambda: True)
    monkeypatch.setattr(pack_module, "conditioned", lambda path: np.ones(RATE, "int16"))
    found = packed(utterances, out)
    assert not found.reused and found.skipped == 0
    assert packed(utterances, out).reused


def test_packing_again_reads_what_was_not_permitted(tmp_path, monkeypatch):
    utterances = corpus(tmp_path / "in", {"abe": 3})
    out, locked, access = tmp_path / "out", utterances[1].path, os.access

    def forbidden(path):
        if path == locked:
            raise InputError(f"{path}: no permission to read it; change its permissions")
        return conditioned(path)

    with monkeypatch.context() as patch:  # as a mode of 0 has it for all but root
        patch.setattr(os, "access", lambda path, mode: path != locked and access(path, mode))
        patch.setattr(pack_module, "conditioned", forbidden)
        assert packed(utterances, out).skipped == 1
        assert packed(utterances, out).reused
    found = packed(utterances, out)
    assert not found.reused and found.skipped == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_broken_run_leaves_the_old_pack(tmp_path, monkeypatch, error):
    out = tmp_path / "out"
    packed(corpus(tmp_path / "one", {"abe": 2}), out)
    before = {name: (out / name).read_bytes() for name in os.listdir(out)}

    def fail(path):
        raise error

    monkeypatch.setattr(pack_module, "conditioned", fail)
    with pytest.raises((KeyboardInterrupt, InputError)):
        packed(corpus(tmp_path / "two", {"zoe": 2}), out)
    assert {name: (out / name).read_bytes() for name in os.listdir(out)} == before


def test_leftovers_of_a_killed_run_are_removed(tmp_path):
    out = tmp_path / "out"
    (out / ".packing").mkdir(parents=True)
    (out / ".packing/audio-00007.bin").write_bytes(b"xx")
    packed(corpus(tmp_path / "in", {"abe": 2}), out)
    assert sorted(os.listdir(out)) == PACKED


def test_shards_of_others_stay(tmp_path, monkeypatch):
    utterances, out = corpus(tmp_path / "in", {"abe": 4}), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(pack_module, "SHARD_SAMPLES", RATE // 2)
        packed(utterances, out)
    assert len(list(out.glob("audio-*.bin"))) > 2
    (mine := out / "audio-00009.bin").write_bytes(b"xx")
    assert pack_module.uncounted_shards(out) == [mine]
    packed(utterances[:3], out)
    assert sorted(os.listdir(out)) == sorted([*PACKED, mine.name]), "its own of before are gone"


def test_a_run_that_was_interrupted_while_it_published(tmp_path, monkeypatch):
    utterances, out = corpus(tmp_path / "in", {"abe": 2}), tmp_path / "out"
    replace = os.replace

    def interrupted(source, target):
        if target == out / "index.json":
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        packed(utterances, out)
    assert os.listdir(out) == ["skipped.tsv"]


def test_a_run_that_was_killed_while_it_published(tmp_path, monkeypatch):
    utterances, out = corpus(tmp_path / "in", {"abe": 4}), tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(pack_module, "SHARD_SAMPLES", RATE // 2)
        packed(utterances, out)
    (out / ".packing").mkdir()
    (out / "index.json").rename(out / ".packing/index.json")  # it is moved last
    assert pack_module.uncounted_shards(out) == []
    packed(utterances, out)
    assert sorted(os.listdir(out)) == PACKED


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        packed(corpus(tmp_path / "in", {"abe": 1}), tmp_path / "file")


def test_only_one_process_packs_into_a_folder(tmp_path):
    utterances, out = corpus(tmp_path / "in", {"abe": 1}), tmp_path / "out"
    out.mkdir()
    with sole_process(out), pytest.raises(InputError, match=f"out: process {os.getpid()} .*wait"):
        packed(utterances, out)
    packed(utterances, out)
    assert not list(out.glob(".*"))


def test_what_was_left_once_all_was_packed_goes(tmp_path, capsys):
    utterances, out = corpus(tmp_path / "in", {"abe": 1}), tmp_path / "out"
    packed(utterances, out)
    (out / ".packing").mkdir()
    (out / LOCK_FILE).touch()
    packed(utterances, out)
    assert "nothing to do" in capsys.readouterr().err and not list(out.glob(".*"))


def test_the_index_is_plain_json(tmp_path):
    packed(corpus(tmp_path / "in", {"abe": 2}), tmp_path / "out")
    index = json.loads((tmp_path / "out/index.json").read_text())
    assert index["sample_rate"] == 16_000 and index["level_db"] == -26.0
    assert {len(column) for column in index["utterances"].values()} == {2}
