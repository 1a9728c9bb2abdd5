"""What an evaluation needs of a codec: `vqspeech.Codec` is above this room, and never imported."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from vqspeech.checkpoint.speakers import Speaker
from vqspeech.codes.codes import Codes
from vqspeech.config.model import Config
from vqspeech.nn.vqvae import VQVAE
from vqspeech.synthesis.options import Synthesis


class Codec(Protocol):
    """See `vqspeech.Codec`."""

    @property
    def config(self) -> Config: ...

    @property
    def model(self) -> VQVAE: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def speaker_table(self) -> Sequence[Speaker]: ...

    @property
    def trained(self) -> dict[str, int]: ...

    @property
    def device(self) -> torch.device: ...

    @property
    def has_prior(self) -> bool: ...

    def check_decodable(self, preview: bool = False) -> None: ...

    def speaker_row(self, name: str | None) -> int: ...

    def speaker_vector(self, speaker: str | None) -> torch.Tensor: ...

    def encode(self, wave: np.ndarray) -> Codes: ...

    def encode_file(self, path: Path) -> Codes: ...

    def decode(self, codes: Codes, speaker: str, options: Synthesis) -> np.ndarray: ...

    def convert(
        self, wave: np.ndarray, rate: int, speaker: str | None, **options
    ) -> np.ndarray: ...

    def save_vqs(
        self, codes: Codes, path: Path, speaker: str | None = None, packed: bool = False
    ) -> Any: ...
