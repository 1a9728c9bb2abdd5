"""The float32 backend: weights as they were trained, one stream a thread, by numba."""

from collections.abc import Sequence

import numpy as np

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.parallel import mapped_ahead
from vqspeech.sampling import float32_kernels
from vqspeech.sampling.float32_weights import Float32State, new_state, pack_wavenet
from vqspeech.sampling.work import Work


class Float32Backend:
    """A decoder's weights in the order in which the kernels read them."""

    def __init__(self, decoder: WaveNetDecoder):
        self._net = pack_wavenet(decoder)

    def new_state(self) -> Float32State:
        """As in `Backend`."""
        return new_state(self._net)

    def sample(self, work: Sequence[Work], threads: int) -> list[np.ndarray]:
        """As in `Backend`."""
        return list(mapped_ahead(self._sampled, work, threads))

    def _sampled(self, work: Work) -> np.ndarray:
        out = np.empty(work.uniforms.shape, np.uint8)
        logits = np.empty((1, len(self._net.output_bias)), np.float32)
        float32_kernels.run(self._net, work, False, out, logits)
        return out

    def logits(self, work: Work, samples: np.ndarray) -> np.ndarray:
        """As in `Backend`."""
        logits = np.empty((len(samples), len(self._net.output_bias)), np.float32)
        float32_kernels.run(self._net, work, True, samples.copy(), logits)
        return logits.reshape(*samples.shape, -1)
