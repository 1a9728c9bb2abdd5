"""The float32 backend: weights as they were trained, one stream a thread, by numba."""

from collections.abc import Sequence

import numpy as np

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.parallel import mapped_ahead
from vqspeech.sampling import float32_kernels
from vqspeech.sampling.float32_weights import Float32State, new_state, pack_wavenet
from vqspeech.sampling.work import Drawn, Work


class Float32Backend:
    """A decoder's weights in the order in which the kernels read them."""

    def __init__(self, decoder: WaveNetDecoder):
        self._net = pack_wavenet(decoder)

    def new_state(self) -> Float32State:
        """As in `Backend`."""
        return new_state(self._net)

    def sample(self, work: Sequence[Work], threads: int) -> list[Drawn]:
        """As in `Backend`."""
        return list(mapped_ahead(self._sampled, work, threads))

    def _sampled(self, work: Work) -> Drawn:
        drawn = Drawn(np.empty(work.uniforms.shape, np.uint8), np.empty_like(work.uniforms))
        logits = np.empty((1, len(self._net.output_bias)), np.float32)
        float32_kernels.run(self._net, work, False, *drawn, logits)
        return drawn

    def logits(self, work: Work, samples: np.ndarray) -> np.ndarray:
        """As in `Backend`."""
        logits = np.empty((len(samples), len(self._net.output_bias)), np.float32)
        bands = np.empty(samples.shape, np.float32)
        float32_kernels.run(self._net, work, True, samples.copy(), bands, logits)
        return logits.reshape(*samples.shape, -1)
