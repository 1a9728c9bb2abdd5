import pytest

from vqspeech.audio.kinds import ALL_SUFFIXES, FFMPEG_SUFFIXES, SUFFIXES, is_recording


def test_each_extension_stands_in_one_list_once():
    assert len(set(ALL_SUFFIXES)) == len(SUFFIXES) + len(FFMPEG_SUFFIXES)
    assert all(suffix == suffix.lower() and suffix[0] == "." for suffix in ALL_SUFFIXES)


@pytest.mark.parametrize("name", ["a.wav", "b/A.FLAC", "talk.2.m4a", "x.Sph", ".hidden.mp3"])
def test_recordings(name):
    assert is_recording(name)


@pytest.mark.parametrize("name", ["a.txt", "wav", "a.raw", "a.pcm", "a.wav.bak", ".wav", "m.npy"])
def test_others(name):
    assert not is_recording(name)
