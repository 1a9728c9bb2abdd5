"""Files opened, refused and written in one way by every room."""

import os
import signal
import stat
import subprocess
import sys

import pytest

from vqspeech.errors import InputError
from vqspeech.files import (
    below,
    check_apart,
    check_target,
    clear_partial,
    drop_unfinished,
    make_folder,
    opened,
    output_file,
    replace_folder,
    whole_file,
    whole_path,
    write_json,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def refused(path, match):
    with pytest.raises(InputError, match=match) as caught, opened(path, "an audio file"):
        pass
    assert "\n" not in str(caught.value)


def test_opened_reads_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with opened(tmp_path / "a", "a codes file") as file:
        assert file.read() == b"abc"


def test_what_cannot_be_read_is_named(tmp_path):
    refused(tmp_path / "none", "none: no such file")
    refused(tmp_path, "is a folder, not an audio file")
    (tmp_path / "empty").touch()
    refused(tmp_path / "empty", "empty: is empty")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")
    refused("a\0b", "not a possible file name")
    refused(tmp_path / ("n" * 300), "cannot be read")
    refused(tmp_path / "empty" / "under", "cannot be read")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "a").chmod(0)
    refused(tmp_path / "a", "no permission")


def test_what_fails_while_it_is_read_names_the_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    with (
        pytest.raises(InputError, match="a: cannot be read.*error"),
        opened(tmp_path / "a", "an audio file"),
    ):
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("out.mp3", "cannot be written as an audio file; name the output .wav or .flac"),
        ("out", "name the output .wav or .flac"),
        ("none/out.wav", "folder .*none does not exist"),
        ("folder.wav", "is a folder"),
        ("pipe.wav", "not a regular file"),
    ],
)
def test_targets_that_are_refused(tmp_path, name, match):
    (tmp_path / "folder.wav").mkdir()
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match=match):
        check_target(tmp_path / name, (".wav", ".flac"), "an audio file")


def test_a_target_behind_a_link_keeps_the_link(tmp_path):
    (tmp_path / "link.WAV").symlink_to(tmp_path / "real.wav")
    real = tmp_path.resolve() / "real.wav"
    assert check_target(tmp_path / "link.WAV", (".wav",), "an audio file") == real


def test_a_write_protected_target_is_refused(tmp_path, modes_hold):
    kept, link = tmp_path / "kept.wav", tmp_path / "link.wav"
    kept.touch(0o444)
    link.symlink_to(kept)
    for path in (kept, link):
        with pytest.raises(InputError, match=f"{path.name}: is write-protected.*chmod u.w"):
            check_target(path, (".wav",), "an audio file")
    kept.chmod(0o644)
    check_target(link, (".wav",), "an audio file")


def test_what_is_replaced_keeps_its_permissions(tmp_path):
    path = tmp_path / "a"
    for mode in (0o600, 0o664):
        path.touch()
        path.chmod(mode)
        write_text(path, "text")
        assert stat.S_IMODE(path.stat().st_mode) == mode
        with whole_path(path) as partial:
            partial.touch()
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_file_is_there_whole_or_as_it_was(tmp_path):
    write_text(tmp_path / "a", "old")
    with (
        pytest.raises(KeyError),
        output_file(tmp_path / "a", tmp_path / "a") as file,
    ):
        file.write(b"half")
        raise KeyError
    assert (tmp_path / "a").read_text() == "old" and names(tmp_path) == ["a"]
    write_json(tmp_path / "a", {"ä": [1]})
    assert (tmp_path / "a").read_text() == '{\n "\\u00e4": [\n  1\n ]\n}\n'
    assert names(tmp_path) == ["a"]


def test_a_name_as_long_as_names_can_be(tmp_path):
    write_text(tmp_path / ("n" * 255), "text")
    assert names(tmp_path) == ["n" * 255]


def test_the_users_mask_decides_the_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "text")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640


def test_what_cannot_be_written_is_said(tmp_path):
    with pytest.raises(InputError, match="a: cannot be written.*choose another place"):
        write_text(tmp_path / "none" / "a", "text")


def test_folders_are_made_with_their_parents_or_refused(tmp_path):
    assert make_folder(tmp_path / "a" / "b").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        make_folder(tmp_path / "file" / "b")


def test_a_library_may_have_temporary_files_of_its_own(tmp_path):
    os.umask(before := os.umask(0))
    with whole_path(tmp_path / "a.x") as path:
        assert path.suffix == ".x"
        (path.parent / ".tmp").touch()
        path.touch(0o600)
    assert names(tmp_path) == ["a.x"]
    assert stat.S_IMODE((tmp_path / "a.x").stat().st_mode) == 0o666 & ~before


