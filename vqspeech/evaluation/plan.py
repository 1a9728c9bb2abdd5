"""What is to be measured, on what: made concrete, or refused, before hours of work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from vqspeech.data.corpus import Utterance
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.evaluation import codecs, converted, extras, strangers
from vqspeech.evaluation.methods import (
    CONVERTING,
    FILTERED,
    METHODS,
    ORIGINAL,
    SAMPLED,
    TRAINED,
    UNSEEN,
)
from vqspeech.evaluation.metrics.recognisers import Recogniser
from vqspeech.evaluation.metrics.scores import POCKETSPHINX
from vqspeech.evaluation.metrics.table import GROUPS, MODULES
from vqspeech.evaluation.protocol import Codec
from vqspeech.synthesis.options import Synthesis
from vqspeech.synthesis.searching import check_searches


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

    methods: of `methods.METHODS`, None for all; those that cannot be run are left out, with a line
    in the report. groups: of `metrics.GROUPS`. speaker: identity to decode those utterances with
    whose own speaker the model does not know; None for their own voices if the model hears voices,
    else `other` if it has that, else its first. targets: names of voices to convert to; None for up
    to three women and three men among the corpus's voices that the model knows. Each utterance is
    converted to one of them, in turn. unseen_targets: how many voices that the model never heard
    are converted to likewise; None for `strangers.STRANGERS` if the model hears voices, else none.
    synthesis: how decoders draw, with the first of `seeds` seeds that follow one another, each of
    which the WaveNet samples everything with; preview and post-filter are the methods'.
    recognisers: who hears the words. refine: own voices are refined first; None: where there are
    any. bitrate: what recordings are encoded at, but for conversion; None: the lowest that the
    model has. search: codes are searched, for conversion too; None: where the model can.
    """

    methods: Sequence[str] | None = None
    groups: Sequence[str] = GROUPS
    speaker: str | None = None
    targets: Sequence[str] | None = None
    unseen_targets: int | None = None
    synthesis: Synthesis = field(default_factory=Synthesis)
    seeds: int = 1
    recognisers: Sequence[Recogniser] = POCKETSPHINX
    refine: bool | None = None
    bitrate: float | None = None
    search: bool | None = None

    def __post_init__(self):
        if self.methods is not None:
            _check_names("method", self.methods, METHODS)
        _check_names("metric", self.groups, GROUPS)
        if self.seeds < 1:
            raise InputError(f"{self.seeds} seeds: at least one is needed")


class Work(NamedTuple):
    """A plan that a model can carry out. methods: those that can be run. stand_in: the identity for
    speakers that the model does not know; None: their own voices. targets, unseen: in turn, one an
    utterance. notes: what was left out, in words. recognisers: none where no words are asked
    for."""

    methods: tuple[str, ...]
    groups: tuple[str, ...]
    stand_in: str | None
    targets: list[converted.Target]
    unseen: list[converted.Target]
    synthesis: Synthesis
    seeds: int
    notes: list[str]
    recognisers: tuple[Recogniser, ...]
    refine: bool
    bitrate: float | None
    search: bool


def prepare(codec: Codec, corpus: Corpus, plan: Plan) -> Work:
    """`plan` as far as `codec` can do it. Raises InputError: a missing package of the `eval` extra,
    unknown speaker or target, an unseen one for a model that hears no voices, no method left."""
    extras.check(chain.from_iterable(MODULES[group] for group in plan.groups))
    recognisers = tuple(plan.recognisers) if "words" in plan.groups else ()
    for recogniser in recognisers:
        recogniser.check()
    identity, groups = stand_in(codec, plan.speaker), tuple(plan.groups)
    asked, paths = _methods(codec, plan), _paths(corpus)
    measured = set(asked) if set(groups) & set(converted.GROUPS) else set()
    targets = _targets(codec, paths, plan) if measured & set(TRAINED) else []
    unseen = _unseen(codec, corpus, paths, plan) if measured & set(UNSEEN) else []
    reasons = {
        method: _obstacle(codec, method, groups, unseen if method in UNSEEN else targets)
        for method in asked
    }
    methods = tuple(method for method, reason in reasons.items() if reason is None)
    notes = [reason for reason in reasons.values() if reason is not None]
    if not methods:
        raise InputError(f"no method is left: {'; '.join(notes)}")
    if plan.refine and identity is not None:
        raise InputError(
            f"--refine is for own voices, and unknown speakers are decoded as `{identity}`; leave "
            "it out"
        )
    drawn = plan.synthesis, plan.seeds
    codec.loaded.levels_at(plan.bitrate)
    refine = identity is None if plan.refine is None else plan.refine
    search = codec.loaded.searches if plan.search is None else plan.search
    if search:
        check_searches(codec.loaded)
    encoded = refine, plan.bitrate, search
    heard = notes, recognisers, *encoded
    return Work(methods, groups, identity, targets, unseen, *drawn, *heard)


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


