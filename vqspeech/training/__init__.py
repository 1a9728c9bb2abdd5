"""Training: one loop, its schedule, its averaged weights, its state on disk, its warnings."""
