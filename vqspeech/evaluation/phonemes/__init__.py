"""What codes know of phonemes (van den Oord et al. 2017, section 4.3)."""
