"""What the phase of a voice says of what its short-term prediction leaves, by how it is found.

    python recipes/base/pulses.py PACKED [--utterances 24]

PACKED as of wavenets.py, whose utterances these are. Of the power that the linear prediction leaves
of the lowest band where there is a voice, the share that is its mean at each of 24 places in the
period: one mean for all recordings, as a WaveNet has to know it that hears only itself, and one for
each. The phase is that of the F0 track, of the fundamental, or of the pulses (`nn.pulses`); of the
pulses it prints the mean itself too, over the deviation of its places: `SHAPE` is one that such a
mean gives back.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from shared import HeldOut, finish, held_out, some_of, whole_frames
from torch import Tensor
from wavenets import SECONDS

from vqspeech.audio.phase import held, measured_phase
from vqspeech.audio.pitch import f0_frames
from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.data.packed import PackedCorpus
from vqspeech.nn.excitation import pulse_phase
from vqspeech.nn.pulses import BANDS, SHAPE, PulseTracker

WAYS = ("F0 track", "fundamental", "pulses")


class Mean:
    """What is left of voices at each place in the period: how often, its sum, and its power."""

    def __init__(self):
        self.counts, self.sums, self.power = torch.zeros(len(SHAPE)), torch.zeros(len(SHAPE)), 0.0

    def add(self, left: Tensor, phase: Tensor) -> "Mean":
        """And what is left [N] at phases [N] in radians."""
        place = (phase / (2 * np.pi) % 1.0 * len(SHAPE)).long().clamp_max(len(SHAPE) - 1)
        self.counts += torch.bincount(place, minlength=len(SHAPE))
        self.sums += torch.bincount(place, left, minlength=len(SHAPE))
        self.power += float(left.square().sum())
        return self

    def share(self) -> float:
        """What is the mean, of the power of all that was added."""
        return float((self.sums.square() / self.counts.clamp_min(1)).sum()) / self.power

    def shape(self) -> Tensor:
        """Over its deviation."""
        mean = self.sums / self.counts.clamp_min(1)
        return mean / mean.std()


@torch.inference_mode()
def measure(tracker: PulseTracker, utterance: HeldOut) -> tuple[list[tuple], float]:
    """What is left of the voice and its phase, (left, phase) of each of the WAYS; its polarity."""
    wave = whole_frames(utterance.wave, FILTER_BANK_HOP)
    f0 = torch.from_numpy(f0_frames(wave[0].numpy()))[None]
    found, left = tracker(wave, f0), tracker.left(wave)
    voiced, still = held(f0, left.shape[1]) > 0, torch.zeros_like(found.offset)
    phases = (
        (1.0, pulse_phase(f0, still, BANDS)),
        (1.0, measured_phase(wave, f0, BANDS)),
        (found.polarity, pulse_phase(f0, found.offset, BANDS)),
    )
    parts = [((turn * left)[voiced], phase[voiced]) for turn, phase in phases]
    return parts, float(found.polarity)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packed", type=Path)
    parser.add_argument("--utterances", type=int, default=24)
    args = parser.parse_args()
    picked = some_of(held_out(PackedCorpus(args.packed), {}), args.utterances, SECONDS)
    tracker, means, own, turned = PulseTracker(), [Mean() for _ in WAYS], [], 0
    for utterance in picked:
        parts, polarity = measure(tracker, utterance)
        turned += polarity < 0
        if len(parts[0][0]):  # with a voice
            own.append([Mean().add(*part).share() for part in parts])
            means = [mean.add(*part) for mean, part in zip(means, parts, strict=True)]
    print("| phase of | one mean for all, % | one a recording, % |")
    print("|---|---:|---:|")
    for way, mean, alone in zip(WAYS, means, np.mean(own, 0), strict=True):
        print(f"| {way} | {100 * mean.share():.1f} | {100 * alone:.1f} |")
    print(
        f"\n{turned} of {len(picked)} recordings point down. The mean by the phase of the pulses:"
    )
    print(", ".join(f"{value:.2f}" for value in means[-1].shape()))


if __name__ == "__main__":
    finish(main)
