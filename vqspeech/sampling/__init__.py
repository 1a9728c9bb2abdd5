"""From a trained WaveNet to samples: a plain reference, fast kernels, a quick preview."""
