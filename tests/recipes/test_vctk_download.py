"""Stage -1 from a server of this machine: resumed, verified, unpacked once."""

import hashlib
import http.server
import io
import threading
import zipfile

import download as module
import pytest
from download import download

from vqspeech.errors import InputError

FILES = {
    "speaker-info.txt": b"ID  AGE  GENDER  ACCENTS  REGION COMMENTS\np225 23 F English\n",
    "wav48_silence_trimmed/p225/p225_001_mic1.flac": bytes(range(256)) * 400,
    "txt/p225/p225_001.txt": b"Please call Stella.\n",
}


def archive(files=FILES):
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
    return sink.getvalue()


class Server:
    """Serves `content`, from where it is asked to, but at most `most` bytes at a time."""

    def __init__(self, content):
        self.content, self.most, self.asked = content, None, []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                server.asked.append(wanted)
                first = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
                part = server.content[first:]
                self.send_response(206 if wanted else 200)
                self.send_header("Content-Length", str(len(part)))
                self.end_headers()
                self.wfile.write(part[: server.most])

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/VCTK.zip"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    @property
    def known(self):
        """Arguments of `download`: address, size, checksum."""
        return self.url, len(self.content), hashlib.sha256(self.content).hexdigest()


@pytest.fixture
def server():
    server = Server(archive())
    yield server
    server.http.shutdown()


def test_broken_connections_and_then_the_corpus(server, tmp_path):
    server.most = 30_000
    for number in range(3):
        with pytest.raises(InputError, match="goes on"):
            download(tmp_path, *server.known)
        assert (tmp_path / "VCTK.zip.part").stat().st_size == 30_000 * (number + 1)
    server.most = None
    assert download(tmp_path, *server.known).startswith("unpacked 3 files")
    assert server.asked == [None, "bytes=30000-", "bytes=60000-", "bytes=90000-"]
    for name, content in FILES.items():
        assert (tmp_path / name).read_bytes() == content
    (tmp_path / "VCTK.zip").unlink()
    assert download(tmp_path, *server.known).startswith("nothing to do")
    assert len(server.asked) == 4


def test_a_damaged_archive_is_not_unpacked(server, tmp_path):
    url, size, digest = server.known
    with pytest.raises(InputError, match="SHA-256 differs"):
        download(tmp_path, url, size, digest[::-1])
    assert not (tmp_path / "txt").exists()
    (tmp_path / "VCTK.zip").write_bytes(server.content[:1000])
    with pytest.raises(InputError, match="is half an archive"):
        download(tmp_path, url, size, digest)


def test_unpacking_goes_on(server, tmp_path):
    first = tmp_path / "speaker-info.txt"
    first.write_bytes(FILES["speaker-info.txt"])
    (tmp_path / "txt" / "p225").mkdir(parents=True)
    (tmp_path / "txt" / "p225" / "p225_001.txt").write_bytes(b"cut")
    stamp = first.stat().st_mtime_ns
    download(tmp_path, *server.known)
    assert first.stat().st_mtime_ns == stamp
    assert (tmp_path / "txt/p225/p225_001.txt").read_bytes() == FILES["txt/p225/p225_001.txt"]


def test_no_room(server, tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 10**9})
    monkeypatch.setattr(module.shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(InputError, match="has 1.0 GB free, the archive needs 11.7 GB"):
        download(tmp_path, module.URL, module.SIZE, module.SHA256)
    assert server.asked == []


def test_no_server_and_no_vctk(server, tmp_path):
    server.http.shutdown()
    server.http.server_close()
    with pytest.raises(InputError, match="the same command goes on later"):
        download(tmp_path, *server.known)
    for files, match in (
        ({"a.txt": b"x"}, "is no VCTK"),
        ({"../a": b"x"}, "outside of its folder"),
    ):
        other = Server(archive(files))
        with pytest.raises(InputError, match=match):
            download(tmp_path / match[:3], *other.known)
        other.http.shutdown()
    assert not (tmp_path / "a").exists()
