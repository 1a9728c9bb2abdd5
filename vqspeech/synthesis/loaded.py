"""A trained model on its device: what every part of the codec is made with."""

from dataclasses import dataclass, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from vqspeech.arguments import is_path, plain_array, shown
from vqspeech.checkpoint.about import About
from vqspeech.checkpoint.identity import codes_identity, upper_identity
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.model import Checkpoint
from vqspeech.checkpoint.prior import StoredPrior, load_prior
from vqspeech.codes.codes import Codes, check_range
from vqspeech.config.model import Config
from vqspeech.errors import InputError, named, warn_of
from vqspeech.nn.vqvae import VQVAE
from vqspeech.sampling.entropy import PriorCodec
from vqspeech.synthesis.parity import out_of_turn


@dataclass(frozen=True)
class LoadedModel:
    """The network, what `config.json` says of it, and where both are."""

    network: VQVAE
    about: About
    folder: Path
    device: torch.device

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: str | torch.device = "auto") -> "LoadedModel":
        """A checkpoint on "auto" (a GPU if there is one) or a device. Raises InputError."""
        if not isinstance(checkpoint, Checkpoint):
            raise InputError(
                f"a codec is made of a checkpoint, not {shown(checkpoint)}; "
                "Codec.from_pretrained loads a model by its name"
            )
        chosen = choose_device(device)
        model, about, folder = checkpoint
        return cls(model.to(chosen), about, folder, chosen)

    def __getstate__(self) -> dict:
        """Without what was made from these four: another process makes its own."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @property
    def model(self) -> VQVAE:
        """The network, in evaluation mode. Raises InputError where a caller has put it in training
        mode, in which it changes what it hears at random, and learns statistics from it."""
        if self.network.training:
            raise InputError(
                "the model is in training mode, in which codes are others; call codec.model.eval()"
            )
        return self.network

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
    def hears_voices(self) -> bool:
        """Whether the model has a speaker encoder, which knows a voice by some seconds of it."""
        return self.config.speaker_encoder is not None

    @property
    def searches(self) -> bool:
        """Whether codes can be searched for by what they decode to (`synthesis.searching`)."""
        return self.predicts_mel and self.hears_voices

    @property
    def has_wavenet(self) -> bool:
        """Whether the decoder is trained."""
        return any(self.about.trained.get(stage) for stage in ("waveform", "joint"))

    @property
    def has_prior(self) -> bool:
        return (self.folder / PRIOR_FILE).exists()

    @cached_property
    def stored_prior(self) -> StoredPrior:
        """The model's prior as a network on the CPU. Raises InputError if it has none."""
        return load_prior(self.folder, self.model)

    @cached_property
    def prior(self) -> PriorCodec:
        """The model's prior, packed. Raises InputError if it has none."""
        return PriorCodec(*self.stored_prior)

    @cached_property
    def codes_identity(self) -> str:
        """16 hex digits that name the codes of the first level; models that differ in the decoder
        only share them."""
        return codes_identity(self.model.state_dict())

    @cached_property
    def upper_identity(self) -> str:
        """Those of the levels above; "" where there are none."""
        return upper_identity(self.model.state_dict()) if self.levels > 1 else ""

    @property
    def levels(self) -> int:
        """Codes of a frame, at most: those of the upper levels are there once they are trained."""
        upper = self.model.levels
        return self.config.quantizer.levels if upper is not None and upper.initialised else 1

    @property
    def bit_rates(self) -> tuple[float, ...]:
        """bit/s with one level, with two, ... up to all."""
        return self.config.bit_rates(self.levels)

    def levels_at(self, bitrate: float | None) -> int:
        """Levels that take `bitrate` bit/s as plain indices; None: the first alone. Raises
        InputError for a rate that the model has not."""
        return self.config.levels_at(bitrate, self.levels)

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

    def as_codes(self, codes: Any, name: str = "") -> Codes:
        """Anything that can only be meant as codes of this model: `Codes`, or whole numbers [F], or
        [levels, F], in an array, list or tensor, which decode to F * hop samples.

        name: what messages begin with. Warns where codes that do not say who made them seem to be
        cut at an odd place. Raises InputError.
        """
        with named(name):
            codes = codes if isinstance(codes, Codes) else self._counted(codes)
            self.check_codes(codes)
        if codes.model is None:
            self._check_turns(codes, name)
            codes = replace(codes, model=self.fingerprint, **self.shape)
        return codes if codes.size else replace(codes, size=self.shape["size"])

    @property
    def shape(self) -> dict[str, Any]:
        """What `Codes` know of the codebooks."""
        quantizer = self.config.quantizer
        return {"codebooks": quantizer.codebooks, "size": quantizer.codebook_size}

    def _counted(self, given: Any) -> Codes:
        if is_path(given):
            raise InputError(
                f"codes are wanted, not the name {shown(given)}; give numpy.load(name), or "
                "load_vqs(name)[0]"
            )
        if isinstance(given, list | tuple) and any(isinstance(part, Codes) for part in given):
            # NumPy would take each for a level of one recording.
            raise InputError(
                f"one recording's codes are wanted, not {len(given)} Codes in a list; give one, a "
                "list to decode_many, or Codes.join(list)"
            )
        indices, hop = plain_array("codes", given), self.config.hop
        frames = indices.shape[-1] if indices.ndim else 0
        codes = Codes(indices, frames * hop, hop, None, **self.shape)
        check_range("codes", codes.indices, self.shape["size"])
        return codes

    def _check_turns(self, codes: Codes, name: str) -> None:
        if self.config.quantizer.codebooks == 1 or not self.has_prior:
            return
        try:
            frame = out_of_turn(self.stored_prior.prior, codes)
        except InputError:  # a damaged prior is the matter of those who need it
            return
        if frame is not None:
            warn_of(
                f"{name or 'codes'}: from about frame {frame} on looked up in the wrong codebooks, "
                "it seems: cut at an odd place, or joined to an odd number; use codes[a:b] and "
                "Codes.join"
            )

    def check_maker(self, model: str | None) -> None:
        """Raise InputError where codes are by another model than this, of that name."""
        if model is not None and model != self.fingerprint:
            raise InputError(
                f"the codes were made by model {model}, this is {self.fingerprint}; "
                "decode them with --model and the model that made them"
            )

    def check_codes(self, codes: Codes) -> None:
        """Raise InputError unless these codes are of this model."""
        self.check_maker(codes.model)
        hop, size = self.config.hop, self.config.quantizer.codebook_size
        if codes.hop != hop or int(codes.indices.max()) >= size:
            raise InputError(
                f"the codes do not fit this model (hop {hop}, {size} codes); "
                "decode them with the model that made them"
            )
        self.check_levels(codes.levels)

    def check_levels(self, levels: int) -> None:
        """Raise InputError where codes of so many levels are none of this model."""
        if levels > self.levels:
            raise InputError(
                f"the codes have {levels} levels, this model has {self.levels}; decode them with "
                f"the model that made them, or cut them with codes.first({self.levels})"
            )


def choose_device(name: str | torch.device) -> torch.device:
    """ "auto", "cpu", "cuda" or "cuda:1" to a device; InputError if there is no such device."""
    text, count = str(name), torch.cuda.device_count() if torch.cuda.is_available() else 0
    if text == "auto":
        return torch.device("cuda" if count else "cpu")
    kind, _, number = text.partition(":")
    known = kind in ("cpu", "cuda") and (not number or (number.isascii() and number.isdigit()))
    if not known or not isinstance(name, str | torch.device):
        raise InputError(f"device {shown(name)} must be auto, cpu or cuda")
    if kind == "cpu":
        return torch.device("cpu")
    if int(number or 0) >= count:
        raise InputError(
            f"no device '{text}' here: there are {count} CUDA devices; use --device cpu, or auto"
        )
    return torch.device(text)
