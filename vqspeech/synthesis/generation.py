"""Speech from nothing: the prior invents codes, the renderer speaks them."""

import numpy as np

from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import Generation
from vqspeech.synthesis.voices import Voices

MAX_GENERATED_SECONDS = 3600.0


class Generator:
    """The prior of a model, at its two jobs beside `.vqs` files: measuring and inventing codes."""

    def __init__(self, loaded: LoadedModel, voices: Voices):
        self._loaded, self._voices = loaded, voices

    def bits_per_code(self, codes: Codes, speaker: str | None) -> float:
        """`Codec.bits_per_code`."""
        self._loaded.check_codes(codes)
        return float(self._loaded.prior.bits(codes.indices, self._voices.known(speaker)).mean())

    def codes(self, speaker: str | None, seconds: float, options: Generation) -> Codes:
        """`Codec.generate_codes`."""
        if not 0 < seconds <= MAX_GENERATED_SECONDS:
            raise InputError(
                f"{seconds:g} seconds cannot be generated; ask for more than 0 and at most "
                f"{MAX_GENERATED_SECONDS:g}"
            )
        before = np.zeros(0, np.uint16)
        if options.prompt is not None:
            self._loaded.check_codes(options.prompt)
            before = options.prompt.indices
        config, seed = self._loaded.config, options.seed
        frames = int(np.ceil(seconds * config.frame_rate))
        name = self._voices.known(speaker) or self._voices.any(seed)
        prior, how = self._loaded.prior, (options.temperature, options.top_p, before)
        indices = np.concatenate([before, prior.generate(frames, name, seed, *how)])
        return Codes(indices, len(indices) * config.hop, config.hop, self._loaded.fingerprint)
