"""How codes are kept: what a `.vqs` file says beside them, and the voice beside a `.npy` file."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.checkpoint.voices import BY_ENCODE, SUFFIX, save_voice
from vqspeech.codes.vqs import is_vqs

if TYPE_CHECKING:
    from vqspeech.codec import Codec
    from vqspeech.codes.codes import Codes


@dataclass(frozen=True)
class Keeping:
    """speaker, packed: for `.vqs` files, as of `Codec.save_vqs`. voice: listen for whose voice it
    is, and keep that too: a `.vqs` file within, a `.npy` file beside it (`voice_path`); "refined":
    better, in more time. bitrate: to encode at. search: for the codes. All three as of
    `Codec.encode`."""

    speaker: str | None = None
    packed: bool = False
    voice: bool | str = False
    bitrate: float | None = None
    search: bool = False

    def encode(
        self,
        codec: "Codec",
        path: str | os.PathLike,
        gain: float | None = None,
        progress: Callable[[float], object] | None = None,
    ) -> "Codes":
        """The codes of a file, with what is to be kept of it: as `Codec.encode_file`."""
        return codec.encode_file(path, gain, self.voice, self.bitrate, self.search, progress)

    def save(self, codec: "Codec", codes: "Codes", out: str | os.PathLike) -> None:
        """Write codes to a `.npy` or `.vqs` file, which is written last. Raises InputError."""
        if is_vqs(out):
            codec.save_vqs(codes, out, self.speaker, self.packed)
            return
        if self.voice:
            _save_voice(codec, codes, voice_path(out))
        codes.save_npy(out)


def voice_path(out: str | os.PathLike) -> Path:
    """Where the voice of a `.npy` file stands."""
    return Path(out).with_suffix(SUFFIX)


def _save_voice(codec: "Codec", codes: "Codes", path: Path) -> None:
    f0 = codec.predicted_f0(codes)
    known = f0 if math.isfinite(f0) else 0.0
    save_voice(path, codec.voices.own(codes)._replace(name=path.stem, f0=known), BY_ENCODE)
