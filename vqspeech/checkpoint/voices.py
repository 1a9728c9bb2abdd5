"""Files of voices that were enrolled later.

`safetensors` with one tensor `vector` (F32 [S]) and the metadata {format, name, model: the
fingerprint of the model that it was fitted to, seconds: of speech it was fitted on, f0: its median
in Hz, 0 if not known}; and by: "encode", if it was kept beside codes and goes with them.
"""

import math
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vqspeech.checkpoint.speakers import MAX_F0
from vqspeech.errors import InputError
from vqspeech.files import check_target, output_file, reason

SUFFIX = ".safetensors"
FORMAT = "vqspeech-voice 1"
BY_ENCODE = "encode"
MAX_VOICE_BYTES = 1 << 20
MAX_NAME = 200


class Voice(NamedTuple):
    """A speaker vector (float32 [S]) of a person that the model was not trained on.

    f0: median in Hz, 0 if not known.
    """

    name: str
    vector: np.ndarray
    model: str
    seconds: float
    f0: float = 0.0


def is_voice_file(name: object) -> bool:
    """Whether what stands where a speaker's name does is the name of a voice file."""
    return isinstance(name, str | os.PathLike) and os.fspath(name).lower().endswith(SUFFIX)


def check_voice_target(path: str | os.PathLike) -> Path:
    """The real path that `save_voice` would write, links followed. Raises InputError."""
    return check_target(path, (SUFFIX,), "a voice")


def check_name(name: str) -> str:
    """`name` without space around it, if a voice may be called so. Raises InputError."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InputError(f"a voice needs a printable name of 1 to {MAX_NAME} characters")
    return name


def check_voice(voice: Voice, model: str, dim: int) -> None:
    """Raise InputError unless a voice is one of the model of fingerprint `model`, of speaker
    vectors [dim]."""
    if voice.model != model:
        raise InputError(
            f"the voice {voice.name!r} is one of model {voice.model}, this is {model}; make it "
            "again with this model"
        )
    vector = voice.vector
    fits = isinstance(vector, np.ndarray) and vector.shape == (dim,) and vector.dtype.kind == "f"
    if not fits or not np.isfinite(vector).all():
        raise InputError(
            f"the voice {voice.name!r} is no finite vector [{dim}]; make it again with this model"
        )


def save_voice(path: str | os.PathLike, voice: Voice, by: str = "") -> None:
    """Write a voice file, whole or not at all. by: `BY_ENCODE` where it is kept beside codes.
    Raises InputError."""
    from safetensors.numpy import save

    target = check_voice_target(path)
    name = voice.name.encode(errors="replace").decode()  # of a file, it may be no UTF-8
    about = {"format": FORMAT, "name": name, "model": voice.model}
    about |= {"seconds": f"{voice.seconds:.2f}", "f0": f"{voice.f0:.1f}"}
    about |= {"by": by} if by else {}
    with output_file(path, target) as file:
        file.write(save({"vector": voice.vector.astype(np.float32)}, about))


def voice_about(path: str | os.PathLike) -> dict[str, str]:
    """The metadata of a voice file, unchecked; {} of what is none, or cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(os.fspath(path), "numpy") as file:
            about = file.metadata() or {}
    except (OSError, SafetensorError, ValueError):
        return {}
    return about if about.get("format") == FORMAT else {}


def load_voice(path: str | os.PathLike, model: str, dim: int) -> Voice:
    """Read a voice file for the model of fingerprint `model`, of speaker vectors [dim].

    Raises InputError: missing, too large, not a voice, of another model, not finite.
    """
    from safetensors import SafetensorError, safe_open

    path = os.fspath(path)
    try:
        if not os.path.isfile(path):
            raise InputError(f"{path}: no such voice file; make one with `vqspeech enroll`")
        if os.path.getsize(path) > MAX_VOICE_BYTES:
            raise InputError(f"{path}: is too large to be a voice; name what `enroll` wrote")
        with safe_open(path, "numpy") as file:
            about = file.metadata() or {}
            if about.get("format") != FORMAT or list(file.keys()) != ["vector"]:
                raise InputError(f"{path}: is not a voice; name what `vqspeech enroll` wrote")
            if about.get("model") != model:
                raise InputError(
                    f"{path}: was enrolled for model {about.get('model')}, this is {model}; "
                    "enrol it again with this model"
                )
            part = file.get_slice("vector")
            if part.get_shape() != [dim] or part.get_dtype() != "F32":
                raise InputError(f"{path}: does not fit this model ({dim} values); enrol it again")
            vector = file.get_tensor("vector")
            seconds, f0 = float(about.get("seconds", "nan")), float(about.get("f0", "nan"))
    except (OSError, SafetensorError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{path}: cannot be read as a voice ({reason(error)[:100]}); "
            "make one with `vqspeech enroll`"
        ) from None
    if not np.isfinite(vector).all() or not math.isfinite(seconds) or not 0 <= f0 <= MAX_F0:
        raise InputError(f"{path}: has impossible values; enrol it again")
    return Voice(str(about.get("name", ""))[:MAX_NAME], vector, model, seconds, f0)
