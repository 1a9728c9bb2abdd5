"""The phonemes of US English as in the CMU dictionary: what aligners and readers count in."""

SILENCE = "SIL"
"""The one label of everything that is no speech."""

PHONEMES = (
    *("AA", "AE", "AH", "AO", "AW", "AY", "B", "CH", "D", "DH", "EH", "ER", "EY", "F", "G", "HH"),
    *("IH", "IY", "JH", "K", "L", "M", "N", "NG", "OW", "OY", "P", "R", "S", "SH", "T", "TH"),
    *("UH", "UW", "V", "W", "Y", "Z", "ZH"),
    SILENCE,
)
"""ARPAbet without stress, 39 of them, and silence."""

UNKNOWN = -1
"""In the place of a phoneme's number, where nobody knows it."""
