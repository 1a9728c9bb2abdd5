"""Runs a codec over recordings and measures what comes back. Always free-running."""

import math
import platform
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vqspeech.audio import read_blocks
from vqspeech.data.corpus import Utterance
from vqspeech.dsp import SAMPLE_RATE
from vqspeech.errors import InputError
from vqspeech.evaluation import extras
from vqspeech.evaluation.metrics import GROUPS, MODULES
from vqspeech.evaluation.pool import Task, score_all
from vqspeech.evaluation.report import Report
from vqspeech.evaluation.signals import is_scorable
from vqspeech.evaluation.summary import average
from vqspeech.evaluation.usage import CodebookUsage

if TYPE_CHECKING:
    from vqspeech.codec import Codec

METHODS = ("original", "preview", "wavenet")
"""`original`: the recordings themselves; `preview`: Griffin-Lim from the codes; `wavenet`."""

OTHER = "other"
"""The identity that training gives to speakers with too little speech for one of their own."""

MAX_SECONDS = 60.0
"""Longer recordings are encoded, decoded and scored on their first minute."""


def evaluate(
    codec: "Codec",
    utterances: Sequence[Utterance],
    methods: Sequence[str] = ("preview", "wavenet"),
    *,
    transcripts: Mapping[Path, str] | None = None,
    groups: Sequence[str] = GROUPS,
    speaker: str | None = None,
    jobs: int = 2,
    seed: int = 0,
    progress: bool = False,
) -> Report:
    """Encode and decode `utterances` with every method and score the results.

    Args:
        codec: `vqspeech.Codec`, or anything with its `encode`, `decode`, `nats_per_step`,
            `speakers`, `codebook_size`, `name` and `fingerprint`.
        utterances: recordings; unreadable ones are listed in the report, not scored.
        methods: of METHODS. With "wavenet" also nats a WaveNet step, with right and shuffled codes.
        transcripts: what was said, by `Utterance.path`, for the word figures that need it.
        groups: of `metrics.GROUPS`.
        speaker: identity to decode those utterances with whose own speaker the model does not
            know; default `other` if the model has it, else its first. All others keep their own.
        jobs: worker processes for the metrics; 0 computes them in this process.
        seed: of the sampling; the same seed gives the same report on the same machine.
        progress: draw a bar on stderr.

    Raises InputError: unknown method, metric or speaker, a missing package of the `eval` extra, no
    readable recording, or a codec that cannot decode by that method.
    """
    _check_names("method", methods, METHODS)
    _check_names("metric", groups, GROUPS)
    extras.check(chain.from_iterable(MODULES[group] for group in groups))
    run = _Run(codec, tuple(methods), tuple(groups), _stand_in(codec, speaker), seed)
    start = time.perf_counter()
    from tqdm import tqdm

    with tqdm(utterances, unit="file", leave=False, disable=None if progress else True) as bar:
        for key, scores in score_all(run.tasks(bar, transcripts or {}), jobs):
            run.rows[key]["scores"] = scores
    if not run.rows:
        _, reason = run.skipped[0] if run.skipped else ("", "the list is empty")
        raise InputError(f"none of {len(utterances)} recordings can be evaluated: {reason}")
    return run.report(time.perf_counter() - start)


