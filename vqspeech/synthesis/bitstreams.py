"""`.vqs` files of a model: its codes, range-coded with the probabilities that its prior gives."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from vqspeech.arguments import switch
from vqspeech.checkpoint.voices import Voice
from vqspeech.codes import bitstream
from vqspeech.codes.bitstream import BlockCoder, PackedCoder
from vqspeech.codes.codes import Codes
from vqspeech.codes.header import BLOCK_CODES, SHORT_PRIOR, Header
from vqspeech.codes.own_voice import read_voice, voice_bytes
from vqspeech.codes.stream import CodeStream
from vqspeech.codes.vqs import Contents, Named, load_vqs, save_vqs
from vqspeech.errors import InputError
from vqspeech.sampling.entropy import PriorCoder
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.voices import VoiceName, Voices

BLOCK_SECONDS, MAX_BLOCK_SECONDS = 2.0, 20.0
"""Of speech in a block of a stream: what a listener waits for, and headers of 13 bytes cost."""

SAME = 0.02
"""Of a voice's largest value: how far values of the same voice may be apart."""


class Bitstreams:
    """Writes and reads the files of one model's codes."""

    def __init__(self, loaded: LoadedModel, voices: Voices):
        self._loaded, self._voices = loaded, voices

    def save(
        self,
        codes: Any,
        path: Named,
        speaker: VoiceName = None,
        packed: bool = False,
    ) -> int:
        """Write codes as a `.vqs` file, range-coded by the prior; returns its bytes.

        speaker: the voice to decode with: a name of the model, which makes for fewer bits, or any
        other voice; None for the codes' own, if they have one. packed: plain indices instead, as
        for a model without a prior. Raises InputError.
        """
        codes, packed = self._loaded.as_codes(codes), switch("packed", packed)
        header = self._header(codes.samples, speaker, packed, codes.levels)
        if speaker is None and codes.voice is not None:
            header = replace(header, voice=self._kept(self._voices.own(codes).vector))
        return save_vqs(path, header, codes.indices, self.block_coder(header))

    def streamed(
        self,
        codes: CodeStream,
        speaker: VoiceName = None,
        packed: bool = False,
        block_seconds: float = BLOCK_SECONDS,
    ) -> Iterator[bytes]:
        """The bytes of a `.vqs` stream, block by block, as its codes come; the rest as in `save`.

        block_seconds: of codes that a block waits for, up to 20: longer ones take fewer bytes.
        Raises InputError, before any code is asked for.
        """
        self._loaded.check_maker(codes.model)
        books, rate = self._loaded.config.quantizer.codebooks, self._loaded.config.frame_rate
        if not 0 < block_seconds <= MAX_BLOCK_SECONDS:  # nor NaN
            raise InputError(f"blocks of {block_seconds} s must be above 0, up to 20 s")
        size = min(round(block_seconds * rate), BLOCK_CODES) // books * books
        header = self._header(None, speaker, packed, codes.levels)
        coder = self.block_coder(header)

        def blocks() -> Iterator[bytes]:
            own = codes.voice if speaker is None else None  # known with the first codes
            kept = header if own is None else replace(header, voice=self._kept(own))
            yield from bitstream.streamed(kept, codes, coder, max(books, size))

        return blocks()

    def _header(self, samples: int | None, speaker: VoiceName, packed: bool, levels: int) -> Header:
        loaded, config = self._loaded, self._loaded.config
        found = self._voices.find(speaker)
        if isinstance(found, Voice):
            name, voice = "", self._kept(found.vector)
        else:
            name, voice = found or "", b""
        prior = "" if packed or not loaded.has_prior else loaded.prior.fingerprint[:SHORT_PRIOR]
        sizes = (config.hop, config.quantizer.codebook_size, samples)
        upper = loaded.upper_identity if levels > 1 else ""
        return Header(loaded.codes_identity, prior, *sizes, config.name, name, voice, levels, upper)

    def _kept(self, vector: np.ndarray) -> bytes:
        return voice_bytes(self._loaded.fingerprint, vector)

    def load(
        self, path: Named, salvage: bool = False, bitrate: float | None = None
    ) -> tuple[Codes, str | None, Contents]:
        """Read a `.vqs` file: (codes, the speaker that it names or None, all that was read).

        salvage: keep the intact blocks of a damaged file. bitrate: only those levels that fit into
        so many bit/s. The codes have the voice that it keeps. Raises InputError.
        """
        contents = load_vqs(path, self.block_coder, switch("salvage", salvage), bitrate)
        if not len(contents.codes):
            raise InputError(f"{path}: holds no codes; encode the recording again")
        about = (contents.samples, self._loaded.config.hop, self._loaded.fingerprint)
        voice = self.voice_in(contents.header)
        codes = Codes(contents.codes, *about, voice=voice, **self._loaded.shape)
        return codes, contents.header.speaker or None, contents

    def voice_in(self, header: Header) -> np.ndarray | None:
        """The speaker vector that a header keeps; None for none, and for one of another model,
        whose codes may be the same."""
        if not header.voice:
            return None
        model, vector = read_voice(header.voice)
        fits = len(vector) == self._loaded.config.conditioning.speaker_dim
        return vector if fits and self._loaded.fingerprint.startswith(model) else None

    def would_write(self, header: Header, speaker: VoiceName, packed: bool, levels: int) -> bool:
        """Whether a file with this header may be one that `save` makes: codes of this model with so
        many levels, packed or with its prior, to be decoded with `speaker`; None: with no voice
        that is named. A voice that is kept may differ as much as one that is heard twice. Raises
        InputError for a speaker who cannot be found."""
        wanted = self._header(header.samples, speaker, packed, levels)
        if replace(wanted, voice=header.voice, model=header.model) != header:
            return False
        if not wanted.voice:
            return True
        kept, vector = self.voice_in(header), read_voice(wanted.voice).vector
        return kept is not None and bool(np.abs(kept - vector).max() <= SAME * np.abs(vector).max())

    def block_coder(self, header: Header) -> BlockCoder:
        """What turns this model's codes into a file's blocks and back. Raises InputError."""
        loaded, config = self._loaded, self._loaded.config
        own = (loaded.codes_identity, config.hop, config.quantizer.codebook_size)
        if (header.codes, header.hop, header.codebook_size) != own:
            raise InputError(
                f"was made by model {header.model} (codes {header.codes}), this is {config.name} "
                f"(codes {loaded.codes_identity}); name the model that made it with --model"
            )
        if header.levels > 1 and header.upper != loaded.upper_identity:
            raise InputError(
                f"has upper levels of another model ({header.upper}, not "
                f"{loaded.upper_identity or 'any'}), whose first level is this one's: cut it to "
                "that with `vqspeech reduce`, or name the model that made it with --model"
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
