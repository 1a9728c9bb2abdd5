"""Whisper's encoder for a teacher: from a folder, or by a name on the hub.

A folder has the model in CTranslate2's format (`model.bin`, as faster-whisper takes it) or in that
of `transformers` (config.json and safetensors); the hub has the latter. Nothing is unpickled.
"""

import mmap
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vqspeech.checkpoint.identity import fingerprint
from vqspeech.errors import InputError

WEIGHTS = "model.bin"
FLOATS = {0: np.dtype("<f4"), 4: np.dtype("<f2")}
"""CTranslate2's numbers of the types that a teacher may have."""
MOST_TENSORS = 100_000


class WhisperWeights(NamedTuple):
    """An encoder's tensors (float32) by the names that `transformers` gives them."""

    name: str
    tensors: dict[str, Tensor]
    heads: int

    @property
    def mels(self) -> int:
        return self.tensors["conv1.weight"].shape[1]

    @property
    def width(self) -> int:
        return self.tensors["conv1.weight"].shape[0]

    @property
    def positions(self) -> int:
        """States, at most, of a recording."""
        return self.tensors["embed_positions.weight"].shape[0]

    @property
    def layers(self) -> int:
        return sum(key.endswith(".fc1.weight") for key in self.tensors)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that name the weights, at any precision."""
        return fingerprint({key: value.half() for key, value in self.tensors.items()})

    def encoder(self, layers: int | None = None) -> Any:
        """A `transformers.WhisperEncoder`; layers: only the first so many, without the last norm.

        Raises InputError if the tensors are no encoder's.
        """
        config, encoder = _library()
        shape = config(
            d_model=self.width,
            encoder_layers=self.layers if layers is None else layers,
            encoder_attention_heads=self.heads,
            encoder_ffn_dim=self.tensors["layers.0.fc1.weight"].shape[0],
            num_mel_bins=self.mels,
            max_source_positions=self.positions,
        )
        made = encoder(shape)
        own = {key: self.tensors[key] for key in made.state_dict() if key in self.tensors}
        try:
            made.load_state_dict(own)
        except RuntimeError:
            raise InputError(
                f"{self.name}: its tensors are not those of Whisper's encoder; get it again"
            ) from None
        if layers is not None:
            made.layer_norm = nn.Identity()
        return made


def _library() -> tuple[Any, Any]:
    try:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder
    except ImportError as error:
        raise InputError(
            f"a teacher needs the extra: pip install 'vqspeech[teacher]' ({error})"
        ) from None
    return WhisperConfig, WhisperEncoder


def load_whisper(name: str) -> WhisperWeights:
    """The encoder of a folder or of a name on the hub. Raises InputError."""
    folder = Path(name)
    if folder.is_file():
        raise InputError(f"{name}: is a file; give the folder that holds the model")
    if (folder / WEIGHTS).is_file():
        return _from_ctranslate2(folder)
    return _from_transformers(name)


def _from_transformers(name: str) -> WhisperWeights:
    _library()
    from transformers import WhisperModel
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        loaded: Any = WhisperModel.from_pretrained(
            name, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
        model, info = loaded
        if lacking := sorted(key for key in info["missing_keys"] if key.startswith("encoder.")):
            raise ValueError(f"it lacks {lacking[0]}")  # which would be random numbers
        tensors = model.encoder.state_dict()
        found = WhisperWeights(_short(name), tensors, model.config.encoder_attention_heads)
        found.encoder()
    except InputError:
        raise
    except Exception as error:  # files and the hub's client have many kinds, all about this name
        what = (
            "holds no Whisper model" if os.path.isdir(name) else "no such folder, and the hub says"
        )
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{name}: {what} ({reason}); give a folder with Whisper's {WEIGHTS}, or with its "
            "config.json and model.safetensors, or a name such as openai/whisper-base"
        ) from None
    return found


def _short(name: str) -> str:
    """What a model's note calls it: a name on the hub, or a folder without where it lies."""
    return Path(name).resolve().name if os.path.isdir(name) else name


