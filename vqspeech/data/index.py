"""The index of a packed corpus: built by `pack`, and checked before anything in it is believed.

`index.json` holds `version`, `sample_rate` (Hz), `level_db`, `speakers` (a list of {name, gender,
minutes}; `other` is the last), `shared` (speakers behind `other`), `skipped` (files), `source`
(hash of the files and options), `shards` (samples in each `audio-NNNNN.bin`), and `utterances`:
columns `speaker` (row), `name`, `split` (train or valid), `shard`, `offset` and `samples`.
"""

import hashlib
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.audio.level import LEVEL_DB
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.checkpoint.speakers import Speaker, gender_of
from vqspeech.config.tables import build
from vqspeech.errors import InputError

INDEX = "index.json"
SHARDS = "audio-" + 5 * "[0-9]" + ".bin"
"""Glob of all names of `shard_name`."""
VERSION = 1
OTHER = "other"
SPLITS = ("train", "valid")
MAX_INDEX_BYTES = 1 << 30


def shard_name(shard: int) -> str:
    return f"audio-{shard:05d}.bin"


def build_index(kept, lengths, shards, valid_fraction: float, min_minutes: float) -> dict:
    """The index of utterances `kept` with `lengths` (samples), stored in order in `shards`."""
    minutes, genders = defaultdict(float), defaultdict(set)
    for utterance, samples in zip(kept, lengths, strict=True):
        minutes[utterance.speaker] += samples / SAMPLE_RATE / 60
        genders[utterance.speaker].add(utterance.gender)
    # A speaker who is really called `other` joins the others, so that the name means one thing.
    own = sorted(name for name in minutes if minutes[name] >= min_minutes and name != OTHER)
    shared = sorted(set(minutes) - set(own))
    gender = {name: min(genders[name]) if len(genders[name]) == 1 else "" for name in own}
    speakers = [Speaker(name, gender[name], round(minutes[name], 4)) for name in own]
    if shared:
        speakers.append(Speaker(OTHER, "", round(sum(minutes[name] for name in shared), 4)))
    rows = {name: row for row, name in enumerate(own)} | dict.fromkeys(shared, len(own))
    offsets, sizes = [], [0] * (shards[-1] + 1)
    for samples, shard in zip(lengths, shards, strict=True):
        offsets.append(sizes[shard])
        sizes[shard] += samples
    return {
        "version": VERSION,
        "sample_rate": SAMPLE_RATE,
        "level_db": LEVEL_DB,
        "speakers": [speaker.to_dict() for speaker in speakers],
        "shared": len(shared),
        "shards": sizes,
        "utterances": {
            "speaker": [rows[utterance.speaker] for utterance in kept],
            "name": [f"{utterance.speaker}/{utterance.name}" for utterance in kept],
            "split": choose_splits(kept, valid_fraction),
            "shard": shards,
            "offset": offsets,
            "samples": lengths,
        },
    }


def choose_splits(utterances, valid_fraction: float) -> list[str]:
    """`train` or `valid` for each utterance, by a hash of its names.

    Every speaker keeps an utterance for training; if the fraction is above zero and any speaker
    has two, at least one is for validation. More recordings move no choice but of those that these
    two rules have made: a speaker's only one for training, the corpus's only one for validation.
    """
    rank = {u: _hash_fraction(u) for u in utterances}
    last = {u.speaker: u for u in sorted(utterances, key=lambda u: rank[u])}  # never for validation
    candidates = [u for u in utterances if last[u.speaker] != u]
    valid = {u for u in candidates if rank[u] < valid_fraction}
    if not valid and valid_fraction > 0 and candidates:
        valid = {min(candidates, key=lambda u: rank[u])}
    return ["valid" if u in valid else "train" for u in utterances]


def _hash_fraction(utterance) -> float:
    text = f"{utterance.speaker}\0{utterance.name}".encode(errors="surrogateescape")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "big") / 2**48


