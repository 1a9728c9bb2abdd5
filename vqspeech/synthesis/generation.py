"""Speech from nothing: the prior invents codes, the renderer speaks them."""

import numpy as np

from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import Generation, chosen
from vqspeech.synthesis.voices import Voices

MAX_GENERATED_SECONDS = 3600.0


class Generator:
    """The prior of a model, at its two jobs beside `.vqs` files: measuring and inventing codes."""

    def __init__(self, loaded: LoadedModel, voices: Voices):
        self._loaded, self._voices = loaded, voices

    def bits_per_code(self, codes: Codes, speaker: str | None = None) -> float:
        """-log2 p of a code under the prior, the mean; no speaker: under "any speaker".

        With what `VQVAE.nats_per_step` says it gives the paper's log p(x) ≈ log p(x | z_q) +
        log p(z_q). Raises InputError.
        """
        self._loaded.check_codes(codes)
        return float(self._loaded.prior.bits(codes.indices, self._voices.known(speaker)).mean())

    def codes(
        self,
        speaker: str | None = None,
        seconds: float = 4.0,
        options: Generation | None = None,
        **changes,
    ) -> Codes:
        """Draw codes from the prior (van den Oord et al. 2017, section 4.3: ancestral sampling).

        seconds: of what is invented, rounded up to whole codes. options, changes: of `Generation`.
        Raises InputError.
        """
        drawing = chosen(Generation, options, changes)
        if not 0 < seconds <= MAX_GENERATED_SECONDS:
            raise InputError(
                f"{seconds:g} seconds cannot be generated; ask for more than 0 and at most "
                f"{MAX_GENERATED_SECONDS:g}"
            )
        before = np.zeros(0, np.uint16)
        if drawing.prompt is not None:
            self._loaded.check_codes(drawing.prompt)
            before = drawing.prompt.indices
        config, seed = self._loaded.config, drawing.seed
        frames = int(np.ceil(seconds * config.frame_rate))
        name = self._voices.known(speaker) or self._voices.any(seed)
        prior, how = self._loaded.prior, (drawing.temperature, drawing.top_p, before)
        indices = np.concatenate([before, prior.generate(frames, name, seed, *how)])
        return Codes(indices, len(indices) * config.hop, config.hop, self._loaded.fingerprint)
