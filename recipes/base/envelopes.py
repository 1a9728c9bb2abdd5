"""What of the envelope a WaveNet gets wrong: how fine a correction of it has to be.

    python recipes/base/envelopes.py PACKED MODEL [--heat 1] [--utterances 6]

MODEL: a folder, or `shipped`; PACKED as of wavenets.py, whose utterances and columns these are. The
WaveNet's samples, free-running, go through the gain that gives them the predicted log-mel, 80 bands
every 10 ms, as the post-filter has it and without anything else of it; each row smooths the gain in
another way first, by a Gaussian of that deviation. What a smoother gain mends as well is slow.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from bands import asked, print_means
from decoding import Heat, Recording, Way, scores
from shared import HeldOut, codec_of, finish, workers
from torch import Tensor
from tqdm import tqdm

from vqspeech.audio.signal import FILTER_BANK_HOP
from vqspeech.synthesis.griffin_lim import between_frames
from vqspeech.synthesis.postfilter import analyse, synthesise, with_envelope, with_phase_of

Gain = Callable[[Tensor, Tensor], Tensor]


def smoothed(gain: Tensor, deviation: float) -> Tensor:
    """Rows of `gain` [n, N] through a Gaussian along their length."""
    reach = round(3 * deviation)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / deviation) ** 2)
    padded = F.pad(gain[:, None], (reach, reach), mode="replicate")
    return F.conv1d(padded, (weights / weights.sum())[None, None])[:, 0]


def over_time(frames: float) -> Gain:
    return lambda gain, target: smoothed(gain, frames)


def over_bands(bands: float) -> Gain:
    return lambda gain, target: smoothed(gain.T, bands).T


def a_frame(gain: Tensor, target: Tensor) -> Tensor:
    """One gain for all bands, their mean by how loud they are to be."""
    mean = (gain * target).sum(0, keepdim=True) / target.sum(0, keepdim=True)
    return mean.expand_as(gain)


WAYS: dict[str, Gain | None] = {
    "none": None,
    "as it is": lambda gain, target: gain,
    "over time, 5 ms": over_time(0.5),
    "over time, 10 ms": over_time(1),
    "over time, 20 ms": over_time(2),
    "over time, 80 ms": over_time(8),
    "over frequency, 1 band": over_bands(1),
    "over frequency, 2 bands": over_bands(2),
    "over frequency, 4 bands": over_bands(4),
    "over frequency, 8 bands": over_bands(8),
    "one gain for all bands": a_frame,
}


@torch.inference_mode()
def measure(job: tuple[str, HeldOut, Heat]) -> list[list[float]]:
    """A row of figures for each of the WAYS."""
    model, utterance, one = job
    recording = Recording(codec_of(model), utterance)
    drawn = recording.heard(Way("", one, None))
    whole = np.zeros(recording.log_mel.shape[1] * FILTER_BANK_HOP, np.float32)
    whole[: len(drawn)] = drawn
    spectrum = analyse(torch.from_numpy(whole))
    target = torch.from_numpy(between_frames(recording.log_mel).astype(np.float32)).exp()
    rows = []
    for way in WAYS.values():
        wave = whole if way is None else corrected(spectrum, target, way)
        rows.append(scores(recording.original, wave[: len(drawn)]))
    return rows


def corrected(spectrum: Tensor, target: Tensor, way: Gain) -> np.ndarray:
    """A spectrum [bins, n] with the mel bands `target` [mels, n], as far as `way` lets it."""
    magnitude = spectrum.abs().clamp_min(1e-7)
    fitted = with_envelope(magnitude, target, lambda gain: way(gain, target))
    return synthesise(with_phase_of(fitted, spectrum)).numpy()


def main() -> None:
    _, _, jobs, processes = asked(__doc__, 6)
    with workers(processes) as pool:
        found = tqdm(pool.map(measure, jobs), total=len(jobs), leave=False)
        print_means("gain, smoothed", list(WAYS), found)


if __name__ == "__main__":
    finish(main)
