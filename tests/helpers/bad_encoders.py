"""Encoders that misbehave at one file: what `recipes/robustness/watch.py` must see."""

import os
import time

BAD = 3
"""The number of that file."""


def serve(fault, task, link, real):
    from victim import READ, Outcome

    while (numbers := link.recv()) is not None:
        for number in numbers:
            link.send(number)
            if number == BAD:
                fault()
            link.send(Outcome(number, "WAV", "whole", READ, "", 0.0, 10))


def crash():
    os.abort()


def hang():
    time.sleep(600)


def grow():
    kept = bytearray(os.urandom(1) * (1 << 28))
    time.sleep(600)
    return kept
