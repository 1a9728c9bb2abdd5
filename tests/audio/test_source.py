import io
import os
import tempfile

import numpy as np
import pytest
import soundfile

from vqspeech.audio import reading as audio
from vqspeech.errors import InputError

X = (0.3 * np.sin(np.arange(8000) / 10)).astype("f4")


@pytest.fixture
def wav(tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, X, 16_000, "FLOAT")
    return path


def test_open_files(wav):
    data = wav.read_bytes()
    buffer = io.BytesIO(data)
    buffer.seek(100)  # it is read from its beginning
    with (
        open(wav, "rb") as file,
        open(wav, "rb", 0) as raw,
        open(wav, "r+b") as both,
        tempfile.SpooledTemporaryFile() as spooled,
    ):
        spooled.write(data)
        for source in (buffer, file, raw, both, spooled):
            for _ in range(2):
                assert np.array_equal(audio.read(source), X)
            assert audio.probe(source).frames == 8000
            assert audio.measure_level(source).active_db < 0
            assert not source.closed
    assert np.array_equal(audio.read(os.fspath(wav)), audio.read(wav))


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "MP3", "AIFF"])
def test_kinds_in_memory(kind):
    buffer = io.BytesIO()
    soundfile.write(buffer, X, 16_000, format=kind)
    assert len(audio.read(buffer)) == 8000


def test_what_is_open_but_no_recording(wav, tmp_path):
    with open(wav, encoding="latin-1") as text, open(tmp_path / "out", "wb") as written:
        closed = open(wav, "rb")  # noqa: SIM115
        closed.close()
        for source, words in [
            (text, "open as text"),
            (io.StringIO("text"), "open as text"),
            (written, "cannot be read"),
            (closed, "closed file"),
            (io.BytesIO(), "empty"),
            (io.BytesIO(b"hello " * 100), "not audio"),
            (None, "NoneType: is neither a path nor an open file"),
            (7, "int: is neither"),
            (wav.read_bytes(), "io.BytesIO"),
            (X, "ndarray: is neither"),
        ]:
            with pytest.raises(InputError, match=words) as caught:
                audio.read(source)
            message = str(caught.value)
            assert ";" in message and "\n" not in message and len(message) < 300


def test_a_pipe_can_be_read_only_once():
    reader, writer = os.pipe()
    os.close(writer)
    with open(reader, "rb") as pipe, pytest.raises(InputError, match="only once"):
        audio.read(pipe)


def test_errors_while_reading(wav):
    class Failing(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 4000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(InputError, match="Input/output error"):
        audio.read(Failing(wav.read_bytes()))
