"""What is read of a folder, and that the rest is counted."""

import os

import pytest

from vqspeech.data.listing import listed, require_files
from vqspeech.errors import InputError

KINDS = (".wav", ".flac")


def tree(root, *files):
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root, paths):
    return [path.relative_to(root).as_posix() for path in paths]


def test_all_files_of_the_kinds_at_any_depth(tmp_path):
    tree(
        tmp_path, "b.wav", "a.FLAC", "d/e/c.Wav", "d.wav/x.wav", "no.txt", "d/no", ".h.wav", ".g/x"
    )
    os.mkfifo(tmp_path / "pipe.wav")
    found = listed(tmp_path, KINDS)
    assert names(tmp_path, found.files) == ["a.FLAC", "b.wav", "d/e/c.Wav", "d.wav/x.wav"]
    assert names(tmp_path, found.others) == ["d/no", "no.txt", "pipe.wav"]
    assert names(tmp_path, found.hidden) == [".g", ".h.wav"]
    assert found.left_out() == "3 of other kinds (no, no.txt, pipe.wav), 2 hidden (.g, .h.wav)"


def test_many_are_counted_and_some_are_named(tmp_path):
    tree(tmp_path, *(f"{i:03d}.txt" for i in range(200)), "a.wav")
    found = listed(tmp_path, KINDS)
    assert found.left_out() == "200 of other kinds (000.txt, 001.txt, 002.txt, ...)"
    assert listed(tmp_path, (".txt",)).left_out() == "1 of other kinds (a.wav)"
    (tmp_path / "a.wav").unlink()
    assert listed(tmp_path, (".txt",)).left_out() == ""


def test_linked_folders_are_followed_once_and_loops_end(tmp_path):
    tree(tmp_path, "in/a.wav", "in/z/b.wav", "away/c.wav", "away/deep/d.wav")
    (tmp_path / "in/linked").symlink_to(tmp_path / "away")
    (tmp_path / "in/0-same").symlink_to("z")
    (tmp_path / "in/z/loop").symlink_to("..")
    (tmp_path / "in/z/far-up").symlink_to("../..")
    (tmp_path / "in/root").symlink_to("/")
    (tmp_path / "away/back").symlink_to(tmp_path / "in")
    (tmp_path / "in/a-link.wav").symlink_to(tmp_path / "away/c.wav")
    (tmp_path / "in/gone.wav").symlink_to("nowhere")
    found = listed(tmp_path / "in", KINDS)
    assert names(tmp_path / "in", found.files) == [
        "a-link.wav",
        "a.wav",
        "gone.wav",
        "linked/c.wav",
        "linked/deep/d.wav",
        "z/b.wav",
    ]


def test_many_links_between_folders_do_not_multiply(tmp_path):
    for i in range(12):
        tree(tmp_path, f"{i}/x.wav")
        for j in range(12):
            (tmp_path / f"{i}/to-{j}").symlink_to(tmp_path / f"{j}")
    assert len(listed(tmp_path, KINDS).files) == 12


@pytest.mark.parametrize("out", ["in/out", "in/link", "in/./d/../out"])
def test_outputs_of_an_earlier_run_are_left_out(tmp_path, out):
    tree(tmp_path, "in/a.wav", "in/out/a.wav", "in/out/d/b.wav", "in/out/note.txt", "in/d/c.wav")
    (tmp_path / "in/link").symlink_to("out")
    found = listed(tmp_path / "in", KINDS, tmp_path / out)
    assert names(tmp_path / "in", found.files) == ["a.wav", "d/c.wav"]
    assert found.left_out() == "2 in the folder of the output (a.wav, b.wav)"


def test_an_output_that_is_the_folder_or_above_it_leaves_nothing_out(tmp_path):
    tree(tmp_path, "in/a.wav")
    for out in (tmp_path / "in", tmp_path, tmp_path / "none"):
        assert len(listed(tmp_path / "in", KINDS, out).files) == 1


def test_nothing_to_read_says_what_there_is(tmp_path):
    tree(tmp_path, "a.txt", ".b.wav")
    with pytest.raises(InputError, match=r"no files to read \(.wav, .flac\); left out 1 of other"):
        require_files(listed(tmp_path, KINDS), tmp_path, KINDS)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is forbidden to root")
def test_a_folder_that_cannot_be_read(tmp_path):
    tree(tmp_path, "a.wav", "d/b.wav")
    (tmp_path / "d").chmod(0)
    with pytest.raises(InputError, match="d: cannot be read.*permissions"):
        listed(tmp_path, KINDS)
    (tmp_path / "d").chmod(0o700)


def test_files_that_may_not_be_looked_at_are_wanted(tmp_path, monkeypatch):
    """In a folder of mode 444: opening them says why they cannot be read."""
    tree(tmp_path, "d/a.wav", "d/no.txt")
    stat = os.stat

    def forbidden(path, *arguments, **options):
        if isinstance(path, int) or os.path.dirname(os.fspath(path)) != str(tmp_path / "d"):
            return stat(path, *arguments, **options)
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "stat", forbidden)
    assert names(tmp_path, listed(tmp_path, KINDS).files) == ["d/a.wav"]
