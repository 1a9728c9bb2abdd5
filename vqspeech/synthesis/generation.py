"""Speech from nothing: the prior invents codes, the renderer speaks them."""

from typing import Any

import numpy as np

from vqspeech.arguments import real
from vqspeech.codes.codes import Codes
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import Generation, chosen
from vqspeech.synthesis.voices import VoiceName, Voices

MAX_GENERATED_SECONDS = 3600.0


class Generator:
    """The prior of a model, at its two jobs beside `.vqs` files: measuring and inventing codes."""

    def __init__(self, loaded: LoadedModel, voices: Voices):
        self._loaded, self._voices = loaded, voices

    def bits_per_code(self, codes: Any, speaker: VoiceName = None) -> float:
        """-log2 p of a code of the first level under the prior, the mean; no speaker: under "any
        speaker".

        With what `VQVAE.nats_per_step` says it gives the paper's log p(x) ≈ log p(x | z_q) +
        log p(z_q). Raises InputError.
        """
        indices, name = self._loaded.as_codes(codes).by_level[0], self._voices.prior_name(speaker)
        return float(self._loaded.prior.bits(indices, name).mean())

    def codes(
        self,
        speaker: VoiceName = None,
        seconds: float = 4.0,
        options: Generation | None = None,
        **changes,
    ) -> Codes:
        """Draw codes from the prior (van den Oord et al. 2017, section 4.3: ancestral sampling).

        seconds: of what is invented, rounded up to whole codes. options, changes: of `Generation`.
        Raises InputError.
        """
        drawing = chosen(Generation, options, changes)
        seconds = real("seconds", seconds, 0, MAX_GENERATED_SECONDS, above=True)
        before = np.zeros(0, np.uint16)
        if drawing.prompt is not None:
            before = self._loaded.as_codes(drawing.prompt, "the prompt").by_level[0]
        config, seed = self._loaded.config, drawing.seed
        frames = int(np.ceil(seconds * config.frame_rate))
        speaker = self._voices.any(seed) if speaker is None else speaker
        name = self._voices.prior_name(speaker)
        prior, how = self._loaded.prior, (drawing.temperature, drawing.top_p, before)
        indices = np.concatenate([before, prior.generate(frames, name, seed, *how)])
        about = (config.hop, self._loaded.fingerprint)
        return Codes(indices, len(indices) * config.hop, *about, **self._loaded.shape)