KILLED = """
import os, signal, sys
from pathlib import Path
from vqspeech.files import whole_file, whole_path
with whole_file(Path("file")) as file, whole_path(Path("other")) as path:
    file.write(b"half")
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def with_leftovers(tmp_path):
    """A folder that a killed process has written to."""
    done = subprocess.run([sys.executable, "-c", KILLED], cwd=tmp_path)
    assert done.returncode == -signal.SIGKILL and len(names(tmp_path)) == 2
    (tmp_path / ".mine.partial").touch()
    return tmp_path


def test_what_a_killed_process_left_is_cleared(with_leftovers):
    clear_partial(with_leftovers)
    assert names(with_leftovers) == [".mine.partial"], "and nothing that is another's"


def test_who_writes_to_a_folder_clears_it(with_leftovers):
    write_text(with_leftovers / "a", "text")
    assert names(with_leftovers) == [".mine.partial", "a"]


def test_what_a_living_process_writes_is_not_cleared(tmp_path):
    with whole_file(tmp_path / "a") as file, whole_path(tmp_path / "b") as path:
        clear_partial(tmp_path)
        path.write_bytes(b"whole")
        file.write(b"whole")
    assert names(tmp_path) == ["a", "b"]
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"whole"


def test_who_must_end_at_once_leaves_nothing(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        whole_path(tmp_path / "b") as path,
        whole_file(tmp_path / "a"),
    ):
        path.touch()
        drop_unfinished()
        assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("names", "suffix", "found"),
    [
        (("anna", "one"), ".npy", "anna/one.npy"),
        (("anna", "book/2.wav"), ".npy", "anna/book/2.wav.npy"),
        (("anna..b", "...a"), "", "anna..b/...a"),
        (("ä b", "-x"), ".wav", "ä b/-x.wav"),
        (("x" * 251,), ".npy", "x" * 251 + ".npy"),
    ],
)
def test_names_of_data_below_a_folder(tmp_path, names, suffix, found):
    assert below(tmp_path / "out", *names, suffix=suffix) == tmp_path / "out" / found


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "..",
        ".",
        "a/./b",
        "",
        " ",
        "a//b",
        "a/",
        "a\0b",
        "C:\\x",
        "c:x",
        "\\\\host\\share\\x",
        "a\\..\\..\\x",
        "x" * 252,
        "ä" * 126,
        "a/" + "x" * 256 + "/b",
        "\ud800",
    ],
)
def test_names_of_data_that_lead_out_of_it(tmp_path, name):
    for names in ((name,), ("anna", name)):
        with pytest.raises(InputError, match="cannot name an output in .*rename it") as caught:
            below(tmp_path, *names, suffix=".npy")
        assert len(str(caught.value)) < 400 + len(str(tmp_path))


def test_links_that_lead_out_of_a_folder(tmp_path):
    out, away = tmp_path / "out", tmp_path / "away"
    for folder in (out / "real", away):
        folder.mkdir(parents=True)
    (out / "alias").symlink_to("real")
    (out / "escape").symlink_to(away)
    (out / "real" / "a.npy").symlink_to(away / "a.npy")
    (tmp_path / "link").symlink_to(out)
    assert below(out, "alias", "b") == out / "alias" / "b"
    assert below(tmp_path / "link", "real", "b") == tmp_path / "link" / "real" / "b"
    for name in ("escape/b", "escape/none/b", "real/a.npy", "alias/a.npy"):
        with pytest.raises(InputError, match="a link leads it out of"):
            below(out, name)


def test_a_target_that_is_the_source(tmp_path):
    (tmp_path / "a").write_text("x")
    (tmp_path / "b").write_text("x")
    (tmp_path / "soft").symlink_to("a")
    os.link(tmp_path / "a", tmp_path / "hard")
    for name in ("a", "soft", "hard", "./a"):
        with pytest.raises(InputError, match="is the source itself"):
            check_apart(tmp_path / "a", f"{tmp_path}/{name}")
    for name in ("b", "none", "x" * 300, "a\0"):
        check_apart(tmp_path / "a", tmp_path / name)


def test_a_folder_takes_the_place_of_another(tmp_path):
    for name in ("new", ".there.old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    replace_folder(tmp_path / "new", tmp_path / "there")
    assert names(tmp_path) == ["there"] and names(tmp_path / "there") == ["new"]
    (tmp_path / "newer").mkdir()
    replace_folder(tmp_path / "newer", tmp_path / "there")
    assert names(tmp_path) == ["there"] and names(tmp_path / "there") == []