def _from_ctranslate2(folder: Path) -> WhisperWeights:
    path = folder / WEIGHTS
    try:
        stored = _read_ctranslate2(path)
        tensors, heads = _renamed(stored), int(stored["encoder/num_heads"])
    except (OSError, ValueError, KeyError, struct.error, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(
            f"{path}: cannot be read as Whisper's weights in CTranslate2's format, float16 or "
            f"float32 ({reason}); get it again"
        ) from None
    found = WhisperWeights(_short(str(folder)), tensors, heads)
    found.encoder()
    return found


def _read_ctranslate2(path: Path) -> dict[str, np.ndarray]:
    """The tensors of the encoder in a `model.bin`.

    The file: a version, the name and the revision of a specification, a number of tensors; of each
    its name, rank, sizes, type, bytes and values. Numbers are little-endian.
    """
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        place = 0

        def take(form: str) -> tuple[int, ...]:
            nonlocal place
            values = struct.unpack_from("<" + form, data, place)
            place += struct.calcsize("<" + form)
            return values

        def text() -> str:
            nonlocal place
            (length,) = take("H")
            place += length
            return data[place - length : place].rstrip(b"\0").decode()

        take("I"), text()
        _, count = take("II")
        if count > MOST_TENSORS:
            raise ValueError(f"{count} tensors")
        found = {}
        for _ in range(count):
            name = text()
            shape = take("I" * take("B")[0])
            kind, size = take("BI")
            if place + size > len(data):
                raise ValueError("it ends too early")
            if name == "encoder/num_heads":
                found[name] = np.frombuffer(data[place : place + size], f"<i{size}")[0]
            elif name.startswith("encoder/") and kind in FLOATS:
                values = np.frombuffer(data[place : place + size], FLOATS[kind])
                found[name] = values.reshape(shape)
            place += size
        return found


LAYER = {
    "self_attention/layer_norm": "self_attn_layer_norm",
    "self_attention/linear_1": "self_attn.out_proj",
    "ffn/layer_norm": "final_layer_norm",
    "ffn/linear_0": "fc1",
    "ffn/linear_1": "fc2",
}
"""Parts of a layer by CTranslate2's names and by those of `transformers`."""
QUERIES = "self_attention/linear_0"
"""Of queries, keys and values, one below another."""
PARTS = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}


def _renamed(stored: dict[str, np.ndarray]) -> dict[str, Tensor]:
    """CTranslate2's tensors by the names of `transformers`. Raises KeyError, ValueError."""
    out = {"embed_positions.weight": stored["encoder/position_encodings/encodings"]}
    for own, name in (("layer_norm", "layer_norm"), ("conv1", "conv1"), ("conv2", "conv2")):
        out |= _parts(stored, f"encoder/{own}/", f"{name}.")
    layer = 0
    while f"encoder/layer_{layer}/{QUERIES}/weight" in stored:
        begin, name = f"encoder/layer_{layer}/", f"layers.{layer}."
        for own, known in LAYER.items():
            out |= _parts(stored, f"{begin}{own}/", f"{name}{known}.")
        for part in ("weight", "bias"):
            three = np.split(stored[f"{begin}{QUERIES}/{part}"], 3)
            for one, values in zip(("q", "k", "v"), three, strict=True):
                out[f"{name}self_attn.{one}_proj.{part}"] = values
        del out[f"{name}self_attn.k_proj.bias"]  # Whisper's keys have none: it is all zeros
        layer += 1
    if not layer:
        raise ValueError("it has no layers in floating point")
    return {key: torch.from_numpy(value.astype(np.float32)) for key, value in out.items()}


def _parts(stored: dict[str, np.ndarray], begin: str, name: str) -> dict[str, np.ndarray]:
    """The weight and bias of one part."""
    return {
        name + part: stored[begin + own] for own, part in PARTS.items() if begin + own in stored
    }
