"""What was asked for, made concrete or refused before hours of work."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from vqspeech.data.corpus import Utterance
from vqspeech.data.index import OTHER
from vqspeech.errors import InputError
from vqspeech.evaluation import converted

if TYPE_CHECKING:
    from pathlib import Path

    from vqspeech.codec import Codec


def check_names(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    """Raise InputError unless `given` names one or more of the `known`, each once."""
    for name in given:
        if name not in known:
            raise InputError(f"no {kind} '{name}'; choose from {', '.join(known)}")
    if not given or len(set(given)) < len(given):
        raise InputError(f"name at least one {kind}, each once, of {', '.join(known)}")


def stand_in(codec: "Codec", speaker: str | None) -> str:
    """The identity for speakers that the model does not know. Raises InputError."""
    names = list(codec.speakers)
    if speaker is not None:
        codec.speaker_row(speaker)  # refuses a name that the model lacks
        return speaker
    return OTHER if OTHER in names else names[0]


def conversion_targets(
    codec: "Codec", voices: Sequence[Utterance], wanted: Sequence[str] | None, groups: Sequence[str]
) -> list[converted.Target]:
    """The voices to convert to, `wanted` or chosen, as their recordings among `voices` show them.

    groups: of metrics asked for. Raises InputError for a wanted voice that the model lacks or that
    has no readable recording.
    """
    paths: dict[str, list[Path]] = {}
    for utterance in voices:
        paths.setdefault(utterance.speaker, []).append(utterance.path)
    if wanted is None:
        names, _ = converted.choose_targets(codec.speaker_table, paths)
    else:
        check_names("target", wanted, list(codec.speakers))
        names = list(wanted)
    found = []
    for name in names:
        target = converted.know(name, paths.get(name, ()), groups)
        if target is not None:
            found.append(target)
        elif wanted is not None:
            raise InputError(
                f"target '{name}' has no readable recording here to compare with; name another"
            )
    return found
