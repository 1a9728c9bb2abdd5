import os
import stat
import struct

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vqspeech.audio import reading as audio
from vqspeech.audio.signal import resampled_length
from vqspeech.errors import InputError


def tone(seconds=0.5, rate=16_000, hz=440.0, level=0.3):
    return (level * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)).astype("f4")


def refused(path, *words, read=audio.read):
    """The error's one line; it names the file and says what to do."""
    with pytest.raises(InputError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message and str(path) in message
    assert ";" in message, "says what to do"
    for word in words:
        assert word in message
    return message


@pytest.mark.parametrize(
    ("kind", "subtype", "error"),
    [
        ("wav", "PCM_U8", 2**-7),
        ("wav", "PCM_16", 2**-15),
        ("wav", "PCM_24", 2**-22),
        ("wav", "PCM_32", 2**-22),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("wav", "ULAW", 0.02),
        ("flac", "PCM_S8", 2**-7),
        ("flac", "PCM_24", 2**-22),
        ("aiff", "PCM_16", 2**-15),
        ("au", "PCM_16", 2**-15),
        ("w64", "PCM_16", 2**-15),
        ("caf", "PCM_16", 2**-15),
    ],
)
def test_sample_formats(tmp_path, kind, subtype, error):
    path, x = tmp_path / f"in.{kind}", tone()
    soundfile.write(path, x, 16_000, subtype)
    y = audio.read(path)
    assert y.dtype == np.float32 and y.shape == x.shape
    assert np.abs(y - x).max() <= error


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("in.mp3", {}),
        ("in.ogg", {}),
        ("in.opus", {"format": "OGG", "subtype": "OPUS"}),
    ],
)
def test_lossy_formats(tmp_path, name, options):
    path, x = tmp_path / name, tone(2.0, 48_000)
    soundfile.write(path, x, 48_000, **options)
    y = audio.read(path)
    assert abs(len(y) - 32_000) <= 1600
    spectrum = np.abs(np.fft.rfft(y[:32_000]))
    assert np.argmax(spectrum) == pytest.approx(880, abs=2)


def test_the_extension_does_not_matter(tmp_path):
    path = tmp_path / "take.raw"
    soundfile.write(path, tone(), 16_000, format="FLAC")
    assert len(audio.read(path)) == 8000


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_resampling_keeps_a_tone(tmp_path, rate):
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(1.0, rate), rate, "FLOAT")
    y = audio.read(path)
    assert len(y) == 16_000
    inner = slice(1000, -1000)
    assert np.abs(y - tone(1.0))[inner].max() < 1e-3


@given(
    frames=st.integers(1, 5000),
    rate=st.sampled_from([1000, 8000, 11_025, 15_999, 16_000, 16_001, 44_100, 96_000, 655_350]),
    block=st.integers(1, 6000),
)
@settings(max_examples=60, deadline=None)
def test_length_is_exact_and_blocks_do_not_matter(tmp_path_factory, frames, rate, block):
    path = tmp_path_factory.mktemp("length") / "in.wav"
    rng = np.random.default_rng(frames)
    soundfile.write(path, rng.uniform(-0.5, 0.5, frames).astype("f4"), rate, "FLOAT")
    whole = audio.read(path)
    assert len(whole) == resampled_length(frames, rate)
    parts = np.concatenate(list(audio.read_blocks(path, block / rate)))
    assert np.array_equal(parts, whole)


def test_channels_are_averaged_and_said_once(tmp_path, capsys):
    path = tmp_path / "six.wav"
    x = np.random.default_rng(0).uniform(-1, 1, (40_000, 6)).astype("f4")
    soundfile.write(path, x, 16_000, "FLOAT")
    y = np.concatenate(list(audio.read_blocks(path, 0.1)))
    assert np.allclose(y, x.mean(axis=1), atol=1e-6)
    assert capsys.readouterr().err == f"vqspeech: {path} has 6 channels, averaged to mono\n"
    audio.read(path, quiet=True)
    audio.measure_level(path)
    assert capsys.readouterr().err == ""


def test_float_beyond_full_scale_is_kept(tmp_path):
    path = tmp_path / "loud.wav"
    soundfile.write(path, 10 * tone(), 16_000, "FLOAT")
    assert np.array_equal(audio.read(path), 10 * tone())


def test_silence_and_one_sample(tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, np.zeros(100, "f4"), 16_000)
    assert not audio.read(path).any()
    soundfile.write(path, np.float32([0.5]), 48_000)
    assert audio.read(path).shape == (1,)
    assert audio.measure_level(path).gain() == 1.0


