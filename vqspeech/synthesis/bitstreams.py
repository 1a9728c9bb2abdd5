"""`.vqs` files of a model: its codes, range-coded with the probabilities that its prior gives."""

from collections.abc import Iterator
from typing import Any

from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import SHORT_PRIOR, BlockCoder, Header, PackedCoder
from vqspeech.codes.codes import Codes
from vqspeech.codes.stream import CodeStream
from vqspeech.codes.vqs import Contents, Named, load_vqs, save_vqs
from vqspeech.errors import InputError
from vqspeech.sampling.entropy import PriorCoder
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.voices import Voices

BLOCK_SECONDS, MAX_BLOCK_SECONDS = 2.0, 20.0
"""Of speech in a block of a stream: what a listener waits for, and headers of 13 bytes cost."""


class Bitstreams:
    """Writes and reads the files of one model's codes."""

    def __init__(self, loaded: LoadedModel, voices: Voices):
        self._loaded, self._voices = loaded, voices

    def save(
        self,
        codes: Any,
        path: Named,
        speaker: str | None = None,
        packed: bool = False,
    ) -> int:
        """Write codes as a `.vqs` file, range-coded by the prior; returns its bytes.

        speaker: whose they are, if it is known: fewer bits, and the voice to decode with. packed:
        plain indices instead, as for a model without a prior. Raises InputError.
        """
        codes = self._loaded.as_codes(codes)
        header = self._header(codes.samples, speaker, packed)
        return save_vqs(path, header, codes.indices, self.block_coder(header))

    def streamed(
        self,
        codes: CodeStream,
        speaker: str | None = None,
        packed: bool = False,
        block_seconds: float = BLOCK_SECONDS,
    ) -> Iterator[bytes]:
        """The bytes of a `.vqs` stream, block by block, as its codes come; the rest as in `save`.

        block_seconds: of codes that a block waits for, up to 20: longer ones take fewer bytes.
        Raises InputError, before any code is asked for.
        """
        books, rate = self._loaded.config.quantizer.codebooks, self._loaded.config.frame_rate
        if not 0 < block_seconds <= MAX_BLOCK_SECONDS:  # nor NaN
            raise InputError(f"blocks of {block_seconds} s must be above 0, up to 20 s")
        size = min(round(block_seconds * rate), bitstream.BLOCK_CODES) // books * books
        header = self._header(None, speaker, packed)
        return bitstream.streamed(header, codes, self.block_coder(header), max(books, size))

    def _header(self, samples: int | None, speaker: str | None, packed: bool) -> Header:
        loaded, config = self._loaded, self._loaded.config
        known = self._voices.known(speaker) or ""
        prior = "" if packed or not loaded.has_prior else loaded.prior.fingerprint[:SHORT_PRIOR]
        sizes = (config.hop, config.quantizer.codebook_size, samples)
        return Header(loaded.codes_identity, prior, *sizes, config.name, known)

    def load(self, path: Named, salvage: bool = False) -> tuple[Codes, str | None, Contents]:
        """Read a `.vqs` file: (codes, the speaker that it names or None, all that was read).

        salvage: keep the intact blocks of a damaged file. Raises InputError.
        """
        contents = load_vqs(path, self.block_coder, salvage)
        if not len(contents.codes):
            raise InputError(f"{path}: holds no codes; encode the recording again")
        config = self._loaded.config
        books = config.quantizer.codebooks
        about = (contents.samples, config.hop, self._loaded.fingerprint, books)
        return Codes(contents.codes, *about), contents.header.speaker or None, contents

    def block_coder(self, header: Header) -> BlockCoder:
        """What turns this model's codes into a file's blocks and back. Raises InputError."""
        loaded, config = self._loaded, self._loaded.config
        own = (loaded.codes_identity, config.hop, config.quantizer.codebook_size)
        if (header.codes, header.hop, header.codebook_size) != own:
            raise InputError(
                f"was made by model {header.model} (codes {header.codes}), this is {config.name} "
                f"(codes {loaded.codes_identity}); name the model that made it with --model"
            )
        if not header.prior:
            return PackedCoder(header.bits)
        if loaded.prior.fingerprint[:SHORT_PRIOR] != header.prior:
            raise InputError(
                f"was coded with prior {header.prior} of model {header.model}, this is "
                f"{config.name} with prior {loaded.prior.fingerprint[:SHORT_PRIOR]}; name the "
                "model that made it with --model"
            )
        return PriorCoder(loaded.prior, header.speaker)
