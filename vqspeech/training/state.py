"""The state of a run on disk: one safetensors file, replaced atomically. Nothing is pickled.

It holds the weights, their average, Adam's moments, the use of the codes and, as metadata, the
position. As batches and random numbers are functions of the step, a resumed run repeats an
uninterrupted one.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.config.tables import build
from vqspeech.errors import InputError
from vqspeech.files import reason, whole_path
from vqspeech.nn.vqvae import TRAINING_ONLY
from vqspeech.training.average import WeightAverage
from vqspeech.training.watch import CodeUsage

STATE_FILE = "state.safetensors"
MOMENTS = {"adam": ("exp_avg", "exp_avg_sq", "step"), "muon": ("momentum_buffer",)}
"""What an optimiser keeps of a parameter."""


@dataclass(frozen=True)
class Position:
    """Where a run stands.

    stage, and steps done in it; updates in its average; seconds of training in it; before: steps
    done in earlier stages, by their names. teacher: who taught its codes. strangers: whether it
    learns speakers even where conditioning stands still (`training.inherit`).
    """

    stage: str
    step: int = 0
    average_updates: int = 0
    seconds: float = 0.0
    before: dict[str, int] = field(default_factory=dict)
    teacher: TaughtBy | None = None
    strangers: bool = False

    def __post_init__(self):
        counts = (self.step, self.average_updates, *self.before.values())
        if not all(type(n) is int and n >= 0 for n in counts) or not self.seconds >= 0:
            raise ValueError("it has an impossible position")

    @property
    def trained(self) -> dict[str, int]:
        """Steps done in every stage so far, by its name."""
        return self.before | {self.stage: self.step}


@dataclass(frozen=True)
class Parts:
    """What a state holds beside the position.

    names: id(parameter) to its name. speakers: names of the identities, in the order of their rows.
    recordings: of the corpus (`PackedCorpus`).
    """

    model: nn.Module
    average: WeightAverage
    optimizers: Sequence[torch.optim.Optimizer]
    usage: CodeUsage
    names: dict[int, str]
    speakers: list[str]
    recordings: str


def save_state(folder: Path, position: Position, parts: Parts) -> None:
    """Write the state of a run. Raises OSError or SafetensorError; then the old one stands."""
    tensors = {f"model.{k}": v for k, v in parts.model.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in parts.average.weights.items()}
    tensors |= {f"usage.{k}": v for k, v in parts.usage.counts.items()}
    for optimizer in parts.optimizers:
        kind = kind_of(optimizer)
        for parameter, values in optimizer.state.items():
            for moment in MOMENTS[kind]:
                tensors[f"{kind}.{moment}.{parts.names[id(parameter)]}"] = values[moment]
    tensors = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    about = {
        "position": json.dumps(asdict(position)),
        "speakers": json.dumps(parts.speakers),
        "recordings": parts.recordings,
    }
    with whole_path(folder / STATE_FILE) as partial:
        save_file(tensors, partial, about)
        with open(partial, "rb") as file:
            os.fsync(file.fileno())  # or a machine that stops may keep the name and lose the bytes


@contextmanager
def _opened(folder: Path) -> Iterator:
    path = folder / STATE_FILE
    try:
        with safe_open(path, "pt") as file:
            yield file
    except InputError:
        raise
    except (SafetensorError, LookupError, AttributeError, TypeError, ValueError, OSError) as error:
        raise InputError(
            f"{path}: cannot be resumed ({reason(error)}); remove it to start anew"
        ) from None
    except RuntimeError:  # what PyTorch raises where a name or a shape differs
        raise InputError(
            f"{path}: does not fit the configuration or the corpus of this run; "
            "use the ones it was started with, or another --out"
        ) from None


def load_position(folder: Path) -> Position | None:
    """Where the run in `folder` stands, or None if there is none. Raises InputError if damaged."""
    if not (folder / STATE_FILE).exists():
        return None
    with _opened(folder) as file:
        table = json.loads((file.metadata() or {})["position"])
        teacher = table.pop("teacher", None)  # states of the first runs do not say
        taught = None if teacher is None else build(TaughtBy, teacher, "teacher")
        return Position(**table, teacher=taught)


def require_same_speakers(folder: Path, speakers: list[str]) -> None:
    """Raise InputError if the run in `folder` is for other speakers, or damaged."""
    with _opened(folder) as file:
        known = json.loads((file.metadata() or {}).get("speakers", "null"))
    if known not in (None, speakers):  # states of the first runs do not say
        raise InputError(
            f"{folder} was started with other speakers than this corpus has; "
            "resume it with its own corpus, or choose another --out"
        )


def has_same_recordings(folder: Path, recordings: str) -> bool:
    """Whether the run in `folder` has had these recordings so far. Raises InputError if damaged."""
    with _opened(folder) as file:
        known = (file.metadata() or {}).get("recordings")
    return known in (None, recordings)  # states of the first runs do not say


def load_weights(
    folder: Path, model: nn.Module, speakers: list[str], averaged: bool = False
) -> None:
    """Weights of the run in `folder` into `model`: as they stood, or as a stage hands them on.

    What only codes need in training is left out where `model` has none of it. Raises InputError if
    they are damaged, of another shape, or for other `speakers`.
    """
    require_same_speakers(folder, speakers)
    with _opened(folder) as file:
        keys, own = list(file.keys()), model.state_dict()
        for part in ("model.", "average.") if averaged else ("model.",):
            names = [key[len(part) :] for key in keys if key.startswith(part)]
            found = {
                name: file.get_tensor(part + name)
                for name in names
                if name in own or not name.startswith(TRAINING_ONLY)
            }
            model.load_state_dict(found, strict=part == "model.")


def load_rest(folder: Path, position: Position, parts: Parts) -> None:
    """Average, the optimisers' moments and use of the codes of the run in `folder`."""
    with _opened(folder) as file:
        keys = set(file.keys())
        parts.average.updates = position.average_updates
        for name, value in parts.average.weights.items():
            value.copy_(file.get_tensor(f"average.{name}"))
        for name in keys & {f"usage.{name}" for name in ("running", "epoch")}:
            parts.usage.counts[name.removeprefix("usage.")] = file.get_tensor(name)
        for optimizer in parts.optimizers:
            kind = kind_of(optimizer)
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    name, moments = parts.names[id(parameter)], MOMENTS[kind]
                    if f"{kind}.{moments[0]}.{name}" in keys:
                        optimizer.state[parameter] = {
                            moment: file.get_tensor(f"{kind}.{moment}.{name}").to(parameter.device)
                            for moment in moments
                        }


def kind_of(optimizer: torch.optim.Optimizer) -> str:
    """By what name `MOMENTS` has it."""
    return "muon" if isinstance(optimizer, torch.optim.Muon) else "adam"
