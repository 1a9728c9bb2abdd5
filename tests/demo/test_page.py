"""The page as visitors' programs see it: a real server, real uploads."""

import os
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import soundfile
from tones import vowel

pytest.importorskip("gradio")
from gradio_client import Client, handle_file

from vqspeech import InputError
from vqspeech.demo import tidy
from vqspeech.demo.launch import launch
from vqspeech.demo.settings import Limits, Serving

RATE = 16_000


@pytest.fixture(scope="module")
def address(tiny_model):
    limits = Limits(seconds=2.0, megabytes=0.2, jobs=2, keep_minutes=10)
    found, close = launch(tiny_model, "cpu", Serving(limits=limits), block=False)
    yield found
    close()


@pytest.fixture
def ask(address, tmp_path):
    """ask(endpoint, file, *inputs): everything the page shows at the end."""
    client = Client(address, verbose=False, download_files=str(tmp_path / "got"))

    def call(endpoint, path, *inputs):
        job = client.submit(path and handle_file(str(path)), *inputs, api_name=endpoint)
        job.result()
        shown = [None] * len(job.outputs()[-1])
        for step in job.outputs():  # what a step does not touch stays as it was
            shown = [b if is_skip(a) else a for a, b in zip(step, shown, strict=True)]
        return shown

    return call


def is_skip(value):
    return isinstance(value, dict) and "__type__" in value and "value" not in value


@pytest.fixture
def said(tmp_path):
    path = tmp_path / "said.wav"
    soundfile.write(path, vowel(1.0), RATE)
    return path


@pytest.mark.parametrize("renderer", ["preview", "wavenet"])
def test_convert(ask, said, renderer):
    status, sound, codes, picture = ask("/convert", said, "bert", "target", renderer, 0)
    assert "said.wav as bert: 1.00 s, 50 codes" in status and "vq-done" in status
    info = soundfile.info(sound)
    assert (info.samplerate, info.subtype, info.frames) == (RATE, "PCM_16", RATE)
    level = np.abs(soundfile.read(sound)[0]).max()
    assert level < 0.9  # Gradio would make the peak 1 if it were given floats
    assert picture.count("<figure") == 3
    path = codes["value"] if isinstance(codes, dict) else codes
    assert np.load(path).shape == (50,)


def test_codec(ask, said):
    status, sound, _, picture, sizes = ask("/reconstruct", said, "", "preview", 1)
    assert "vq-done" in status and soundfile.info(sound).frames == RATE
    assert "Opus" in sizes and picture.count("<figure") == 3


def test_rates(levelled_model, said, tmp_path):
    """Of a model of several rates: the lowest, unless another is chosen."""
    limits = Limits(seconds=2.0, megabytes=0.2, jobs=2, keep_minutes=10)
    address, close = launch(levelled_model, "cpu", Serving(limits=limits), block=False)
    try:
        client = Client(address, verbose=False, download_files=str(tmp_path / "got"))

        def shown(*rate):
            inputs = (handle_file(str(said)), "anna", "preview", 0, *rate)
            job = client.submit(*inputs, api_name="/reconstruct")
            job.result()
            return "".join(str(part) for step in job.outputs() for part in step)

        lowest, highest = shown(), shown(400)
        assert "50 codes, 100 bit/s" in lowest and "levels" not in lowest
        assert "50 codes of each of 4 levels, 400 bit/s" in highest
        assert "of the first of 4 levels" in highest
        assert "codes at 300 bit/s" in highest and "codes at 300 bit/s" not in lowest
    finally:
        close()


def test_a_visitors_voice(hearing_model, said, tmp_path):
    """Of a model that hears voices: to convert to, and to decode in."""
    her = tmp_path / "her.wav"
    soundfile.write(her, vowel(1.5, 220.0), RATE)
    limits = Limits(seconds=2.0, megabytes=0.2, jobs=2, keep_minutes=10)
    address, close = launch(hearing_model, "cpu", Serving(limits=limits), block=False)
    try:
        client = Client(address, verbose=False, download_files=str(tmp_path / "got"))

        def converted(*other):
            inputs = (handle_file(str(said)), "bert", "target", "preview", 0, *other)
            job = client.submit(*inputs, api_name="/convert")
            job.result()
            return "".join(str(step[0]) for step in job.outputs())

        assert "said.wav as her.wav" in converted(handle_file(str(her)))
        assert "said.wav as bert" in converted(None)
        (tmp_path / "text.wav").write_text("hello")
        assert "vq-failed" in converted(handle_file(str(tmp_path / "text.wav")))
        job = client.submit(handle_file(str(her)), "", "preview", 0, api_name="/reconstruct")
        job.result()
        assert any("as its own voice" in str(step[0]) for step in job.outputs())
    finally:
        close()


