"""Stands in for a prior in the bitstream: codes of the first level as they are, two bytes each."""

import numpy as np

from vqspeech.codes.bitstream import PackedCoder


class Dull:
    def encode(self, codes, inside):
        assert codes.ndim == 1
        return codes.astype("<u2").tobytes()

    def decode(self, payload, count, inside):
        found = np.zeros(count, np.int64)
        whole = np.frombuffer(payload[: len(payload) // 2 * 2], "<u2")[:count]
        found[: len(whole)] = whole
        return found


def coder_for(header):
    return Dull() if header.prior else PackedCoder(header.bits)
