"""What is measured of a pair of signals."""
