"""What is to be measured, on what: made concrete, or refused, before hours of work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vqspeech.data.corpus import Utterance
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.evaluation import codecs, converted, extras
from vqspeech.evaluation.methods import CONVERTING, FILTERED, METHODS, ORIGINAL, SAMPLED
from vqspeech.evaluation.metrics.recognisers import Recogniser
from vqspeech.evaluation.metrics.scores import POCKETSPHINX
from vqspeech.evaluation.metrics.table import GROUPS, MODULES
from vqspeech.evaluation.protocol import Codec
from vqspeech.synthesis.options import Synthesis


@dataclass(frozen=True)
class Corpus:
    """utterances: to measure on. transcripts: what was said, by `Utterance.path`. voices:
    recordings that show what the targets of conversion sound like; None for `utterances`."""

    utterances: Sequence[Utterance]
    transcripts: Mapping[Path, str] = field(default_factory=dict)
    voices: Sequence[Utterance] | None = None


@dataclass(frozen=True)
class Plan:
    """What is measured. Raises InputError for an unknown name, or no seed.

    methods: of `methods.METHODS`; those that cannot be run are left out, with a line in the report.
    groups: of `metrics.GROUPS`. speaker: identity to decode those utterances with whose own speaker
    the model does not know; None for `other` if the model has it, else its first. targets: names of
    voices to convert to; None for up to three women and three men among the corpus's voices that
    the model knows. Each utterance is converted to one of them, in turn. synthesis: how decoders
    draw, with the first of `seeds` seeds that follow one another, each of which the WaveNet samples
    everything with; preview and post-filter are the methods'. recognisers: who hears the words.
    """

    methods: Sequence[str] = METHODS
    groups: Sequence[str] = GROUPS
    speaker: str | None = None
    targets: Sequence[str] | None = None
    synthesis: Synthesis = field(default_factory=Synthesis)
    seeds: int = 1
    recognisers: Sequence[Recogniser] = POCKETSPHINX

    def __post_init__(self):
        _check_names("method", self.methods, METHODS)
        _check_names("metric", self.groups, GROUPS)
        if self.seeds < 1:
            raise InputError(f"{self.seeds} seeds: at least one is needed")


class Work(NamedTuple):
    """A plan that a model can carry out. methods: those that can be run. stand_in: the identity for
    speakers that the model does not know. targets: in turn, one an utterance. notes: what was left
    out, in words. recognisers: none where no words are asked for."""

    methods: tuple[str, ...]
    groups: tuple[str, ...]
    stand_in: str
    targets: list[converted.Target]
    synthesis: Synthesis
    seeds: int
    notes: list[str]
    recognisers: tuple[Recogniser, ...]


def prepare(codec: Codec, corpus: Corpus, plan: Plan) -> Work:
    """`plan` as far as `codec` can do it. Raises InputError: a missing package of the `eval` extra,
    unknown speaker or target, no method left."""
    extras.check(chain.from_iterable(MODULES[group] for group in plan.groups))
    recognisers = tuple(plan.recognisers) if "words" in plan.groups else ()
    for recogniser in recognisers:
        recogniser.check()
    stand_in, groups = _stand_in(codec, plan.speaker), tuple(plan.groups)
    targets = []
    if set(plan.methods) & set(CONVERTING) and set(groups) & set(converted.GROUPS):
        targets = _targets(codec, corpus, plan)
    reasons = {method: _obstacle(codec, method, groups, targets) for method in plan.methods}
    methods = tuple(method for method, reason in reasons.items() if reason is None)
    notes = [reason for reason in reasons.values() if reason is not None]
    if not methods:
        raise InputError(f"no method is left: {'; '.join(notes)}")
    drawn = plan.synthesis, plan.seeds
    return Work(methods, groups, stand_in, targets, *drawn, notes, recognisers)


def names_of(codec: Codec) -> list[str]:
    """The voices of a model."""
    return [speaker.name for speaker in codec.loaded.about.speakers]


def _check_names(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise InputError unless `given` names one or more of the `known`, each once."""
    for name in given:
        if name not in known:
            raise InputError(f"no {kind} '{name}'; choose from {', '.join(known)}")
    if not given or len(set(given)) < len(given):
        raise InputError(f"name at least one {kind}, each once, of {', '.join(known)}")


def _stand_in(codec: Codec, speaker: str | None) -> str:
    names = names_of(codec)
    if speaker is not None:
        codec.speaker_vector(speaker)  # refuses a name that the model lacks
        return speaker
    return OTHER if OTHER in names else names[0]


def _targets(codec: Codec, corpus: Corpus, plan: Plan) -> list[converted.Target]:
    """The voices to convert to, wanted or chosen, as their recordings show them."""
    paths: dict[str, list[Path]] = {}
    for utterance in corpus.utterances if corpus.voices is None else corpus.voices:
        paths.setdefault(utterance.speaker, []).append(utterance.path)
    if plan.targets is None:
        names, _ = converted.choose_targets(codec.loaded.about.speakers, paths)
    else:
        _check_names("target", plan.targets, names_of(codec))
        names = plan.targets
    found = []
    for name in names:
        target = converted.know(name, paths.get(name, ()), plan.groups)
        if target is not None:
            found.append(target)
        elif plan.targets is not None:
            raise InputError(
                f"target '{name}' has no readable recording here to compare with; name another"
            )
    return found


def _obstacle(codec: Codec, method: str, groups: Sequence[str], targets: Sequence) -> str | None:
    """A line on why a method cannot be run here; None if it can."""
    if method in codecs.BY_NAME:
        return codecs.absent(codecs.BY_NAME[method])
    if method in CONVERTING and not set(groups) & set(converted.GROUPS):
        return f"{method} was left out: it is measured by {', '.join(converted.GROUPS)} only"
    if method in CONVERTING and not targets:
        return f"{method} was left out: there is no recording of another voice of the model"
    if method == ORIGINAL:
        return None
    try:
        codec.loaded.check_decodable(preview=method not in SAMPLED)
    except InputError as error:
        return f"{method} was left out: {error}"
    if method in FILTERED and not codec.loaded.config.conditioning.log_mel_head:
        return f"{method} was left out: the model predicts no log-mel for a post-filter"
    return None
