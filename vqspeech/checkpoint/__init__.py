"""A model on disk: configuration, weights, speakers, voices, prior."""