def test_probe_and_duration(tmp_path):
    path = tmp_path / "in.flac"
    soundfile.write(path, np.zeros((44_100, 2)), 44_100, "PCM_24")
    assert audio.probe(path) == audio.Probe(44_100, 2, 44_100, "FLAC/PCM_24")
    assert audio.duration(path) == 1.0


def test_flac_of_unknown_length(tmp_path):
    """As ffmpeg writes into a pipe: STREAMINFO's total samples are 0."""
    path = tmp_path / "pipe.flac"
    soundfile.write(path, tone(), 16_000)
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    assert audio.probe(path).frames is None
    assert audio.duration(path) == 0.5
    assert len(audio.read(path)) == 8000


def test_measure_level_is_that_of_the_samples(tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(3.0, 48_000, level=0.01), 48_000, "FLOAT")
    assert audio.measure_level(path).active_db == pytest.approx(-43.0, abs=0.1)


def test_missing_folder_empty_and_not_audio(tmp_path):
    refused(tmp_path / "no.wav", "no such file")
    refused(tmp_path, "folder")
    refused(tmp_path / ("x" * 300 + ".wav"), "cannot be read")
    path = tmp_path / "in.wav"
    path.touch()
    refused(path, "empty")
    path.write_text("hello " * 100)
    for read in (audio.read, audio.probe, audio.duration, audio.measure_level):
        refused(path, "not audio", read=read)


def test_nul_in_the_name():
    with pytest.raises(InputError, match="not a possible file name"):
        audio.read("a\0b.wav")


def test_pipe_is_refused_at_once(tmp_path):
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    refused(path, "not a regular file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission(tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(), 16_000)
    path.chmod(stat.S_IWUSR)
    refused(path, "permission")


def test_permission_error_is_put_in_words(tmp_path, monkeypatch):
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(), 16_000)

    def forbid(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", forbid)
    refused(path, "permission")


@pytest.mark.parametrize("kind", ["wav", "aiff"])
def test_header_without_samples(tmp_path, kind):
    path = tmp_path / f"in.{kind}"
    soundfile.write(path, np.zeros(0), 16_000)
    refused(path, "no samples")


@pytest.mark.parametrize("declared", [0, 8000])
def test_flac_header_alone(tmp_path, declared):
    path = tmp_path / "in.flac"
    soundfile.write(path, tone(), 16_000)
    header = bytearray(path.read_bytes()[:42])
    header[4] |= 0x80  # STREAMINFO is the last block of metadata
    header[22:26] = struct.pack(">I", declared)
    path.write_bytes(header)
    refused(path)


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "au", "w64", "mp3"])
@pytest.mark.parametrize("part", [0.3, 0.5, 0.9])
def test_cut_off(tmp_path, kind, part):
    path = tmp_path / f"in.{kind}"
    x = np.random.default_rng(0).uniform(-0.5, 0.5, 32_000)
    soundfile.write(path, x, 16_000)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    refused(path, "cut off")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("channels", [1, 2])
def test_nan_and_infinite_samples(tmp_path, bad, channels):
    path = tmp_path / "in.wav"
    x = np.zeros((5000, channels))
    x[4321, -1] = bad
    soundfile.write(path, x, 16_000, "DOUBLE")
    refused(path, "NaN or infinite")
    refused(path, "NaN or infinite", read=audio.measure_level)


@pytest.mark.parametrize("rate", [1, 999, 2_000_000_000])
def test_absurd_rate(tmp_path, rate):
    path = tmp_path / "in.wav"
    soundfile.write(path, tone(), 16_000)
    data = bytearray(path.read_bytes())
    data[24:28] = struct.pack("<I", rate)
    path.write_bytes(data)
    refused(path)


@given(st.binary(max_size=400), st.sampled_from([b"", b"RIFF", b"fLaC", b"OggS", b"FORM", b".snd"]))
@settings(max_examples=100, deadline=None)
def test_hostile_bytes_are_refused_or_read(tmp_path_factory, data, magic):
    path = tmp_path_factory.mktemp("hostile") / "in.wav"
    path.write_bytes(magic + data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")  # ffmpeg takes its time to begin
        try:
            assert np.isfinite(audio.read(path)).all()
        except InputError as error:
            assert str(path) in str(error)


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
def test_no_silence_for_samples_that_are_not_there(tmp_path, subtype):
    """libsndfile reads zeros where an SDS file ends before what its header declares."""
    path = tmp_path / "in.sds"
    soundfile.write(path, tone(), 16_000, subtype)
    assert len(audio.read(path)) == 8000
    data = bytearray(path.read_bytes())
    data[12] = 0x7F  # the highest bits of the number of samples
    path.write_bytes(data)
    refused(path, "cut off")
