"""What a codec does with the prior of its model: `.vqs` files, and speech from nothing."""

import os
from functools import cached_property

import numpy as np

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.prior import load_prior
from vqspeech.codes.bitstream import SHORT_PRIOR, BlockCoder, Header, PackedCoder
from vqspeech.codes.codes import Codes
from vqspeech.codes.vqs import Contents, load_vqs, save_vqs
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.sampling.checks import check_sampling
from vqspeech.sampling.entropy import PriorCodec, PriorCoder

MAX_GENERATED_SECONDS = 3600.0


class WithPrior:
    """The part of `Codec` that needs the prior, or the identity of the codes that it predicts."""

    @cached_property
    def codes_identity(self) -> str:
        """16 hex digits that name the codes; models that differ in the decoder only share them."""
        return codes_identity(self.model.state_dict())

    @cached_property
    def prior(self) -> PriorCodec:
        """The model's prior. Raises InputError if it has none."""
        return PriorCodec(load_prior(self.folder, self.model))

    @property
    def has_prior(self) -> bool:
        return (self.folder / PRIOR_FILE).exists()

    def bits_per_code(self, codes: Codes, speaker: str | None = None) -> float:
        """-log2 p of a code under the prior, the mean; no speaker: under "any speaker".

        With what `nats_per_step` says it gives the paper's log p(x) ≈ log p(x | z_q) + log p(z_q).
        Raises InputError.
        """
        self.check_codes(codes)
        return float(self.prior.bits(codes.indices, self._known(speaker)).mean())

    # .vqs files

    def save_vqs(
        self,
        codes: Codes,
        path: str | os.PathLike,
        speaker: str | None = None,
        packed: bool = False,
    ) -> int:
        """Write codes as a `.vqs` file, range-coded by the prior; returns its bytes.

        speaker: whose they are, if it is known: fewer bits, and the voice to decode with. packed:
        plain indices instead, as for a model without a prior. Raises InputError.
        """
        self.check_codes(codes)
        known = self._known(speaker) or ""
        prior = "" if packed or not self.has_prior else self.prior.fingerprint[:SHORT_PRIOR]
        header = Header(
            self.codes_identity,
            prior,
            self.hop,
            self.codebook_size,
            codes.samples,
            self.name,
            known,
        )
        return save_vqs(path, header, codes.indices, self.block_coder(header))

    def load_vqs(
        self, path: str | os.PathLike, salvage: bool = False
    ) -> tuple[Codes, str | None, Contents]:
        """Read a `.vqs` file: (codes, the speaker that it names or None, all that was read).

        salvage: keep the intact blocks of a damaged file. Raises InputError.
        """
        contents = load_vqs(path, self.block_coder, salvage)
        if not len(contents.codes):
            raise InputError(f"{path}: holds no codes; encode the recording again")
        codes = Codes(contents.codes, contents.samples, self.hop, self.fingerprint)
        return codes, contents.header.speaker or None, contents

    def block_coder(self, header: Header) -> BlockCoder:
        """What turns this model's codes into a file's blocks and back. Raises InputError."""
        own = (self.codes_identity, self.hop, self.codebook_size)
        if (header.codes, header.hop, header.codebook_size) != own:
            raise InputError(
                f"was made by model {header.model} (codes {header.codes}), this is {self.name} "
                f"(codes {self.codes_identity}); name the model that made it with --model"
            )
        if not header.prior:
            return PackedCoder(header.bits)
        if self.prior.fingerprint[:SHORT_PRIOR] != header.prior:
            raise InputError(
                f"was coded with prior {header.prior} of model {header.model}, this is "
                f"{self.name} with prior {self.prior.fingerprint[:SHORT_PRIOR]}; name the model "
                "that made it with --model"
            )
        return PriorCoder(self.prior, header.speaker)

    def _known(self, speaker: str | None) -> str | None:
        """The name, which must be one of the model's, or None."""
        if speaker is not None:
            self.speaker_row(speaker)
        return speaker

    # Speech from nothing

    def any_speaker(self, seed: int) -> str:
        """A speaker drawn by `seed`, for who names none; not `other`, which is nobody's voice."""
        names = [name for name in self.speakers if name != OTHER] or self.speakers
        return names[int(np.random.Generator(np.random.Philox(seed)).integers(len(names)))]

    def generate_codes(
        self,
        speaker: str | None = None,
        seconds: float = 4.0,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        prompt: Codes | None = None,
    ) -> Codes:
        """Draw codes from the prior (van den Oord et al. 2017, section 4.3: ancestral sampling).

        seconds: of what is invented, rounded up to whole codes. temperature: below 1 likelier
        codes, 0 the likeliest. top_p: only the likeliest codes that reach this probability
        together. prompt: codes of a recording to go on from; the result begins with them.
        The same arguments give the same codes on every machine. Raises InputError.
        """
        if not 0 < seconds <= MAX_GENERATED_SECONDS:
            raise InputError(
                f"{seconds:g} seconds cannot be generated; ask for more than 0 and at most "
                f"{MAX_GENERATED_SECONDS:g}"
            )
        check_sampling(seed, temperature)
        if not 0 < top_p <= 1:
            raise InputError(f"top_p {top_p} must be above 0 and at most 1")
        before = np.zeros(0, np.uint16)
        if prompt is not None:
            self.check_codes(prompt)
            before = prompt.indices
        frames = int(np.ceil(seconds * self.frame_rate))
        name = self._known(speaker) or self.any_speaker(seed)
        new = self.prior.generate(frames, name, seed, temperature, top_p, before)
        indices = np.concatenate([before, new])
        return Codes(indices, len(indices) * self.hop, self.hop, self.fingerprint)

    def generate(
        self,
        speaker: str | None = None,
        seconds: float = 4.0,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
        prompt: Codes | None = None,
        preview: bool = False,
    ) -> np.ndarray:
        """Invent speech, float32 [T] at 16 kHz: `generate_codes`, decoded as `decode` does."""
        name = self._known(speaker) or self.any_speaker(seed)
        options = {"temperature": temperature, "top_p": top_p, "prompt": prompt}
        codes = self.generate_codes(name, seconds, seed=seed, **options)
        return self.decode(codes, name, seed=seed, preview=preview)