def stand_in(codec: Codec, speaker: str | None = None) -> str | None:
    """What an utterance is decoded as whose speaker the model does not know, None for its own
    voice. speaker: who is wanted. Raises InputError for nobody whom the model knows."""
    names = names_of(codec)
    if speaker is not None:
        codec.speaker_vector(speaker)  # refuses a name that the model lacks
        return speaker
    if codec.loaded.hears_voices:
        return None
    return OTHER if OTHER in names else names[0]


def _methods(codec: Codec, plan: Plan) -> Sequence[str]:
    """The methods that are asked for. Raises InputError if the model has not the ears for one."""
    named = [method for method in plan.methods or () if method in UNSEEN]
    named += ["--unseen-targets"] if plan.unseen_targets else []
    if named and not codec.loaded.hears_voices:
        raise InputError(
            f"model {codec.loaded.config.name} has no speaker encoder to hear unseen voices with: "
            f"leave out {' and '.join(named)}"
        )
    if plan.methods is not None:
        if plan.unseen_targets and not set(plan.methods) & set(UNSEEN):
            raise InputError(
                f"--unseen-targets is for {', '.join(UNSEEN)}; ask for one of these, or leave the "
                "targets out"
            )
        return plan.methods
    none = plan.unseen_targets == 0 or not codec.loaded.hears_voices
    return [method for method in METHODS if not (none and method in UNSEEN)]


def _voices(corpus: Corpus) -> Sequence[Utterance]:
    return corpus.utterances if corpus.voices is None else corpus.voices


def _paths(corpus: Corpus) -> dict[str, list[Path]]:
    """The recordings that show what each speaker sounds like."""
    paths: dict[str, list[Path]] = {}
    for utterance in _voices(corpus):
        paths.setdefault(utterance.speaker, []).append(utterance.path)
    return paths


def _unseen(
    codec: Codec, corpus: Corpus, paths: Mapping[str, list[Path]], plan: Plan
) -> list[converted.Target]:
    """Voices to convert to that the model never heard, as their recordings show them."""
    count = strangers.STRANGERS if plan.unseen_targets is None else plan.unseen_targets
    names = strangers.choose_strangers(_voices(corpus), names_of(codec), count)
    found = (strangers.meet(codec, name, paths[name], plan.groups) for name in names)
    return [target for target in found if target is not None]


def _targets(codec: Codec, paths: Mapping[str, list[Path]], plan: Plan) -> list[converted.Target]:
    """The voices to convert to, wanted or chosen, as their recordings show them."""
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
    """A line on why a method cannot be run here; None if it can. targets: of its conversions."""
    if method in codecs.BY_NAME:
        return codecs.absent(codecs.BY_NAME[method])
    if method in CONVERTING and not set(groups) & set(converted.GROUPS):
        return f"{method} was left out: it is measured by {', '.join(converted.GROUPS)} only"
    if method in CONVERTING and not targets:
        kind = "a voice that is new to" if method in UNSEEN else "another voice of"
        return f"{method} was left out: there is no recording of {kind} the model"
    if method == ORIGINAL:
        return None
    try:
        codec.loaded.check_decodable(preview=method not in SAMPLED)
    except InputError as error:
        return f"{method} was left out: {error}"
    if method in FILTERED and not codec.loaded.config.conditioning.log_mel_head:
        return f"{method} was left out: the model predicts no log-mel for a post-filter"
    return None
