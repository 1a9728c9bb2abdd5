"""Corpora of speaker folders -> packed int16 arrays -> batches of crops. NumPy only, no torch."""
