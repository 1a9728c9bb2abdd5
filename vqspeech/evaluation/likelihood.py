"""What the decoder knows of a recording by its codes: teacher-forced, a measure of the model and
never a reconstruction."""

import numpy as np
import torch

from vqspeech.audio.pitch import f0_frames
from vqspeech.codes.codes import Codes
from vqspeech.evaluation.protocol import Codec
from vqspeech.synthesis.levelling import levelled


def nats_per_step(
    codec: Codec, wave: np.ndarray, codes: Codes, vector: torch.Tensor
) -> dict[str, float]:
    """-log p(x | codes, speaker) of a recording [T] at 16 kHz, in nats a WaveNet step.

    vector: the speaker's, [1, S]. `right`: with its codes; `shuffled`: with them in random order.
    The difference is what the decoder learns from them. A model with `decoder.harmonics` is
    given the phase of the fundamental, one with `decoder.long_term` its period, too.
    """
    level = levelled(wave)
    level = np.pad(level, (0, codes.frames * codes.hop - len(level)))

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array)[None].to(vector.device)

    decoder = codec.loaded.config.decoder
    follows = decoder.harmonics or decoder.long_term
    f0 = on_device(f0_frames(level)) if follows else None
    indices = codes.indices.astype(np.int64)
    shuffled = np.random.default_rng(0).permutation(indices, axis=-1)
    orders = {"right": indices, "shuffled": shuffled}
    return {
        name: codec.loaded.model.nats_per_step(
            on_device(level), on_device(order), vector, f0
        ).item()
        for name, order in orders.items()
    }
