"""Free-running synthesis of one stream: hidden frames in, waveform out, in bounded memory."""

import numpy as np
import torch
from torch import Tensor

from vqspeech.nn.decoder import WaveNetDecoder
from vqspeech.nn.subbands import TAPS, FilterBank
from vqspeech.sampling.packed import PackedWaveNet, new_state, pack_wavenet


class BandJoiner:
    """Band signals in, waveform out, block by block; equal to `FilterBank.join` of the whole."""

    def __init__(self, bank: FilterBank):
        self._bank = bank
        self._tail = torch.zeros(1, TAPS + 1 - bank.bands)  # moves to the device of the bands
        self._skip = TAPS // 2  # the response begins this early

    def add(self, bands: Tensor) -> np.ndarray:
        """The next [1, bands, N] to the samples that are now final, float32."""
        whole = self._bank.overlap(bands)
        keep = self._tail.shape[1]
        whole = torch.nn.functional.pad(whole, (0, max(0, keep - whole.shape[1])))
        whole[:, :keep] += self._tail.to(whole.device)
        done = bands.shape[-1] * self._bank.bands
        self._tail = whole[:, done:]
        return self._drop_early(whole[0, :done].cpu().numpy())

    def finish(self) -> np.ndarray:
        """The samples still held back."""
        return self._drop_early(self._tail[0].cpu().numpy())[: TAPS // 2]

    def _drop_early(self, samples: np.ndarray) -> np.ndarray:
        early = min(self._skip, len(samples))
        self._skip -= early
        return samples[early:]


class WaveNetStream:
    """One utterance being sampled; its random numbers depend on `seed` alone.

    temperature: 1 samples the model's distribution, less is cleaner and duller, 0 is greedy.
    """

    def __init__(
        self, decoder: WaveNetDecoder, net: PackedWaveNet, hold: int, seed: int, temperature: float
    ):
        self._decoder, self._net, self._hold = decoder, net, hold
        self._temperature = temperature
        self._random = np.random.Generator(np.random.Philox(seed))
        self._state = new_state(net)
        self._joiner = BandJoiner(decoder.bank)

    def add(self, hidden: Tensor) -> np.ndarray:
        """The next hidden frames [1, H, F] to the samples that are now final, float32."""
        from vqspeech.sampling import kernels  # numba takes a second to import

        bias = self._decoder.conditioning(hidden)[0].detach().cpu().numpy()
        steps = len(bias) * self._hold
        uniforms = self._random.random((steps, self._decoder.bands), dtype=np.float32)
        out = np.empty(uniforms.shape, np.uint8)
        kernels.run(self._net, self._state, bias, self._hold, uniforms, self._temperature, out)
        indices = torch.from_numpy(out.astype(np.int64))[None].to(hidden.device)
        return self._joiner.add(self._decoder.bands_of(indices))

    def finish(self) -> np.ndarray:
        """The last samples, once all frames are in."""
        return self._joiner.finish()


class WaveNetSampler:
    """A decoder packed once, to start streams from."""

    def __init__(self, decoder: WaveNetDecoder, hold: int):
        """hold: WaveNet steps a hidden frame."""
        self._decoder, self._hold = decoder, hold
        self._net = pack_wavenet(decoder)

    def stream(self, seed: int = 0, temperature: float = 1.0) -> WaveNetStream:
        """A new utterance."""
        return WaveNetStream(self._decoder, self._net, self._hold, seed, temperature)