def counted_shards(path: Path) -> set[str]:
    """Names of the shards that the index `path` counts, whether or not they are still there; none
    where `path` is no index of a packed corpus."""
    try:
        if path.stat().st_size > MAX_INDEX_BYTES:
            return set()
        index = json.loads(path.read_bytes())
        if index.keys() >= {"version", "sample_rate", "level_db", "utterances"}:
            return {shard_name(shard) for shard in range(len(index["shards"]))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return set()


def load_index(folder: Path) -> dict:
    """The checked index of a packed corpus; number columns become int64 arrays.

    Raises InputError if it is missing, broken, of another version, or does not fit the files.
    """
    path = folder / INDEX
    try:
        if path.stat().st_size > MAX_INDEX_BYTES:
            raise InputError(f"{path}: is too large to be an index; prepare the corpus again")
        index = json.loads(path.read_bytes())
    except OSError:
        raise InputError(
            f"{folder}: is not a prepared corpus (no readable {INDEX}); run `vqspeech prepare`"
        ) from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: is not JSON; prepare the corpus again") from None
    try:
        _check(index, folder)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError, OSError) as error:
        raise InputError(f"{path}: {_reason(error)}; prepare the corpus again") from None
    return index


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"lacks {error}"
    if isinstance(error, OSError):
        return f"cannot read a file it names ({error.strerror})"
    return " ".join(str(error).split()) or "is damaged"


def _check(index: dict, folder: Path) -> None:
    expected = {"version": VERSION, "sample_rate": SAMPLE_RATE, "level_db": LEVEL_DB}
    for key, value in expected.items():
        _require(index[key] == value, f"has {key} {index[key]!r}, this program needs {value}")
    names = [_speaker(row).name for row in index["speakers"]]
    _require(len(set(names)) == len(names) > 0, "has no speakers, or one twice")
    for key in ("shared", "skipped"):
        _require(isinstance(index[key], int), f"has {key} that is no number")
    _require(isinstance(index["source"], str), "has a source that is not text")
    sizes = _integers(index["shards"], "shards")
    for shard, size in enumerate(sizes):
        real = (folder / shard_name(shard)).stat().st_size
        _require(real == 2 * size, f"and {shard_name(shard)} differ in size")
    _check_columns(index["utterances"], len(names), sizes)


def _speaker(row: Any) -> Speaker:
    """A checked speaker; older versions copied a gender from the manifest as it stood there."""
    if isinstance(row, dict) and isinstance(row.get("gender"), str):
        row["gender"] = gender_of(row["gender"])
    return build(Speaker, row, "speakers")


def _check_columns(columns: dict, speakers: int, sizes: np.ndarray) -> None:
    for key in ("speaker", "shard", "offset", "samples"):
        columns[key] = _integers(columns[key], key)
    _require(len({len(columns[key]) for key in columns}) == 1, "has columns of unequal length")
    _require(len(columns["samples"]) > 0, "has no utterances")
    _require(all(isinstance(name, str) for name in columns["name"]), "has a name that is not text")
    _require(all(split in SPLITS for split in columns["split"]), "has an unknown split")
    _require(bool((columns["speaker"] < speakers).all()), "has a speaker row that does not exist")
    _require(bool((columns["shard"] < len(sizes)).all()), "has a shard that does not exist")
    limit = sizes[columns["shard"]]
    # Not offset + samples <= limit: a hostile sum could overflow.
    fits = (columns["samples"] > 0) & (columns["samples"] <= limit)
    fits &= columns["offset"] <= limit - columns["samples"]
    _require(bool(fits.all()), "has an utterance beyond the end of its shard")


def _integers(values, name: str) -> np.ndarray:
    whole = isinstance(values, list) and all(type(value) is int for value in values)
    _require(whole, f"has {name} that are not whole numbers")
    array = np.array(values, np.int64)
    _require(bool((array >= 0).all()), f"has negative {name}")
    return array


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