class _Run:
    """What is gathered while the recordings go through the codec."""

    def __init__(self, codec, methods, groups, stand_in, seed):
        self.codec, self.methods, self.groups = codec, methods, groups
        self.stand_in, self.seed = stand_in, seed
        self.known = set(codec.speakers)
        self.usage = CodebookUsage(codec.codebook_size)
        self.rows: list[dict] = []
        self.skipped: list[tuple[str, str]] = []

    def tasks(self, utterances, transcripts: Mapping[Path, str]) -> Iterator[Task]:
        for utterance in utterances:
            try:
                wave, cut = read_start(utterance.path)
            except InputError as error:
                self.skipped.append((str(utterance.path), str(error)))
                continue
            identity = utterance.speaker if utterance.speaker in self.known else self.stand_in
            decoded = self._through(wave, identity)
            self.rows.append(
                {
                    "utterance": utterance.name,
                    "speaker": utterance.speaker,
                    "identity": identity,
                    "seconds": len(wave) / SAMPLE_RATE,
                    "cut": cut,
                    "nats": self._nats(wave, identity),
                }
            )
            transcript = None if cut else transcripts.get(utterance.path)
            yield Task(len(self.rows) - 1, wave, decoded, transcript, self.groups)

    def _through(self, wave: np.ndarray, identity: str) -> dict[str, np.ndarray | None]:
        codes = self.codec.encode(wave)
        size = self.codec.codebook_size
        self.usage.add(codes.indices, codes.samples, codes.bits_per_second(size))
        return {
            method: None
            if method == "original"
            else self.codec.decode(codes, identity, seed=self.seed, preview=method == "preview")
            for method in self.methods
        }

    def _nats(self, wave: np.ndarray, identity: str) -> dict[str, float]:
        if "wavenet" not in self.methods or not is_scorable(wave):
            return {}
        nats = self.codec.nats_per_step
        return {"right": nats(wave, identity), "shuffled": nats(wave, identity, shuffle=True)}

    def report(self, seconds: float) -> Report:
        return Report(
            about={
                "model": self.codec.name,
                "fingerprint": self.codec.fingerprint,
                "vqspeech": _version(),
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": machine(),
                "seed": self.seed,
                "utterances": len(self.rows),
                "seconds_of_speech": sum(row["seconds"] for row in self.rows),
                "speakers": len({row["speaker"] for row in self.rows}),
                "unknown_speaker_utterances": sum(
                    row["speaker"] not in self.known for row in self.rows
                ),
                "unknown_speakers_decoded_as": self.stand_in,
                "cut_to_first_minute": sum(row["cut"] for row in self.rows),
                "seconds_taken": round(seconds, 1),
            },
            codes=self.usage.summary(),
            nats=self._mean_nats(),
            methods=self.methods,
            rows=self.rows,
            skipped=self.skipped,
        )

    def _mean_nats(self) -> dict[str, float]:
        """Means over all speech: every utterance weighs by its length."""
        rows = [row for row in self.rows if row["nats"]]
        if not rows:
            return {}
        seconds = [row["seconds"] for row in rows]
        right, shuffled = (
            average([row["nats"][kind] for row in rows], seconds).mean
            for kind in ("right", "shuffled")
        )
        return {"right": right, "shuffled": shuffled, "difference": shuffled - right}


def read_start(path: Path) -> tuple[np.ndarray, bool]:
    """(first MAX_SECONDS of a file as 16 kHz mono float32 [T], whether it goes on after that)."""
    limit = math.floor(MAX_SECONDS * SAMPLE_RATE)
    blocks, total = [], 0
    for block in read_blocks(path, quiet=True):
        blocks.append(block)
        total += len(block)
        if total > limit:
            break
    return np.concatenate(blocks)[:limit], total > limit


def machine() -> dict[str, str | int]:
    """Where figures were made: processor, cores, system and the versions that matter."""
    import os
    from importlib.metadata import PackageNotFoundError, version

    found = {"processor": _processor(), "cores": os.cpu_count() or 1}
    found |= {"system": platform.platform(), "python": platform.python_version()}
    for package in ("numpy", "torch", "librosa", "onnxruntime", "pocketsphinx"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version() -> str:
    from vqspeech import __version__

    return __version__


def _stand_in(codec: "Codec", speaker: str | None) -> str:
    names = list(codec.speakers)
    if speaker is not None:
        codec.speaker_row(speaker)  # refuses a name that the model lacks
        return speaker
    return OTHER if OTHER in names else names[0]


def _check_names(kind: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"no {kind} '{name}'; choose from {', '.join(known)}")
    if not given or len(set(given)) < len(given):
        raise InputError(f"name at least one {kind}, each once, of {', '.join(known)}")
