"""How codes of a model become sound where nobody says otherwise: settings tuned to it."""

from dataclasses import dataclass

from vqspeech.config.tables import Table, within

MOST_GUIDANCE = 2.0
"""Beyond it conversions are caricatures."""


@dataclass(frozen=True)
class PostFilterConfig(Table, table="postfilter"):
    """How the WaveNet's samples get the envelope that the codes predict (`synthesis.postfilter`).

    Tuned to a model, on its `valid` split. hush_db, hush_level: bands predicted quieter than
    hush_level (natural log), most of them in pauses, get so much less. onset_gain: what the
    prediction has more or less than its mean around it, it gets so many times once more: a
    prediction blurs what the codes leave open. phase_rounds: Griffin and Lim's.
    """

    hush_db: float = within(0.0, 20.0, 2.0)
    hush_level: float = within(-20.0, 20.0, -7.5)
    onset_gain: float = within(0.0, 5.0, 0.3)
    phase_rounds: int = within(0, 100, 8)


@dataclass(frozen=True)
class ConversionConfig(Table, table="conversion"):
    """How a recording becomes another voice's, where nobody says otherwise.

    guidance: how much further than the speaker's identity alone the sound is moved away from the
    average voice's (`nn.guidance`): the more of the source's voice a model's codes carry, the more
    it wants. Tuned to a model, on training speech (recipes/base/conversion.py).
    """

    guidance: float = within(0.0, MOST_GUIDANCE, 0.5)
