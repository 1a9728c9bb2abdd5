"""Who taught a model: a note, for nothing of a teacher is in a model."""

import dataclasses
from dataclasses import dataclass
from typing import Any

from vqspeech.config.tables import Table, within


@dataclass(frozen=True)
class TaughtBy(Table, table="teacher"):
    """The network that codes were learned from, and how; `config.TrainingConfig` has the terms.

    name: of its folder or on the hub. fingerprint: of its weights. layers: that it has.
    """

    name: str
    fingerprint: str
    layers: int = within(1, 1024)
    perceptual_weight: float = within(0.0, 1000.0, 0.0)
    perceptual_layers: int = within(1, 1024, 1)
    states_weight: float = within(0.0, 1000.0, 0.0)

    def __str__(self) -> str:
        terms = []
        if self.perceptual_weight:
            of = f"{self.perceptual_layers} of {self.layers} layers"
            terms.append(f"perceptual {self.perceptual_weight:g} after {of}")
        if self.states_weight:
            terms.append(f"states {self.states_weight:g}")
        return f"{self.name} ({self.fingerprint}; {', '.join(terms)})"

    def to_dict(self) -> dict[str, Any]:
        """A table for JSON."""
        return dataclasses.asdict(self)
