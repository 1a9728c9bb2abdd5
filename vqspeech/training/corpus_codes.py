"""The codes of a packed corpus: extracted once, kept in one file, cut into training crops."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from vqspeech.config.networks import QuantizerConfig
from vqspeech.data.index import SPLITS
from vqspeech.data.packed import PackedCorpus
from vqspeech.files import whole_path
from vqspeech.nn.vqvae import VQVAE
from vqspeech.synthesis.streaming import ChunkEncoder

CODES_FILE = "codes.safetensors"


@dataclass(frozen=True)
class CorpusCodes:
    """Codes of the utterances of one split, one after another.

    indices: uint16 [N]. ends: int64 [U], where each utterance ends there. speakers: int64 [U], the
    rows of their speakers.
    """

    indices: np.ndarray
    ends: np.ndarray
    speakers: np.ndarray

    @property
    def starts(self) -> np.ndarray:
        """Where each utterance begins in `indices`, int64 [U]."""
        return np.concatenate([[0], self.ends[:-1]]).astype(np.int64)

    def rows(self, quantizer: QuantizerConfig) -> np.ndarray:
        """Each code's row among the entries of all codebooks, int64 [N]."""
        places = np.arange(len(self.indices)) - np.repeat(self.starts, self.ends - self.starts)
        return quantizer.rows(self.indices, places)

    def utterances(self):
        """(codes uint16 [F], speaker row) of each utterance."""
        for start, end, speaker in zip(self.starts, self.ends, self.speakers, strict=True):
            yield self.indices[start:end], int(speaker)


def corpus_codes(
    model: VQVAE,
    identity: str,
    corpus: PackedCorpus,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, CorpusCodes]:
    """Codes of both splits, from `folder` if it has them, else extracted and kept there.

    identity: of the model's codes; with the corpus it decides whether kept codes are the ones.
    progress: called with the utterances done and their number. Raises OSError if the folder cannot
    be written.
    """
    about = {"codes": identity, "corpus": corpus.hash}
    path = folder / CODES_FILE
    tensors = _kept(path, about)
    if tensors is None:
        tensors = _extract(model, corpus, progress)
        with whole_path(path) as partial:
            save_file(tensors, partial, about)
    return {
        split: CorpusCodes(
            *(tensors[f"{split}.{part}"] for part in ("indices", "ends", "speakers"))
        )
        for split in SPLITS
    }


def _kept(path: Path, about: dict[str, str]) -> dict[str, np.ndarray] | None:
    """What is kept, or None where there is nothing, or something else, or something broken."""
    try:
        with safe_open(path, "np") as file:
            if file.metadata() != about:
                return None
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (no mapping)
    except (OSError, SafetensorError):
        return None


@torch.inference_mode()
def _extract(model: VQVAE, corpus: PackedCorpus, progress) -> dict[str, np.ndarray]:
    tensors, done = {}, 0
    total = sum(len(corpus.rows(split)) for split in SPLITS)
    for split in SPLITS:
        indices, lengths, speakers = [np.zeros(0, np.uint16)], [], []
        for _, row, audio in corpus.utterances(split):
            # The corpus is at the codec's level and high-passed already: no more is done to it.
            chunks = ChunkEncoder(model)
            parts = chunks.add(audio.astype(np.float32) / 32768) + chunks.finish()
            indices += [part.astype(np.uint16) for part in parts]
            lengths.append(sum(map(len, parts)))
            speakers.append(row)
            progress(done := done + 1, total)
        tensors[f"{split}.indices"] = np.concatenate(indices)
        tensors[f"{split}.ends"] = np.cumsum(lengths, dtype=np.int64)
        tensors[f"{split}.speakers"] = np.array(speakers, np.int64)
    return tensors
