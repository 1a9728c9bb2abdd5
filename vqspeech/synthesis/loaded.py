"""A trained model on its device: what every part of the codec is made with."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from vqspeech.checkpoint.about import About
from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.model import Checkpoint
from vqspeech.checkpoint.prior import load_prior
from vqspeech.codes.codes import Codes
from vqspeech.config.model import Config
from vqspeech.errors import InputError
from vqspeech.nn.vqvae import VQVAE
from vqspeech.sampling.entropy import PriorCodec


@dataclass(frozen=True)
class LoadedModel:
    """The network, in evaluation mode, what `config.json` says of it, and where both are."""

    model: VQVAE
    about: About
    folder: Path
    device: torch.device

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: str = "auto") -> "LoadedModel":
        """A checkpoint on "auto" (a GPU if there is one), "cpu" or "cuda". Raises InputError."""
        chosen = choose_device(device)
        model, about, folder = checkpoint
        return cls(model.to(chosen), about, folder, chosen)

    @property
    def config(self) -> Config:
        return self.about.config

    @property
    def fingerprint(self) -> str:
        return self.about.fingerprint

    @property
    def predicts_mel(self) -> bool:
        """Whether the codes say what log-mel the decoded voice has."""
        return self.model.conditioning.log_mel_head is not None

    @property
    def predicts_pitch(self) -> bool:
        """Whether the codes say what F0 the decoded voice has, which can then be moved."""
        return self.model.conditioning.pitch_head is not None

    @property
    def has_wavenet(self) -> bool:
        """Whether the decoder is trained."""
        return any(self.about.trained.get(stage) for stage in ("waveform", "joint"))

    @property
    def has_prior(self) -> bool:
        return (self.folder / PRIOR_FILE).exists()

    @cached_property
    def prior(self) -> PriorCodec:
        """The model's prior. Raises InputError if it has none."""
        return PriorCodec(*load_prior(self.folder, self.model))

    @cached_property
    def codes_identity(self) -> str:
        """16 hex digits that name the codes; models that differ in the decoder only share them."""
        return codes_identity(self.model.state_dict())

    def frames(self, seconds: float) -> int:
        """Code frames nearest to `seconds`, at least one."""
        return max(1, round(seconds * self.config.frame_rate))

    def check_decodable(self, preview: bool = False) -> None:
        """Raise InputError unless the model has what decoding, or its preview, needs."""
        if preview and not self.predicts_mel:
            raise InputError(
                f"model {self.config.name} has no auxiliary log-mel head to preview from"
            )
        if not preview and not self.has_wavenet:
            raise InputError(
                f"model {self.config.name} has no trained WaveNet yet: hear its codes with "
                "--preview, or train its stage 'waveform'"
            )

    def check_codes(self, codes: Codes) -> None:
        """Raise InputError unless these codes are of this model."""
        if codes.model is not None and codes.model != self.fingerprint:
            raise InputError(
                f"the codes were made by model {codes.model}, this is {self.fingerprint}; "
                "decode them with --model and the model that made them"
            )
        hop, size = self.config.hop, self.config.quantizer.codebook_size
        if codes.hop != hop or int(codes.indices.max()) >= size:
            raise InputError(
                f"the codes do not fit this model (hop {hop}, {size} codes); "
                "decode them with the model that made them"
            )


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" to a device; InputError if there is no such device."""
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device '{name}' must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device here; use --device cpu, or auto")
    has_gpu = name != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if has_gpu else "cpu")
