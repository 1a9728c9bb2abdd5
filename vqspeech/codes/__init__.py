"""Codes: indices of a recording, and the files that hold them. NumPy only."""

from vqspeech.codes.codes import Codes

__all__ = ["Codes"]
