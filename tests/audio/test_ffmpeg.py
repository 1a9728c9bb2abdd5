import io
import os
import shutil
import stat
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech.audio import ffmpeg
from vqspeech.audio import reading as audio
from vqspeech.errors import InputError

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")

X = (0.3 * np.sin(2 * np.pi * 440 * np.arange(32_000) / 16_000)).astype("f4")


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """make(name, *options): two seconds of 440 Hz as ffmpeg writes them."""
    folder = tmp_path_factory.mktemp("ffmpeg")
    soundfile.write(folder / "in.wav", X, 16_000)

    def run(name, *options):
        path = folder / name
        command = ["ffmpeg", "-v", "error", "-y", "-i", folder / "in.wav", *options, path]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        return path

    return run


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """fake(script): what stands for ffmpeg on the PATH."""

    def put(script):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "ffmpeg"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return put


@pytest.fixture
def strange(tmp_path):
    """A file that libsndfile cannot read."""
    path = tmp_path / "in.m4a"
    path.write_bytes(b"\0\0\0\x1cftypM4A " + bytes(500))
    return path


def refused(path, *words):
    with pytest.raises(InputError) as caught:
        audio.read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message and ";" in message
    for word in words:
        assert word in message


def test_without_ffmpeg(strange, monkeypatch):
    monkeypatch.setenv("PATH", "")
    refused(strange, "libsndfile", "install ffmpeg")
    with pytest.raises(InputError, match="<BytesIO>: .* install ffmpeg"):
        audio.read(io.BytesIO(b"hello " * 100))


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("in.m4a", ()),
        ("faststart.m4a", ("-movflags", "+faststart")),
        ("alac.m4a", ("-c:a", "alac")),
        ("in.aac", ()),
        ("in.webm", ("-c:a", "libopus")),
        ("in.mka", ("-c:a", "aac")),
        ("in.wma", ()),
        ("in.wv", ()),
        ("film.mp4", ("-f", "lavfi", "-i", "color=s=32x32:d=2", "-shortest")),
        ("g726.wav", ("-ar", "8000", "-c:a", "g726")),
    ],
)
def test_formats(make, name, options):
    path = make(name, *options)
    y = audio.read(path)
    assert len(y) == pytest.approx(32_000, abs=4096)
    spectrum = np.abs(np.fft.rfft(y, 32_000))
    assert np.argmax(spectrum) == pytest.approx(880, abs=2)
    assert np.array_equal(audio.read(io.BytesIO(path.read_bytes())), y)
    parts = np.concatenate(list(audio.read_blocks(path, 0.37)))
    assert np.array_equal(parts, y)
    assert audio.duration(path) == pytest.approx(2.0, abs=0.3)


@needs_ffmpeg
def test_rate_and_channels(make):
    path = make("stereo.m4a", "-ac", "2", "-ar", "44100")
    assert audio.probe(path) == audio.Probe(44_100, 2, None, "ffmpeg")
    assert np.abs(audio.read(path, quiet=True)).max() == pytest.approx(0.25, abs=0.1)


@needs_ffmpeg
@pytest.mark.parametrize("name", ["faststart.m4a", "in.webm", "in.aac"])
def test_cut_off(make, tmp_path, name):
    options = {"faststart.m4a": ("-movflags", "+faststart"), "in.webm": ("-c:a", "libopus")}
    content = make(name, *options.get(name, ())).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: len(content) * 2 // 3 + 7])
    refused(path, "cut off", "ffmpeg: ")


@needs_ffmpeg
def test_no_sound_track(make):
    refused(
        make("mute.mp4", "-f", "lavfi", "-i", "color=s=32x32:d=1", "-map", "1"), "no sound track"
    )


@needs_ffmpeg
@pytest.mark.parametrize(
    "content",
    [
        "ffconcat version 1.0\nfile '{}'\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:2,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=audio 5004 RTP/AVP 0\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
        "<Representation><BaseURL>{}</BaseURL></Representation></AdaptationSet></Period></MPD>",
        ";FFMETADATA1\ntitle=x\n",
    ],
)
@pytest.mark.parametrize("suffix", [".wav", ".m3u8", ".txt", ".sdp"])
def test_files_that_name_others_are_not_followed(make, tmp_path, content, suffix):
    path = tmp_path / f"list{suffix}"
    path.write_text(content.format(make("secret.m4a")))
    refused(path, "not audio")


def test_names_are_not_options_or_addresses(strange, fake, monkeypatch):
    fake('echo "$*" > "$(dirname $0)/said"; exit 1')
    monkeypatch.chdir(strange.parent)
    os.rename(strange, "-i http:x.m4a")
    refused("-i http:x.m4a", "not audio")
    said = Path(shutil.which("ffmpeg")).with_name("said").read_text()
    assert "-i file:/dev/fd/" in said and "http" not in said


def test_what_ffmpeg_says_is_one_line(strange, fake):
    fake('echo "[mov @ 0x55aa] moov atom not found" >&2; echo "more" >&2; exit 1')
    refused(strange, "(moov atom not found)")
    fake("exit 1")
    refused(strange, "it gave up")
    fake("head -c 30 /dev/zero")
    refused(strange, "not audio")


AU = (
    r"printf '.snd\000\000\000\030\377\377\377\377\000\000\000\006\000\000\076\200\000\000\000\001'"
)


def test_output_that_ends_badly(strange, fake):
    fake(f"{AU}; head -c 4000 /dev/zero")
    assert len(audio.read(strange)) == 1000
    fake(f"{AU}; head -c 4000 /dev/zero; exit 3")
    refused(strange, "cut off")
    fake(f"{AU}; head -c 4000 /dev/zero; echo 'stream 0: partial file' >&2")
    refused(strange, "partial file")
    fake(AU)
    refused(strange, "no samples")


def test_ffmpeg_that_hangs_is_given_up(strange, fake, monkeypatch):
    monkeypatch.setattr(ffmpeg, "STALLED_SECONDS", 0.2)
    fake(f"{AU}; exec sleep 100")
    refused(strange, "cut off")
    fake("exec sleep 100")
    refused(strange, "not audio")


def test_ffmpeg_ends_with_its_reader(strange, fake):
    fake(f'{AU}; echo $$ > "$(dirname $0)/pid"; exec cat /dev/zero')
    blocks = audio.read_blocks(strange)
    next(blocks)
    pid = int(Path(shutil.which("ffmpeg")).with_name("pid").read_text())
    os.kill(pid, 0)
    blocks.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_bounded_messages(strange, fake):
    """A file that makes ffmpeg complain for ever fills neither disk nor memory."""
    fake(f"{AU}; exec yes 'a complaint' >&2")
    begin = time.monotonic()
    refused(strange, "a complaint")
    assert time.monotonic() - begin < ffmpeg.STALLED_SECONDS
