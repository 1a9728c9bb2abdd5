"""What an evaluation needs of a codec: `vqspeech.Codec` is above this room, and never imported."""

from io import BytesIO
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from vqspeech.checkpoint.voices import Voice
from vqspeech.codes.codes import Codes
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import Listening, Synthesis
from vqspeech.synthesis.voices import Voices


class Codec(Protocol):
    """See `vqspeech.Codec`."""

    loaded: LoadedModel
    voices: Voices

    def speaker_vector(self, speaker: str | None) -> torch.Tensor: ...

    def encode(
        self,
        wave: np.ndarray,
        *,
        voice: Listening = True,
        bitrate: float | None = None,
        search: bool = False,
    ) -> Codes: ...

    def encode_file(self, path: Path) -> Codes: ...

    def voice_of(self, wave: np.ndarray, *, name: str) -> Voice: ...

    def decode(self, codes: Codes, speaker: str | None, options: Synthesis) -> np.ndarray: ...

    def convert(
        self, wave: np.ndarray, rate: int, speaker: str | Voice, **how: Any
    ) -> np.ndarray: ...

    def save_vqs(
        self, codes: Codes, path: Path | BytesIO, speaker: str | None = None, packed: bool = False
    ) -> Any: ...

    def load_vqs(self, path: Path | BytesIO) -> tuple[Codes, str | None, Any]: ...
