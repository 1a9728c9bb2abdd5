"""The prior at work on one sequence of codes: coding it, measuring it, inventing it."""

from collections.abc import Iterator

import numpy as np

from vqspeech.nn.prior import Prior
from vqspeech.sampling.prior_weights import PriorState, new_state, pack_prior

HIGHEST_INVERSE = 1 << 26
"""Largest 1 / temperature that is told apart, in units of 2^-16: colder is greedy."""
PIECE = 1024
"""Codes whose distributions are held at once."""


class PriorCodec:
    """A prior packed into integers once: range coder, probabilities and sampler of one model.

    All of it is whole numbers, so it is the same on every machine, with any number of threads.
    """

    # Local imports: only what is called waits for numba.

    def __init__(self, prior: Prior, speakers: list[str], fingerprint: str):
        """speakers: names of the prior's rows. fingerprint: of its weights, for files to name."""
        self.speakers, self.fingerprint = speakers, fingerprint
        self._rows: dict[str | None, int] = {name: row for row, name in enumerate(speakers)}
        self._net = pack_prior(prior)

    def _conditioning(self, speaker: str | None) -> np.ndarray:
        """Biases of the gates; a name that the prior does not know is "any speaker"."""
        return self._net.conditioning[self._rows.get(speaker, len(self.speakers))]

    def encode(self, codes: np.ndarray, speaker: str | None, inside: bool) -> bytes:
        """Range-code codes [F]. inside: they are not the start of a recording."""
        from vqspeech.sampling.rangecoder import BYTES_A_CODE, encode

        out = np.zeros(len(codes) * BYTES_A_CODE + 16, np.uint8)
        state, conditioning = new_state(self._net, inside), self._conditioning(speaker)
        return out[: encode(self._net, state, conditioning, codes.astype(np.int64), out)].tobytes()

    def decode(self, data: bytes, count: int, speaker: str | None, inside: bool) -> np.ndarray:
        """The `count` codes (int64) behind `data`; rubbish, but no error, for other bytes."""
        from vqspeech.sampling.rangecoder import decode

        out, array = np.empty(count, np.int64), np.frombuffer(data, np.uint8)
        decode(self._net, new_state(self._net, inside), self._conditioning(speaker), array, out)
        return out

    def bits(self, codes: np.ndarray, speaker: str | None, inside: bool = False) -> np.ndarray:
        """-log2 p of each code, float64 [F]."""
        from vqspeech.sampling.fixed_point import FREQUENCY_BITS

        found = self._forced(new_state(self._net, inside), codes, speaker)
        return FREQUENCY_BITS - np.concatenate([np.zeros(0), *map(np.log2, found)])

    def _forced(
        self, state: PriorState, codes: np.ndarray, speaker: str | None
    ) -> Iterator[np.ndarray]:
        """Frequencies of given codes [F], of 2^24, in pieces; moves `state` behind the last."""
        from vqspeech.sampling.fixed_point import force

        for start in range(0, len(codes), PIECE):
            part = codes[start : start + PIECE].astype(np.int64)
            out = np.empty((len(part), self._net.output_bias.shape[1]), np.int64)
            force(self._net, state, self._conditioning(speaker), part, out)
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
        from vqspeech.sampling.fixed_point import FREQUENCY_BITS, PLAIN, Drawing, sample

        cold = temperature < PLAIN / HIGHEST_INVERSE
        inverse = 0 if cold else round(PLAIN / temperature)
        drawing = Drawing(inverse, round(top_p * (1 << FREQUENCY_BITS)))
        state = new_state(self._net)
        for _ in self._forced(state, np.zeros(0) if prompt is None else prompt, speaker):
            pass
        # Philox is defined by whole numbers alone, and so is the same everywhere, too.
        random = np.random.Generator(np.random.Philox(seed))
        randoms, out = random.integers(1 << 31, size=frames), np.empty(frames, np.int64)
        sample(self._net, state, self._conditioning(speaker), drawing, randoms, out)
        return out.astype(np.uint16)


class PriorCoder:
    """`PriorCodec` as the block coder of one speaker's bitstream."""

    def __init__(self, prior: PriorCodec, speaker: str):
        self._prior, self._speaker = prior, speaker or None

    def encode(self, codes: np.ndarray, inside: bool) -> bytes:
        return self._prior.encode(codes, self._speaker, inside)

    def decode(self, payload: bytes, count: int, inside: bool) -> np.ndarray:
        return self._prior.decode(payload, count, self._speaker, inside)
