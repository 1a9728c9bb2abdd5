"""What decoded speech would be worth if one part of it were the recording's.

    python recipes/base/ceilings.py PACKED MODEL [--heat 1] [--utterances 12]

MODEL: a folder, or `shipped`; PACKED as of wavenets.py, whose utterances and columns these are; the
last is PESQ. What is heard is a fine structure, the WaveNet's or the recording's, with an envelope,
the log-mel that the codes predict or the recording's, by the post-filter or by its first step alone
(a gain that gives a signal that log-mel). So it shows which of the two is worth work. Rows with a
part of the recording are no reconstructions.
"""

from dataclasses import replace

import numpy as np
import torch
from bands import asked
from decoding import COLUMNS, Heat, Recording, Way, scores
from envelopes import corrected
from pesq import pesq
from shared import HeldOut, codec_of, finish, workers
from tqdm import tqdm

from vqspeech.audio.signal import FILTER_BANK_HOP, SAMPLE_RATE
from vqspeech.evaluation.metrics.signals import match
from vqspeech.synthesis.griffin_lim import between_frames, griffin_lim
from vqspeech.synthesis.postfilter import analyse, postfilter

ROWS = (
    "the recording",
    "WaveNet alone",
    "WaveNet, post-filter",
    "WaveNet, post-filter, the recording's log-mel",
    "the recording, gain to the predicted log-mel",
    "the recording, post-filter",
    "Griffin-Lim",
    "Griffin-Lim, the recording's log-mel",
)


@torch.inference_mode()
def measure(job: tuple[str, HeldOut, Heat]) -> list[list[float]]:
    """A row of figures for each of the ROWS."""
    model, utterance, one = job
    codec = codec_of(model)
    recording, config = Recording(codec, utterance), codec.config.postfilter
    samples = recording.log_mel.shape[1] * FILTER_BANK_HOP
    drawn = whole(recording.heard(Way("", one, None)), samples)
    spoken = whole(utterance.wave, samples)
    true = codec.model.target_mel(torch.from_numpy(spoken)[None])[0].numpy()
    # What mends a blurred prediction would spoil a true one.
    plain = replace(config, onset_gain=0.0, peak_db=0.0, hush_db=0.0)
    target = torch.from_numpy(between_frames(recording.log_mel).astype(np.float32)).exp()
    heard = (
        spoken,
        drawn,
        postfilter(drawn, recording.log_mel, config),
        postfilter(drawn, true, plain),
        corrected(analyse(torch.from_numpy(spoken)), target, lambda gain, target: gain),
        postfilter(spoken, recording.log_mel, config),
        griffin_lim(recording.log_mel),
        griffin_lim(true),
    )
    length = len(utterance.wave)
    return [figures(recording, utterance.wave, wave[:length]) for wave in heard]


def whole(wave: np.ndarray, samples: int) -> np.ndarray:
    """float32 [samples]: `wave` with zeros up to there."""
    return np.pad(wave, (0, samples - len(wave))).astype(np.float32)


def figures(recording: Recording, spoken: np.ndarray, heard: np.ndarray) -> list[float]:
    """The COLUMNS, then PESQ."""
    matched = match(spoken, heard)[0]
    return [*scores(recording.original, heard), pesq(SAMPLE_RATE, spoken, matched, "wb")]


def main() -> None:
    _, _, jobs, processes = asked(__doc__, 12)
    with workers(processes) as pool:
        found = list(tqdm(pool.map(measure, jobs), total=len(jobs), leave=False))
    names = (*COLUMNS, "PESQ")
    print(f"| | {' | '.join(names)} |\n|---{'|---:' * len(names)}|")
    for name, row in zip(ROWS, np.nanmean(found, 0), strict=True):
        print(f"| {name} | " + " | ".join(f"{figure:.3g}" for figure in row) + " |")


if __name__ == "__main__":
    finish(main)
