"""Packs a corpus into int16 arrays with an index, the same bytes with any number of workers."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vqspeech.audio import ffmpeg
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.condition import conditioned
from vqspeech.data.corpus import Utterance
from vqspeech.data.index import (
    INDEX,
    SHARDS,
    VERSION,
    build_index,
    counted_shards,
    shard_name,
)
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.files import make_folder, unwritable
from vqspeech.locks import sole_process
from vqspeech.notices import notify
from vqspeech.parallel import cores, map_processes

SKIPPED, SCRATCH = "skipped.tsv", ".packing"
SHARD_SAMPLES = 1 << 28
"""A shard ends with the utterance that reaches this many samples (512 MB)."""


@dataclass(frozen=True)
class PackReport:
    """What `pack` made (or found, if `reused`): hours and utterances, speakers with minutes each.

    `shared` counts the speakers that share the identity `other`, `skipped` the unreadable files.
    """

    folder: Path
    speakers: dict[str, float]
    hours: float
    valid_hours: float
    utterances: int
    shared: int
    skipped: int
    reused: bool = False

    def __str__(self) -> str:
        minutes = sorted(self.speakers.values())
        middle = minutes[len(minutes) // 2]
        return (
            f"{'found' if self.reused else 'packed'} {self.hours:.2f} h in {self.utterances} "
            f"utterances ({self.valid_hours:.2f} h of them for validation) in {self.folder}: "
            f"{len(minutes)} identities with {minutes[0]:.1f} to {minutes[-1]:.1f} minutes each "
            f"(median {middle:.1f}); {self.shared} speakers with little audio share one of them; "
            f"{self.skipped} files skipped"
        )


def pack(
    utterances: Sequence[Utterance],
    out_dir: str | os.PathLike,
    workers: int | None = None,
    valid_fraction: float = 0.01,
    min_minutes: float = 0.5,
    progress: bool = True,
) -> PackReport:
    """Condition every utterance and store all of them under `out_dir`.

    Files: `audio-00000.bin` ... (little-endian int16), `index.json` (see `data.index`) and
    `skipped.tsv` (path, reason: one line for each file that could not be used). Speakers with less
    than `min_minutes` share the identity `other`. About `valid_fraction` of the utterances are for
    validation, chosen by a hash of their names. Does nothing if `out_dir` already holds the same
    files packed with the same options, and none was skipped for want of an ffmpeg that is there
    now. The index is written last, so a broken run leaves none. Shards of an index before go;
    others stay, but for those of the same names.
    Raises InputError if no file can be used, one stands there under two names, `out_dir` cannot be
    written, or another process packs into it.
    """
    out = Path(out_dir)
    if not utterances:
        raise InputError(f"{out}: nothing to pack; name a corpus with audio files")
    _check_once(utterances)
    source = _source_hash(utterances, valid_fraction, min_minutes)
    found = _existing(out, source)
    if found is not None:
        with suppress(InputError), sole_process(out):
            shutil.rmtree(out / SCRATCH, ignore_errors=True)  # killed when all was done but this
        left = "1 file is" if found.skipped == 1 else f"{found.skipped} files are"
        left = f" ({left} left out: {out / SKIPPED})" if found.skipped else ""
        notify(f"{out} already holds this corpus, nothing to do{left}")
        return found
    try:
        with sole_process(make_folder(out)), _scratch(out) as scratch:
            kept, lengths, shards, skipped = _pack_audio(utterances, scratch, workers, progress)
            _write_skipped(scratch / SKIPPED, skipped)
            if not kept:
                raise InputError(
                    f"{skipped[0][0].path}: none of {len(skipped)} files could be used (this one: "
                    f"{skipped[0][1]}); check the corpus"
                )
            index = build_index(kept, lengths, shards, valid_fraction, min_minutes)
            index["source"], index["skipped"] = source, len(skipped)
            (scratch / INDEX).write_text(json.dumps(index), encoding="utf-8")
            _publish(scratch, out, len(index["shards"]))
    except OSError as error:
        raise unwritable(out, error) from None
    if skipped:
        notify(f"{len(skipped)} files skipped, see {out / SKIPPED}")
    return _report(out, index)


def uncounted_shards(out_dir: str | os.PathLike) -> list[Path]:
    """Files in a folder that are named as shards are, and that no index of a packed corpus there
    counts: whoever made them, `pack` may not have."""
    out = Path(out_dir)
    counted = counted_shards(out / INDEX) | counted_shards(out / SCRATCH / INDEX)
    with suppress(OSError, ValueError):
        return sorted(
            path for path in out.glob(SHARDS) if path.name not in counted and path.is_file()
        )
    return []


def _check_once(utterances: Sequence[Utterance]) -> None:
    """Raise InputError for a file under two names: one might be held out, and the other trained
    on."""
    known: dict[str, Utterance] = {}
    for one in utterances:
        other = known.setdefault(os.path.abspath(one.path), one)
        if other is not one:
            raise InputError(
                f"{one.path}: stands there twice, as {other.speaker}/{other.name} and as "
                f"{one.speaker}/{one.name}; a recording is taken whole, so keep one of them"
            )


def _pack_audio(utterances, scratch: Path, workers: int | None, progress: bool):
    """(utterances kept, their lengths, their shards, [(utterance, reason)] skipped)."""
    from tqdm import tqdm

    kept, lengths, shards, skipped = [], [], [], []
    shard = in_shard = total = 0
    workers = min(workers or cores(), len(utterances))
    advice = "use fewer workers or shorter files"
    results = map_processes(_try, utterances, 0 if workers == 1 else workers, advice=advice)
    file = open(scratch / shard_name(shard), "wb")  # noqa: SIM115 (replaced in the loop)
    try:
        with tqdm(total=len(utterances), unit="file", disable=not progress) as bar:
            for utterance, result in zip(utterances, results, strict=True):
                bar.update()
                if isinstance(result, str):
                    skipped.append((utterance, result))
                    continue
                if in_shard >= SHARD_SAMPLES:
                    file.close()
                    shard, in_shard = shard + 1, 0
                    file = open(scratch / shard_name(shard), "wb")  # noqa: SIM115
                file.write(result.astype("<i2", copy=False).tobytes())
                in_shard += len(result)
                kept.append(utterance)
                lengths.append(len(result))
                shards.append(shard)
                total += len(result)
                bar.set_postfix_str(f"{total / SAMPLE_RATE / 3600:.2f} h", refresh=False)
    finally:
        file.close()
    return kept, lengths, shards, skipped


def _try(utterance: Utterance) -> np.ndarray | str:
    """int16 [T], or why the file cannot be used."""
    try:
        return conditioned(utterance.path)
    except InputError as error:
        return str(error)


def _source_hash(utterances, *options) -> str:
    """A hash of everything that decides the result: names, files, sizes, times, options."""
    digest = hashlib.blake2b(repr((VERSION, *options)).encode(), digest_size=16)
    for u in utterances:
        try:
            status = u.path.stat()
            # A permission that is given later changes neither size nor time.
            readable = os.access(u.path, os.R_OK)
            size = (status.st_size, status.st_mtime_ns) if readable else None
        except (OSError, ValueError):  # unreadable now: `skipped.tsv` will say why
            size = None
        row = (u.speaker, u.name, u.gender, os.path.abspath(u.path), size)
        digest.update(repr(row).encode(errors="surrogateescape"))
    return digest.hexdigest()


def _existing(out: Path, source: str) -> PackReport | None:
    try:
        corpus = PackedCorpus(out)
    except InputError:
        return None
    if corpus.index["source"] != source or (corpus.index["skipped"] and _now_readable(out)):
        return None
    return _report(out, corpus.index, reused=True)


def _now_readable(out: Path) -> bool:
    """Whether files were skipped that an ffmpeg, installed meanwhile, may read."""
    with suppress(OSError):
        skipped = (out / SKIPPED).read_text(encoding="utf-8", errors="replace")
        return ffmpeg.ADVICE in skipped and ffmpeg.available()
    return False


@contextmanager
def _scratch(out: Path) -> Iterator[Path]:
    """A folder inside `out` that is removed again, whatever happens."""
    scratch = out / SCRATCH
    _clear(out)  # what a killed run left
    scratch.mkdir(parents=True)
    try:
        yield scratch
    finally:
        _clear(out)


def _clear(out: Path) -> None:
    """Remove the scratch folder, and the shards that a run which broke off had published: their
    index is still in there."""
    if not (out / INDEX).exists():
        _remove(out, counted_shards(out / SCRATCH / INDEX))
    shutil.rmtree(out / SCRATCH, ignore_errors=True)


def _publish(scratch: Path, out: Path, shards: int) -> None:
    _remove(out, counted_shards(out / INDEX))  # while their index is there to say whose they are
    (out / INDEX).unlink(missing_ok=True)
    for name in [*map(shard_name, range(shards)), SKIPPED, INDEX]:
        os.replace(scratch / name, out / name)


def _remove(out: Path, names: Iterable[str]) -> None:
    for name in names:
        (out / name).unlink(missing_ok=True)


def _write_skipped(path: Path, skipped) -> None:
    fields = [("path", "reason"), *((str(utterance.path), reason) for utterance, reason in skipped)]
    lines = ("\t".join(" ".join(field.split()) for field in row) for row in fields)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", errors="surrogateescape")


def _report(out: Path, index: dict, reused: bool = False) -> PackReport:
    columns = index["utterances"]
    hours = {"train": 0.0, "valid": 0.0}
    for split, samples in zip(columns["split"], columns["samples"], strict=True):
        hours[split] += samples / SAMPLE_RATE / 3600
    return PackReport(
        folder=out,
        speakers={speaker["name"]: speaker["minutes"] for speaker in index["speakers"]},
        hours=hours["train"] + hours["valid"],
        valid_hours=hours["valid"],
        utterances=len(columns["samples"]),
        shared=index["shared"],
        skipped=index["skipped"],
        reused=reused,
    )
