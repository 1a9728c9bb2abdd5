import os
import resource
import stat

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech import audio
from vqspeech.audio.writing import clipping_message, to_int16
from vqspeech.errors import InputError


def noise(samples=5000, seed=0):
    return np.random.default_rng(seed).uniform(-0.9, 0.9, samples).astype(np.float32)


@pytest.mark.parametrize("name", ["out.wav", "out.flac", "OUT.WAV"])
def test_round_trip_in_blocks(tmp_path, name):
    path, x = tmp_path / name, noise()
    with audio.Writer(path) as writer:
        for block in np.split(x, [1, 1, 700]):
            writer.add(block)
        assert not path.exists()
    assert (writer.samples, writer.clipped) == (5000, 0)
    assert soundfile.info(path).subtype == "PCM_16"
    pcm, rate = soundfile.read(path, dtype="int16")
    assert rate == 16_000
    assert np.array_equal(pcm, np.rint(x * 32767))
    assert os.listdir(tmp_path) == [name]


def test_the_umask_decides_the_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        audio.write(tmp_path / "out.wav", noise())
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "out.wav").stat().st_mode) == 0o640


@pytest.mark.parametrize(
    "samples", [np.int16([0, 5000]), np.zeros((9, 2)), np.complex64([0, 1j]), ["a"], None]
)
def test_what_are_no_samples(tmp_path, samples):
    with pytest.raises(InputError, match=r"samples must be floats \[N\] within \+-1, not"):
        audio.write(tmp_path / "out.wav", samples)
    for rate in (0, 16_000.5, "x"):
        with pytest.raises(InputError, match="rate .* must be a whole number of Hz"):
            audio.write(tmp_path / "out.wav", noise(), rate)
    assert not os.listdir(tmp_path)


def test_clipping_is_counted_and_told(tmp_path):
    path = tmp_path / "out.wav"
    clipped = audio.write(path, np.float32([0, 1, -1, 1.0001, -1.5, 7]))
    assert clipped == 3
    written = soundfile.read(path, dtype="int16")[0]
    assert written.tolist() == [0, 32767, -32767, 32767, -32768, 32767]
    message = clipping_message(path, clipped, 6)
    assert str(path) in message and "3 samples" in message and "50 %" in message
    assert clipping_message(path, 0, 6) is None


@given(st.lists(st.floats(-3, 3, width=32)))
def test_to_int16(values):
    x = np.float32(values)
    pcm, clipped = to_int16(x)
    exact = np.rint(x.astype(np.float64) * 32767)
    assert np.abs(pcm - np.clip(exact, -32768, 32767)).max(initial=0) <= 1
    assert clipped <= np.count_nonzero(np.abs(x) > 1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_refused_and_nothing_left(tmp_path, bad):
    with pytest.raises(InputError, match="NaN or infinite"):
        audio.write(tmp_path / "out.wav", np.float32([0, bad]))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_write_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "out.wav"
    audio.write(path, noise(10))
    before = path.read_bytes()
    with pytest.raises(error), audio.Writer(path) as writer:
        writer.add(noise())
        raise error
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["out.wav"]


@pytest.mark.parametrize("name", ["out.mp3", "out", "out.wav.gz"])
def test_other_extensions(tmp_path, name):
    with pytest.raises(InputError, match=r"\.wav or \.flac"):
        audio.Writer(tmp_path / name)


def test_places_that_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        audio.Writer(tmp_path / "no" / "out.wav")
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        audio.Writer(tmp_path / "folder.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match="regular file"):
        audio.Writer(tmp_path / "pipe.wav")
    with pytest.raises(InputError, match="cannot be written"), audio.Writer("/proc/out.wav"):
        pass


def test_a_link_is_written_through(tmp_path):
    real, link = tmp_path / "real.wav", tmp_path / "link.wav"
    audio.write(real, noise(10))
    link.symlink_to(real)
    audio.write(link, noise(20))
    assert link.is_symlink()
    assert len(audio.read(real)) == 20


@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_a_full_disk(tmp_path, name):
    path = tmp_path / name
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(InputError, match="cannot be written"), audio.Writer(path) as writer:
            for _ in range(50):
                writer.add(noise(20_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_no_samples_are_refused(tmp_path, name):
    with pytest.raises(InputError, match="no samples"):
        audio.write(tmp_path / name, noise(0))
    assert os.listdir(tmp_path) == []


def test_too_long_for_wav(tmp_path):
    writer = audio.Writer(tmp_path / "out.wav")
    with pytest.raises(InputError, match=r"\.flac"), writer:
        writer.samples = (1 << 31) - 1025
        writer.add(noise(10))


@given(st.integers(1, 3000))
@settings(max_examples=15, deadline=None)
def test_any_length(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("any") / "out.flac"
    audio.write(path, noise(samples))
    assert soundfile.info(path).frames == samples
