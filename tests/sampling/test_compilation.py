"""Kernels on disk: kept, not run where damaged, stale or others' business, and done without."""

import contextlib
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from vqspeech.sampling import compilation, kernel_folders
from vqspeech.sampling.compilation import SUFFIX, kernel


def double(x):
    out = np.empty_like(x)
    for i in range(len(x)):
        out[i] = 2 * x[i]
    return out


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Where kernels are kept, and the only place for them."""
    monkeypatch.setattr(kernel_folders, "_folders", lambda: iter([tmp_path / "kernels"]))
    monkeypatch.setattr(compilation, "_announced", [])
    return next(kernel_folders.writable())


def hits() -> int:
    """How often a new `double` is found on disk; it must be right anyway."""
    made = kernel()(double)
    assert made(np.arange(3)).tolist() == [0, 2, 4]
    return sum(made.stats.cache_hits.values())


def test_a_kernel_is_compiled_once(folder, capsys):
    assert hits() == 0
    assert "compiling the sampler for this machine, once" in capsys.readouterr().err
    (kept,) = folder.glob(f"*{SUFFIX}")
    assert hits() == 1
    assert capsys.readouterr().err == ""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(folder.iterdir()) == [kept]


@pytest.mark.parametrize("damage", ["empty", "cut", "garbage", "bit", "longer", "folder"])
def test_a_damaged_file_costs_a_compilation(folder, damage):
    hits()
    (kept,) = folder.glob(f"*{SUFFIX}")
    data = kept.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    bad = {"empty": b"", "cut": data[:-100], "garbage": os.urandom(5000), "bit": bytes(flipped)}
    if damage == "folder":
        kept.unlink()
        kept.mkdir()
    else:
        kept.write_bytes(bad.get(damage, data + b"!"))
    assert hits() == 0
    assert hits() == (0 if damage == "folder" else 1)


def test_a_file_of_other_sources_or_of_another_processor_is_not_run(folder, monkeypatch):
    hits()
    with monkeypatch.context() as patch:
        patch.setattr(compilation, "source_hash", lambda: b"after an upgrade")
        assert hits() == 0
        assert hits() == 1
    assert hits() == 0
    for file in folder.iterdir():  # under the name of what another processor would look for
        file.rename(file.with_name("test_compilation.double-0123456789abcdef.kernel"))
    assert hits() == 0


def test_the_sources_of_a_kernel_are_those_of_its_constants_too(monkeypatch):
    """Of all modules of ours that one with a kernel imports: their values are compiled in."""
    hashed, read = set(), Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: hashed.add(path.stem) or read(path))
    compilation.source_hash.__wrapped__()
    for source in sorted(Path(compilation.__file__).parent.glob("*.py")):
        text = source.read_text()
        if "@kernel" in text:
            used = re.findall(r"^from vqspeech\.(?:\w+\.)*(\w+) import", text, re.MULTILINE)
            assert used and set(used) <= hashed, source


def test_without_sources_nothing_is_kept(folder, monkeypatch):
    monkeypatch.setattr(compilation, "source_hash", lambda: None)
    assert hits() == hits() == 0
    assert not list(folder.iterdir())


def test_a_folder_that_others_can_write_to_or_that_is_a_link_is_not_used(folder, tmp_path):
    hits()
    folder.chmod(0o777)
    assert folder not in kernel_folders.readable()
    assert folder not in kernel_folders.writable()
    folder.chmod(0o700)
    assert folder in kernel_folders.readable()
    elsewhere = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(elsewhere)
    assert folder not in kernel_folders.readable()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_of_somebody_else_is_not_used(folder):
    hits()
    os.chown(folder, 12345, 12345)
    assert folder not in kernel_folders.readable()
    assert folder not in kernel_folders.writable()


def test_where_nothing_can_be_written_each_start_compiles_and_says_so(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(compilation, "_announced", [])
    monkeypatch.setattr(kernel_folders, "_folders", lambda: iter([tmp_path / "file" / "x"]))
    (tmp_path / "file").write_text("no folder")
    assert hits() == hits() == 0
    said = capsys.readouterr().err
    assert "at each start" in said and "NUMBA_CACHE_DIR" in said
    assert said.count("\n") == 1


def test_a_full_disk_costs_a_compilation(folder, monkeypatch):
    def full(target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(compilation, "whole_file", full)
    assert hits() == hits() == 0


@pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="needs another user to be")
@pytest.mark.parametrize("home", [None, "/nonexistent", "/proc"])
def test_a_user_without_name_or_home_has_a_folder_of_its_own(tmp_path, home):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    temporary.chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:4]):
        folder.chmod(folder.stat().st_mode | 0o011)
    child = os.fork()
    if not child:
        with contextlib.suppress(BaseException):
            os.chdir(temporary)
            os.setgroups([])
            os.setgid(54321)
            os.setuid(54321)
            for name in ("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
                os.environ.pop(name, None)
            os.environ |= {"TMPDIR": str(temporary)} | ({} if home is None else {"HOME": home})
            tempfile.tempdir = None
            next(kernel_folders.writable())
        os._exit(0)
    os.waitpid(child, 0)
    (made,) = temporary.iterdir()  # and no folder of the name "~"
    assert made.name == "vqspeech-kernels-54321"
    assert made.stat().st_uid == 54321 and stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_home_that_is_not_there_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(kernel_folders, "IN_PACKAGE", tmp_path / "none" / "x")
    assert tmp_path / "home" not in [folder.parents[2] for folder in kernel_folders.writable()]
    assert not (tmp_path / "home").exists()
    (tmp_path / "home").mkdir()
    assert any(tmp_path / "home" in folder.parents for folder in kernel_folders.writable())


def test_kernels_from_a_zip_archive(tmp_path):
    package = Path(compilation.__file__).parents[1]
    archive = shutil.make_archive(str(tmp_path / "vq"), "zip", package.parent, package.name)
    text = (
        "import vqspeech.sampling.compilation as c; from vqspeech.sampling import maths\n"
        "import numpy as np; print(c.__file__); print(maths.largest(np.ones(3, np.float32)))\n"
        "assert c.source_hash()"
    )
    known = os.environ | {"PYTHONPATH": archive, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", text], env=known, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.split() == [f"{archive}/vqspeech/sampling/compilation.py", "1.0"], (
        done.stderr
    )
