"""The prior at work on one sequence of codes: coding it, measuring it, inventing it."""

from collections.abc import Iterator

import numpy as np

from vqspeech.checkpoint.prior import StoredPrior
from vqspeech.sampling.prior_weights import new_state, pack_prior

HIGHEST_INVERSE = 1 << 26
"""Largest 1 / temperature that is told apart, in units of 2^-16: colder is greedy."""
PIECE = 1024
"""Codes whose distributions are held at once."""


class PriorCodec:
    """A prior packed into integers once: range coder, probabilities and sampler of one model.

    All of it is whole numbers, so it is the same on every machine, with any number of threads.
    """

    def __init__(self, stored: StoredPrior):
        self.speakers, self.fingerprint = stored.speakers, stored.fingerprint
        self._rows = {name: row for row, name in enumerate(stored.speakers)}
        self._net = pack_prior(stored.prior)

    @property
    def codes(self) -> int:
        """Size of the codebook."""
        return self._net.output_bias.shape[1]

    def _bias(self, speaker: str | None) -> np.ndarray:
        """Biases of the gates; a name that the prior does not know is "any speaker"."""
        return self._net.bias[self._rows.get(speaker, len(self.speakers))]

    def encode(self, codes: np.ndarray, speaker: str | None, inside: bool) -> bytes:
        """Range-code codes [F]. inside: they are not the start of a recording."""
        from vqspeech.sampling import rangecoder

        out = np.zeros(len(codes) * rangecoder.BYTES_A_CODE + 16, np.uint8)
        state = new_state(self._net, inside)
        size = rangecoder.encode(self._net, state, self._bias(speaker), codes.astype(np.int64), out)
        return out[:size].tobytes()

    def decode(self, data: bytes, count: int, speaker: str | None, inside: bool) -> np.ndarray:
        """The `count` codes (int64) behind `data`; rubbish, but no error, for other bytes."""
        from vqspeech.sampling import rangecoder

        out, state = np.empty(count, np.int64), new_state(self._net, inside)
        array = np.frombuffer(data, np.uint8)
        rangecoder.decode(self._net, state, self._bias(speaker), array, out)
        return out

    def bits(self, codes: np.ndarray, speaker: str | None, inside: bool = False) -> np.ndarray:
        """-log2 p of each code, float64 [F]."""
        from vqspeech.sampling.fixed_point import FREQUENCY_BITS

        found = self._forced(new_state(self._net, inside), codes, speaker)
        return FREQUENCY_BITS - np.concatenate([np.zeros(0), *map(np.log2, found)])

    def _forced(self, state, codes: np.ndarray, speaker: str | None) -> Iterator[np.ndarray]:
        """Frequencies of given codes [F], of 2^24, in pieces; moves `state` behind the last."""
        from vqspeech.sampling import fixed_point as exact

        for start in range(0, len(codes), PIECE):
            part = codes[start : start + PIECE].astype(np.int64)
            out = np.empty((len(part), self.codes), np.int64)
            exact.force(self._net, state, self._bias(speaker), part, out)
            yield out[np.arange(len(part)), part]

    def generate(
        self,
        frames: int,
        speaker: str | None,
        seed: int,
        temperature: float = 1.0,
        top_p: float = 1.0,
        prompt: np.ndarray | None = None,
    ) -> np.ndarray:
        """Draw codes uint16 [frames]; they go on from the codes of `prompt` where there is one."""
        from vqspeech.sampling import fixed_point as exact

        cold = temperature < exact.PLAIN / HIGHEST_INVERSE
        inverse = 0 if cold else round(exact.PLAIN / temperature)
        kept = round(top_p * (1 << exact.FREQUENCY_BITS))
        state, bias = new_state(self._net), self._bias(speaker)
        for _ in self._forced(state, prompt if prompt is not None else np.zeros(0), speaker):
            pass
        # Philox is defined by whole numbers alone, and so is the same everywhere, too.
        random = np.random.Generator(np.random.Philox(seed))
        out = np.empty(frames, np.int64)
        randoms = random.integers(1 << 31, size=frames)
        exact.sample(self._net, state, bias, inverse, kept, randoms, out)
        return out.astype(np.uint16)


class PriorCoder:
    """`PriorCodec` as the block coder of one speaker's bitstream."""

    def __init__(self, prior: PriorCodec, speaker: str):
        self._prior, self._speaker = prior, speaker or None

    def encode(self, codes: np.ndarray, inside: bool) -> bytes:
        return self._prior.encode(codes, self._speaker, inside)

    def decode(self, payload: bytes, count: int, inside: bool) -> np.ndarray:
        return self._prior.decode(payload, count, self._speaker, inside)
