from pathlib import Path

import numpy as np
import pytest
from textgrids import LONG

from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation.phonemes import alignment
from vqspeech.evaluation.phonemes.alignment import (
    Alignment,
    AlignmentFolder,
    NotAligned,
    read_alignment,
    save_alignment,
)

UTTERANCE = Utterance("anna", "day/1", Path("/corpus/anna/day/1.wav"))


def test_the_phoneme_at_a_time():
    found = Alignment([(0.5, 1.0, "AH0"), (0.0, 0.5, "sil"), (1.2, 1.3, "B")])
    times = np.array([0.0, 0.499, 0.5, 0.99, 1.0, 1.25, 1.3, 9.0])
    assert found.at(times) == ["SIL", "SIL", "AH", "AH", None, "B", None, None]


@pytest.mark.parametrize(
    "label, name",
    [
        *[("AH0", "AH"), ("ER2", "ER"), ("B", "B"), ("s", "s"), ("\u014b", "\u014b")],
        *[("h#", "SIL"), (" ", "SIL"), ("SP", "SIL"), ("+NSN+", "SIL"), ("a1", "a1"), ("T2", "T2")],
    ],
)
def test_labels_are_made_comparable(label, name):
    assert alignment.phoneme(label) == name


@pytest.mark.parametrize(
    "intervals, words",
    [
        ([], "no intervals"),
        ([(0.0, 0.5, "A"), (0.4, 0.6, "B")], "overlap at 0.4 s"),
        ([(0.5, 0.4, "A")], "ends before"),
        ([(-0.5, 0.4, "A")], "begins before 0"),
        ([(0.0, float("inf"), "A")], "begins before 0 or"),
        ([(0.0, float("nan"), "A")], "begins before 0 or"),
    ],
)
def test_impossible_intervals_are_refused(intervals, words):
    with pytest.raises(InputError, match=words):
        Alignment(intervals)


@pytest.mark.parametrize(
    "name, content",
    [
        ("a.TextGrid", LONG),
        ("a.phn", "0 8000 h#\n8000 24000 AH0\n"),
        ("a.lab", "0 0.5 sil\n0.5 1.5 AH\n\n"),
        ("a.lab", "0 5000000 sil -123.4\n5000000 15000000 AH1 -5\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_every_format_says_the_same(tmp_path, name, content, encoding):
    (tmp_path / name).write_text(content, encoding=encoding)
    found = read_alignment(tmp_path / name)
    assert found.starts.tolist() == [0.0, 0.5] and found.ends.tolist() == [0.5, 1.5]
    assert found.labels == ("SIL", "AH")


@pytest.mark.parametrize(
    "name, content, words",
    [
        ("a.TextGrid", b"nonsense", "ends where"),
        ("a.phn", b"0 0.5 AH\n", "whole numbers of samples"),
        ("a.lab", b"0 0.5 AH\n0.5 AH\n", "line 2"),
        ("a.lab", b"", "no intervals"),
        ("a.lab", b"\xff\x00\x80", "UTF-8"),
        ("a.lab", b"0 1 A" * 100, "larger than"),
        ("b/a.lab", None, "cannot be read"),
    ],
)
def test_broken_files_are_named(tmp_path, monkeypatch, name, content, words):
    monkeypatch.setattr(alignment, "MAX_BYTES", 400)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as refused:
        read_alignment(tmp_path / name)
    assert str(refused.value).startswith(f"{tmp_path / name}: ") and words in str(refused.value)


@pytest.mark.parametrize("place", ["anna/day/1.TextGrid", "day/1.phn", "1.lab"])
def test_the_file_of_an_utterance_is_found(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(LONG if path.suffix == ".TextGrid" else "0 8000 B\n")
    (tmp_path / "2.lab").write_text("0 1.0 WRONG\n")
    assert AlignmentFolder(tmp_path)(UTTERANCE).labels[-1] in ("AH", "B")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(NotAligned, match="TextGrid"):
        AlignmentFolder(tmp_path)(UTTERANCE)
    with pytest.raises(InputError, match="nowhere"):
        AlignmentFolder(tmp_path / "nowhere")


def test_what_is_kept_is_found_again(tmp_path):
    saved = Alignment([(0.0, 0.1234, "SIL"), (0.1234, 0.5, "AH")])
    save_alignment(saved, tmp_path, UTTERANCE)
    found = AlignmentFolder(tmp_path)(UTTERANCE)
    assert found.labels == saved.labels
    assert found.ends.tolist() == saved.ends.tolist()
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file/anna/day: cannot be made"):
        save_alignment(saved, tmp_path / "file", UTTERANCE)
