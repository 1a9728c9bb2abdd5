"""Bits that were really spent, counted in what the codecs wrote."""

import tempfile
from pathlib import Path

from vqspeech.codes.codes import Codes
from vqspeech.codes.vqs import measure_vqs
from vqspeech.evaluation.protocol import Codec

PACKED, PRIOR = "packed", "prior"
"""A `.vqs` file of plain indices, and one that the model's prior has range-coded."""


class RateMeter:
    """Sums up bits and seconds by what spent them."""

    def __init__(self):
        self._sums: dict[str, list[float]] = {}

    def add(self, name: str, coded_bits: int, file_bits: int, seconds: float) -> None:
        """One recording. coded_bits: of the codes alone; file_bits: of all that was written."""
        sums = self._sums.setdefault(name, [0.0, 0.0, 0.0])
        for place, value in enumerate((coded_bits, file_bits, seconds)):
            sums[place] += value

    def add_vqs(self, codec: Codec, codes: Codes, speaker: str | None) -> None:
        """The `.vqs` files of one recording: packed, and with the prior where the model has one.

        speaker: whose recording it is, if the model knows. Raises InputError.
        """
        with tempfile.TemporaryDirectory(prefix="vqspeech-") as folder:
            path = Path(folder) / "codes.vqs"
            for name in (PACKED, PRIOR) if codec.loaded.has_prior else (PACKED,):
                codec.save_vqs(codes, path, speaker, packed=name == PACKED)
                measured = measure_vqs(path)
                self.add(name, 8 * measured.payload, 8 * measured.size, codes.seconds)

    def summary(self) -> dict[str, dict[str, float]]:
        """By name: `coded` and `file`, bit/s over all recordings together."""
        return {
            name: {"coded": coded / seconds, "file": file / seconds}
            for name, (coded, file, seconds) in self._sums.items()
            if seconds
        }
