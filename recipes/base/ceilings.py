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
from bands import asked, print_means
from decoding import COLUMNS, Heat, Recording, Way, pesq_of, scores
from envelopes import WAYS, corrected
from shared import HeldOut, codec_of, finish, whole_frames, workers
from tqdm import tqdm

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
    waves = (recording.heard(Way("", one, None)), utterance.wave)
    drawn, spoken = (whole_frames(wave, codec.hop)[0].numpy() for wave in waves)
    true = codec.model.target_mel(torch.from_numpy(spoken)[None])[0].numpy()
    # What mends a blurred prediction would spoil a true one.
    plain = replace(config, onset_gain=0.0, hush_db=0.0)
    target = torch.from_numpy(between_frames(recording.log_mel).astype(np.float32)).exp()
    heard = (
        spoken,
        drawn,
        postfilter(drawn, recording.log_mel, config),
        postfilter(drawn, true, plain),
        corrected(analyse(torch.from_numpy(spoken)), target, WAYS["as it is"]),
        postfilter(spoken, recording.log_mel, config),
        griffin_lim(recording.log_mel),
        griffin_lim(true),
    )
    cut = [wave[: len(utterance.wave)] for wave in heard]
    return [[*scores(recording.original, wave), pesq_of(utterance.wave, wave)] for wave in cut]


def main() -> None:
    _, _, jobs, processes = asked(__doc__, 12)
    with workers(processes) as pool:
        found = tqdm(pool.map(measure, jobs), total=len(jobs), leave=False)
        print_means("", ROWS, found, (*COLUMNS, "PESQ"))


if __name__ == "__main__":
    finish(main)