def test_mistakes_are_said(ask, said, tmp_path):
    long, text = tmp_path / "long.wav", tmp_path / "text.wav"
    soundfile.write(long, vowel(2.5), RATE)
    text.write_text("this is no audio")
    for path, words in ((long, "longer than 2 s"), (text, "not audio"), (None, "no recording")):
        status, sound, *_ = ask("/convert", path, "bert", "target", "preview", 0)
        assert words in status and 'role="alert"' in status and sound is None
    assert "seed" in ask("/convert", said, "bert", "target", "preview", -1)[0]


def test_what_is_to_be_said_of_a_recording_is_said_to_its_visitor(ask, tmp_path):
    soundfile.write(tmp_path / "far.wav", vowel(1.0) / 300, RATE)
    for endpoint, how in (("/convert", ("bert", "keep")), ("/reconstruct", ("anna",))):
        status = ask(endpoint, tmp_path / "far.wav", *how, "preview", 0)[0]
        assert "vq-done" in status and "<p>the recording is very quiet (" in status


def test_large_uploads_are_refused(address):
    files = {"files": ("large.wav", bytes(300_000))}
    assert httpx.post(f"{address}gradio_api/upload", files=files).status_code in (413, 400)


def test_no_file_outside_is_served_or_read(address, ask, said):
    for path in ("/etc/passwd", __file__, str(Path(__file__).parents[2] / "pyproject.toml")):
        answer = httpx.get(f"{address}gradio_api/file={path}")
        assert answer.status_code in (403, 404), path
    body = {"data": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]}
    body["data"] += ["bert", "target", "preview", 0]
    event = httpx.post(f"{address}gradio_api/call/convert", json=body)
    if event.status_code == 200:
        event = httpx.get(f"{address}gradio_api/call/convert/{event.json()['event_id']}")
        assert "error" in event.text and "root:" not in event.text
    with pytest.raises(Exception, match="choices|not in"):
        ask("/convert", said, "/etc/voice.safetensors", "target", "preview", 0)


def test_nothing_comes_from_elsewhere(address):
    page = httpx.get(address).text
    assert '"analytics_enabled":false' in page.replace(" ", "")
    for tag in ("<script", "<link"):
        for part in page.split(tag)[1:]:
            head = part.split(">", 1)[0]
            assert "http://" not in head.replace(address, "") and "https://" not in head, head


def test_visitors_side_by_side(ask, said):
    found = []

    def visit():
        found.append(ask("/convert", said, "anna", "keep", "preview", 0)[0])

    threads = [threading.Thread(target=visit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and all("vq-done" in status for status in found)


def test_its_folder_empties(tiny_model, said, monkeypatch):
    monkeypatch.setattr("vqspeech.demo.launch.SWEEP_SECONDS", 0.2)
    address, close = launch(tiny_model, device="cpu", block=False)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
    try:
        before = files(folder)
        client = Client(address, verbose=False, download_files=False)
        inputs = (handle_file(str(said)), "bert", "keep", "preview", 0)
        client.predict(*inputs, api_name="/convert")
        assert len(files(folder) - before) >= 3  # what came, the sound, the codes
        later = time.time() + 3600
        monkeypatch.setattr(tidy.time, "time", lambda: later)
        limit = time.monotonic() + 60
        while files(folder) != before and time.monotonic() < limit:
            time.sleep(0.1)
        assert files(folder) == before
    finally:
        close()
    assert not folder.exists()


def files(folder):
    """Those that are there; unlike `rglob`, `walk` goes on where a folder is being swept away."""
    return {Path(where, name) for where, _, names in os.walk(folder) for name in names}


def test_bad_starts(tiny_model, address):
    port = int(address.rsplit(":", 1)[1].strip("/"))
    with pytest.raises(InputError, match="--port"):
        launch(tiny_model, "cpu", Serving(port=port), block=False)
    with pytest.raises(InputError, match="no such voice"):
        launch(tiny_model, "cpu", Serving(voices=["none.safetensors"]), block=False)
