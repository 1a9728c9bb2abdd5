"""By what a gain on what a WaveNet is told works: one part of it at a time is multiplied.

    python recipes/base/gains.py PACKED MODEL [--heat 1] [--utterances 8]

MODEL: a folder, or `shipped`, with a `conditioning_gain`; PACKED as of wavenets.py, whose
utterances and columns these are. The WaveNet alone, free-running, at the codes' lowest rate. Rows
by what is multiplied by the gain: nothing; all that it is told, as in use; its mean, the same in
the whole utterance; what differs from that; the half of each layer that the hyperbolic tangent
takes; the half that is its gates; the gates of the first cycle of dilations, and of the others.
Below, what the gates of each cycle are told on average: a sigmoid of -6 lets 1 in 400 through.
"""

from functools import partial
from typing import NamedTuple

import torch
from bands import asked, print_means
from decoding import Heat, Recording, Way, scores
from shared import HeldOut, codec_of, finish, workers
from torch import Tensor, nn
from tqdm import tqdm

from vqspeech.errors import InputError

ALL, FIRST, OTHERS = slice(None), slice(None, 1), slice(1, None)


class Part(NamedTuple):
    """What is multiplied: of which layers, by cycles of dilations; of which half of each, the
    tangents or the gates; whether the mean, and whether what differs from it."""

    cycles: slice = ALL
    halves: slice = ALL
    mean: bool = True
    differing: bool = True


PARTS = {
    "nothing": Part(mean=False, differing=False),
    "all that it is told": Part(),
    "its mean": Part(differing=False),
    "what differs from its mean": Part(mean=False),
    "tangents": Part(halves=FIRST),
    "gates": Part(halves=OTHERS),
    "gates, first cycle": Part(FIRST, OTHERS),
    "gates, other cycles": Part(OTHERS, OTHERS),
}


def factors(part: Part, gain: float, layers: int, cycle: int, width: int) -> Tensor:
    """Of the outputs of `WaveNetDecoder.condition`: [layers * 2 * width]."""
    found = torch.ones(layers, 2, width)
    first, end, _ = part.cycles.indices(-(-layers // cycle))
    found[first * cycle : end * cycle, part.halves] = gain
    return found.flatten()


@torch.no_grad()
def multiply(told: nn.Linear, by: Tensor, mean: Tensor, part: Part) -> None:
    """Multiply what a layer makes of hidden frames, but for its bias, by [outputs]. mean: of the
    frames [H]."""
    of_mean, nothing = told.weight @ mean, torch.ones_like(by)
    differing = by if part.differing else nothing
    told.weight *= differing[:, None]
    told.bias.add_(((by if part.mean else nothing) - differing) * of_mean)


@torch.inference_mode()
def measure(job: tuple[str, HeldOut, Heat], gain: float) -> list[list[float]]:
    """A row of figures for each of PARTS."""
    model, utterance, heat = job
    codec = codec_of(model)
    told, config = codec.model.decoder.condition, codec.config.decoder
    as_trained = {name: value.clone() for name, value in told.state_dict().items()}
    original, rows = Recording(codec, utterance).original, []
    for part in PARTS.values():
        recording = Recording(codec, utterance)  # one remembers what was drawn
        by = factors(part, gain, config.layers, config.cycle, config.residual_channels)
        multiply(told, by, recording.hidden.mean(-1), part)
        wave = recording.heard(Way("", heat._replace(gain=1.0), None))
        told.load_state_dict(as_trained)
        rows.append(scores(original, wave))
    return rows


@torch.inference_mode()
def told_to_gates(model: str, utterances: list[HeldOut]) -> list[float]:
    """What the gates of each cycle of dilations are told, on average."""
    codec = codec_of(model)
    hidden = torch.cat([Recording(codec, one).hidden for one in utterances], -1)
    halves = codec.model.decoder.conditioning(hidden[None]).chunk(2, -1)
    by_layer = halves[1].mean((0, 1, 3))
    return [float(one.mean()) for one in by_layer.split(codec.config.decoder.cycle)]


def main() -> None:
    model, decoder, jobs, processes = asked(__doc__, 8)
    if (gain := decoder.conditioning_gain) == 1:
        raise InputError(f"{model}: its conditioning_gain is 1, and multiplies nothing")
    with workers(processes) as pool:
        found = tqdm(pool.map(partial(measure, gain=gain), jobs), total=len(jobs), leave=False)
        print_means(f"times {gain:g}", list(PARTS), found)
    told = told_to_gates(model, [utterance for _, utterance, _ in jobs])
    print(f"\ngates are told, by cycles: {', '.join(f'{one:.1f}' for one in told)}")


if __name__ == "__main__":
    finish(main)
