"""VCTK as it lies on disk: both layouts, their irregularities, and what is refused."""

import pytest
from layouts import find_layout, read_table, read_vctk

from vqspeech.errors import InputError

HEADER = "ID  AGE  GENDER  ACCENTS  REGION COMMENTS\n"


def make(root, files, table, texts=(), release="0.92"):
    """A corpus of empty files: `files` below its folder of recordings."""
    audio = root / {"0.92": "wav48_silence_trimmed", "0.80": "wav48"}[release]
    audio.mkdir(parents=True)
    for name in files:
        path = audio / name.split("_")[0] / name if "/" not in name else audio / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    for name in texts:
        path = root / "txt" / name.split("_")[0] / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f" Text of\t{name}. \n")
    if table is not None:
        (root / "speaker-info.txt").write_text(HEADER + table)
    return root


def names(found):
    return [recording.name for recording in found.recordings]


def test_release_092(tmp_path):
    files = [f"{name}_{mic}.flac" for name in ("p226_002", "p225_001", "s5_010") for mic in MICS]
    files += ["p280_001_mic1.flac", "p362_001_mic1.flac", "p362_002_mic2.flac"]
    table = (
        "p225  23  F    English    Southern  England\np226  22  M    English    Surrey\n"
        "p280  25  F    Unknown    France (mic2 files unavailable)\n"
        "p362  29  F    American\ns5  26  F  British\n"
    )
    texts = ["p225_001", "p226_002", "p280_001", "p362_001", "p362_002", "p362_003"]
    root = make(tmp_path, files, table, texts)
    found = read_vctk(root)
    assert found.layout.release == "0.92"
    assert names(found) == ["p225_001", "p226_002", "p280_001", "p362_001", "s5_010"]
    assert all(recording.path.name.endswith("_mic1.flac") for recording in found.recordings)
    assert found.recordings[0].text == "Text of p225_001."
    assert found.recordings[-1].text is None
    p280 = found.speakers["p280"]
    assert (p280.region, p280.comment) == ("France", "mic2 files unavailable")
    assert found.speakers["p225"].region == "Southern England"
    assert found.speakers["p362"].region == ""
    assert found.dropped == [
        ("p362_002", "has no mic1 recording"),
        ("p362_003", "has a text but no recording"),
    ]
    assert any("s5 has no transcripts" in note for note in found.notes)

    other = read_vctk(root, "mic2")
    assert names(other) == ["p225_001", "p226_002", "p362_002", "s5_010"]
    assert "p280" not in other.speakers
    assert other.dropped[0][0] == "p280" and "has no mic2 recordings" in other.dropped[0][1]


MICS = ("mic1", "mic2")


def test_release_080(tmp_path):
    root = make(
        tmp_path / "VCTK-Corpus",
        ["p225_001.wav", "p280_001.wav", "p376_295.raw", "p376_001.wav", ".DS_Store"],
        "225  23  F    English    Southern  England\n376 22 M Indian\n",
        ["p225_001", "p280_001", "p376_001"],
        "0.80",
    )
    for given in (tmp_path, root):
        found = read_vctk(given)
        assert found.layout.root == root and found.layout.release == "0.80"
        assert names(found) == ["p225_001", "p280_001", "p376_001"]
    assert found.speakers["p225"].gender == "f"
    assert found.speakers["p280"].gender == ""
    assert [reason for _, reason in found.dropped] == [
        "is not named like a recording of this release"
    ]
    assert any("has no row for p280" in note for note in found.notes)


def test_files_in_the_wrong_folder_are_left_out(tmp_path):
    root = make(tmp_path, ["p225_001_mic1.flac", "p225/p226_001_mic1.flac"], "p225 23 F English\n")
    found = read_vctk(root)
    assert names(found) == ["p225_001"]
    assert "is in the folder of p225" in found.dropped[0][1]


def refused(match, root, *arguments):
    with pytest.raises(InputError, match=match) as caught:
        read_vctk(root, *arguments)
    assert "\n" not in str(caught.value)


def test_a_path_that_is_no_vctk(tmp_path):
    refused("no such folder", tmp_path / "none")
    refused("expected wav48_silence_trimmed/ .*0.92.*found nothing", tmp_path)
    for name in ("wavs", "metadata.csv", "VCTK-Corpus-0.92.zip"):
        (tmp_path / name).mkdir()
    refused("found VCTK-Corpus-0.92.zip, metadata.csv, wavs .unpack the archive first", tmp_path)


def test_half_an_archive(tmp_path):
    root = make(tmp_path, ["p225_001_mic1.flac"], "p225 23 F English\np226 22 M English Surrey\n")
    refused(r"names 2 speakers, 1 of them have no folder .*p226.*--partial", root)
    found = read_vctk(root, "mic1", True)
    assert names(found) == ["p225_001"] and any("p226" in note for note in found.notes)


def test_no_table_or_a_bad_one(tmp_path):
    root = make(tmp_path, ["p225_001_mic1.flac"], None)
    refused("speaker-info.txt: cannot be read", root)
    path = root / "speaker-info.txt"
    for text, match in (
        ("", "names no speaker"),
        ("p225 F 23\n", "line 2 is not ID AGE GENDER"),
        ("<html>\n", "line 2 is not"),
        ("p225 23 F English\np225 23 M English\n", "line 3 contradicts an earlier line of p225"),
    ):
        path.write_text(HEADER + text)
        with pytest.raises(InputError, match=match):
            read_table(path)


def test_duplicate_utterances(tmp_path):
    root = make(tmp_path, ["p225_001_mic1.flac", "p225_1_mic1.flac"], "p225 23 F English\n")
    refused("is the same utterance as .*p225_001_mic1.flac; remove one", root)


def test_nothing_by_this_microphone(tmp_path):
    root = make(tmp_path, ["p225_001_mic1.flac"], "p225 23 F English\n")
    refused("has no mic2 recordings", root, "mic2")


def test_layout_of_the_newest_release_comes_first(tmp_path):
    make(tmp_path / "VCTK-Corpus", ["p225_001.wav"], None, release="0.80")
    make(tmp_path / "VCTK-Corpus-0.92", ["p225_001_mic1.flac"], None)
    assert find_layout(tmp_path).release == "0.92"
