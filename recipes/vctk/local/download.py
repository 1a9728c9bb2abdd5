"""Stage -1: fetch VCTK 0.92 and unpack it:  python recipes/vctk/local/download.py DIR

Goes on where an earlier call stopped. Size and SHA-256 are checked before anything is unpacked,
each file's checksum while it is. Needs 11.7 GB for the archive and as much again for its files; the
archive may be removed afterwards.
"""

import argparse
import hashlib
import http.client
import os
import shutil
import sys
import urllib.error
import urllib.request
import zipfile
import zlib
from pathlib import Path

from layouts import TABLE, find_layout
from tqdm import tqdm

from vqspeech.errors import InputError
from vqspeech.files import below

URL = "https://datashare.ed.ac.uk/bitstream/handle/10283/3443/VCTK-Corpus-0.92.zip"
SIZE = 11_747_302_977
SHA256 = "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c"
LICENCE = """\
CSTR VCTK Corpus 0.92: Yamagishi, Veaux, MacDonald; University of Edinburgh; doi 10.7488/ds/2645.
Licence: Creative Commons Attribution 4.0 (https://creativecommons.org/licenses/by/4.0/). Name its
authors wherever you publish what you make of it."""
BLOCK = 1 << 20
SPARE = 1 << 28
"""Bytes to leave free on the disk."""
TIMEOUT = 60
"""Seconds without a byte."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the corpus goes")
    parser.add_argument("--url", default=URL, help="a mirror of the archive")
    parser.add_argument("--size", type=int, default=SIZE, help=argparse.SUPPRESS)
    parser.add_argument("--sha256", default=SHA256, help=argparse.SUPPRESS)
    args = parser.parse_args()
    print(LICENCE)
    try:
        print(download(args.folder, args.url, args.size, args.sha256))
    except (InputError, OSError) as error:
        print(f"download.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def download(folder: Path, url: str, size: int, sha256: str) -> str:
    """Fetch, verify, unpack; a line about it. Raises InputError, OSError."""
    done = folder / ".unpacked"
    if done.exists() and done.read_text().strip() == sha256:
        return f"nothing to do: {folder} holds the whole corpus"
    folder.mkdir(parents=True, exist_ok=True)
    archive = below(folder, url.rsplit("/", 1)[-1])
    if not archive.exists():
        part = archive.with_name(archive.name + ".part")
        here = part.stat().st_size if part.exists() else 0
        _require_space(folder, size - here, "the archive")
        _fetch(url, part, size)
        os.replace(part, archive)
    _verify(archive, size, sha256)
    count = _unpack(archive, folder)
    find_layout(folder)
    done.write_text(sha256 + "\n")
    return f"unpacked {count} files into {folder}; {archive} may be removed now"


def _require_space(folder: Path, needed: int, what: str) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE:
        raise InputError(
            f"{folder}: has {free / 1e9:.1f} GB free, {what} needs {needed / 1e9:.1f} GB; "
            "make room, or choose another --data"
        )


def _fetch(url: str, part: Path, size: int) -> None:
    """The rest of `part`. Raises InputError if the connection breaks; what has come stays."""
    here = part.stat().st_size if part.exists() else 0
    if here > size:
        part.unlink()
        here = 0
    if here == size:
        return
    request = urllib.request.Request(url, headers={"Range": f"bytes={here}-"} if here else {})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            if here and answer.status != 206:  # the server cannot go on: from the beginning
                here = 0
            with (
                open(part, "ab" if here else "wb") as file,
                tqdm(total=size, initial=here, unit="B", unit_scale=True, disable=None) as bar,
            ):
                while block := answer.read(BLOCK):
                    file.write(block)
                    bar.update(len(block))
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as e:
        raise InputError(f"{url}: {_short(e)}; the same command goes on later") from None
    if part.stat().st_size < size:
        raise InputError(
            f"{url}: ended after {part.stat().st_size} of {size} bytes; the same command goes on"
        )


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _verify(archive: Path, size: int, sha256: str) -> None:
    found = archive.stat().st_size
    if found != size:
        raise InputError(
            f"{archive}: is half an archive, or another one ({found} bytes, not {size}); "
            "remove it and run stage -1 again"
        )
    digest = hashlib.sha256()
    with (
        open(archive, "rb") as file,
        tqdm(total=size, unit="B", unit_scale=True, desc="checksum", disable=None) as bar,
    ):
        while block := file.read(BLOCK):
            digest.update(block)
            bar.update(len(block))
    if digest.hexdigest() != sha256:
        raise InputError(f"{archive}: is damaged (SHA-256 differs); remove it and fetch it again")


def _unpack(archive: Path, folder: Path) -> int:
    """Write every file that is not there yet; each under its final name only when it is whole."""
    root = folder.resolve()
    try:
        with zipfile.ZipFile(archive) as file:
            members = [m for m in file.infolist() if not m.is_dir()]
            wanted = []
            for member in members:
                target = (root / member.filename).resolve()
                if not target.is_relative_to(root):
                    raise InputError(f"{archive}: has a file outside of its folder; fetch it again")
                if not (target.is_file() and target.stat().st_size == member.file_size):
                    wanted.append((member, target))
            _require_space(folder, sum(m.file_size for m, _ in wanted), "unpacking")
            for member, target in tqdm(wanted, unit="file", disable=None):
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.partial")
                with file.open(member) as source, open(partial, "wb") as sink:
                    shutil.copyfileobj(source, sink, BLOCK)
                os.replace(partial, target)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise InputError(f"{archive}: cannot be unpacked ({error}); fetch it again") from None
    if not any(Path(member.filename).name == TABLE for member in members):
        raise InputError(f"{archive}: has no {TABLE}: it is no VCTK; check --url")
    return len(members)


if __name__ == "__main__":
    sys.exit(main())
