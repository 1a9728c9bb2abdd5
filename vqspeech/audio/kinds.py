"""What files of recordings are called: the one list that folder verbs, corpora, the page and
messages take theirs from. A file that is named by itself may be called anything: its content
decides."""

import os

# fmt: off
SUFFIXES = (
    ".wav", ".wave", ".bwf", ".rf64", ".w64", ".flac", ".mp3", ".mp2", ".ogg", ".oga", ".opus",
    ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".sph", ".nist", ".voc", ".sf", ".ircam",
    ".8svx", ".svx", ".avr", ".paf", ".fap", ".pvf", ".sds", ".wve",
)
"""Extensions, in small letters, of what libsndfile reads. Not .raw, .pcm and the like, which say
neither rate nor format, and not what is mostly no sound (.mat, .htk, .iff)."""

FFMPEG_SUFFIXES = (
    ".m4a", ".m4b", ".m4r", ".mp4", ".m4v", ".mov", ".aac", ".webm", ".weba", ".mkv", ".mka",
    ".amr", ".awb", ".3gp", ".3gpp", ".3g2", ".3ga", ".qcp", ".wma", ".wmv", ".asf", ".avi",
    ".flv", ".mpg", ".mpeg", ".vob", ".m2ts", ".ogv", ".ogx", ".spx", ".ac3", ".eac3", ".dts",
    ".ape", ".wv", ".tta", ".shn", ".ra", ".rm",
)
"""Extensions, in small letters, of what ffmpeg reads where it is installed: the recordings of
phones, and the sound of films."""
# fmt: on

ALL_SUFFIXES = SUFFIXES + FFMPEG_SUFFIXES
"""What is taken for a recording in a folder."""


def is_recording(name: str | os.PathLike) -> bool:
    """True if a file of this name in a folder is taken for a recording."""
    return os.path.splitext(os.fspath(name))[1].lower() in ALL_SUFFIXES
