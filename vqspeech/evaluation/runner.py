"""Runs a codec over recordings and measures what comes back. Always free-running."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import vqspeech
from vqspeech.audio.level import is_scorable
from vqspeech.audio.reading import read_blocks
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation import codecs, converted, extras
from vqspeech.evaluation.choices import check_names, conversion_targets, stand_in
from vqspeech.evaluation.machine import machine
from vqspeech.evaluation.methods import (
    CONVERTING,
    METHODS,
    MODEL,
    ORIGINAL,
    SAMPLED,
    UNFILTERED,
    WAVENET,
    Take,
    possible,
)
from vqspeech.evaluation.metrics.scores import GROUPS, MODULES
from vqspeech.evaluation.metrics.signals import match
from vqspeech.evaluation.pool import Scores, Task, score_all
from vqspeech.evaluation.rates import RateMeter
from vqspeech.evaluation.report.report import Report, Sample
from vqspeech.evaluation.report.summary import average, over_seeds
from vqspeech.evaluation.usage import CodebookUsage

if TYPE_CHECKING:
    from vqspeech.codec import Codec

MAX_SECONDS = 60.0
"""Longer recordings are encoded, decoded and scored on their first minute."""


class Sampling(NamedTuple):
    """How decoders draw. seed: the first of `seeds` that follow one another, each of which the
    WaveNet samples everything with. temperature: None for the model's own."""

    seed: int = 0
    seeds: int = 1
    temperature: float | None = None


ONE_SEED = Sampling()


def evaluate(
    codec: "Codec",
    utterances: Sequence[Utterance],
    methods: Sequence[str] = METHODS,
    *,
    transcripts: Mapping[Path, str] | None = None,
    groups: Sequence[str] = GROUPS,
    speaker: str | None = None,
    voices: Sequence[Utterance] | None = None,
    targets: Sequence[str] | None = None,
    sampling: Sampling = ONE_SEED,
    jobs: int = 2,
    listen: int = 0,
    progress: bool = False,
) -> Report:
    """Encode and decode `utterances` with every method and score the results.

    Args:
        codec: `vqspeech.Codec`, or anything with its methods and properties that are used here.
        utterances: recordings; unreadable ones are listed in the report, not scored.
        methods: of `methods.METHODS`; those that cannot be run here are left out, with a line in
            the report. With "wavenet" also nats with right and shuffled codes.
        transcripts: what was said, by `Utterance.path`, for the word figures that need it.
        groups: of `metrics.GROUPS`.
        speaker: identity to decode those utterances with whose own speaker the model does not
            know; default `other` if the model has it, else its first. All others keep their own.
        voices: recordings that show what the targets of conversion sound like; default
            `utterances`.
        targets: names of voices to convert to; default up to three women and three men among
            `voices` that the model knows. Each utterance is converted to one of them, in turn.
        sampling: seeds and temperature; the same ones give the same report on the same machine.
        jobs: worker processes for the metrics; 0 computes them in this process.
        listen: so many recordings, spread over all, are kept in the report with every decoding.
        progress: draw a bar on stderr.

    Raises InputError: unknown method, metric, speaker or target, a missing package of the `eval`
    extra, no method left, or no readable recording.
    """
    check_names("method", methods, METHODS)
    check_names("metric", groups, GROUPS)
    extras.check(chain.from_iterable(MODULES[group] for group in groups))
    extras.check(["PIL"] if listen else [])
    if sampling.seeds < 1:
        raise InputError(f"{sampling.seeds} seeds: at least one is needed")
    identity = stand_in(codec, speaker)
    known = []
    if set(methods) & set(CONVERTING) and set(groups) & set(converted.GROUPS):
        heard = utterances if voices is None else voices
        known = conversion_targets(codec, heard, targets, groups)
    kept, notes = possible(codec, methods, groups, known, converted.GROUPS)
    if not kept:
        raise InputError(f"no method is left: {'; '.join(notes)}")
    run = _Run(codec, kept, tuple(groups), identity, known, sampling)
    run.notes += notes
    run.listen = {utterances[i * len(utterances) // listen] for i in range(listen) if utterances}
    start = time.perf_counter()
    from tqdm import tqdm

    with tqdm(utterances, unit="file", leave=False, disable=None if progress else True) as bar:
        for key, scores in score_all(run.tasks(bar, transcripts or {}), jobs):
            run.take_in(key, scores)
    if not run.rows:
        _, reason = run.skipped[0] if run.skipped else ("", "the list is empty")
        raise InputError(f"none of {len(utterances)} recordings can be evaluated: {reason}")
    return run.report(time.perf_counter() - start)


class _Run:
    """What is gathered while the recordings go through the codec."""

    def __init__(self, codec, methods, groups, stand_in, targets, sampling: Sampling):
        self.codec, self.methods, self.groups = codec, methods, groups
        self.stand_in, self.targets, self.sampling = stand_in, targets, sampling
        self.known = set(codec.speakers)
        self.usage, self.rates = CodebookUsage(codec.config.quantizer), RateMeter()
        self.rows: list[dict] = []
        self.samples: list[Sample] = []
        self.listen: set[Utterance] = set()
        self.skipped: list[tuple[str, str]] = []
        self.notes: list[str] = []

    def tasks(self, utterances, transcripts: Mapping[Path, str]) -> Iterator[Task]:
        for utterance in utterances:
            try:
                wave, cut = read_start(utterance.path)
            except InputError as error:
                self.skipped.append((str(utterance.path), str(error)))
                continue
            identity = utterance.speaker if utterance.speaker in self.known else self.stand_in
            target = self._target(utterance.speaker)
            decoded = self._model(wave, utterance.speaker, identity, target)
            decoded |= self._others(wave, utterance.path)
            row = {
                "utterance": utterance.name,
                "speaker": utterance.speaker,
                "identity": identity,
                "converted_to": target.name if target else None,
                "seconds": len(wave) / SAMPLE_RATE,
                "cut": cut,
                "nats": self._nats(wave, identity),
            }
            self.rows.append(row)
            transcript = None if cut else transcripts.get(utterance.path)
            if utterance in self.listen:
                self.samples.append(_sample(row, wave, decoded, transcript))
            key = len(self.rows) - 1
            yield Task(key, wave, decoded, transcript, self.groups, target)

    def take_in(self, key: int, scores: Scores) -> None:
        """The scores of a task into its row: by method their means over seeds, and by seed."""
        by_method: dict[str, list[dict[str, float]]] = {}
        for take, found in scores.items():
            by_method.setdefault(take.method, []).append(found)
        self.rows[key]["scores"] = {m: over_seeds(found) for m, found in by_method.items()}
        if self.sampling.seeds > 1:
            drawn = {m: found for m, found in by_method.items() if m in SAMPLED}
            self.rows[key]["by_seed"] = drawn

    def _target(self, speaker: str) -> converted.Target | None:
        others = [target for target in self.targets if target.name != speaker]
        return others[len(self.rows) % len(others)] if others else None

    def _model(self, wave, speaker, identity, target) -> dict[Take, np.ndarray | None]:
        """What the model's own methods make of a recording, and what its codes cost."""
        codes = self.codec.encode(wave)
        size = self.codec.codebook_size
        self.usage.add(codes.indices, codes.samples, codes.bits_per_second(size))
        self.rates.add_vqs(self.codec, codes, speaker if speaker in self.known else None)
        first, count, temperature = self.sampling
        decoded: dict[Take, np.ndarray | None] = {}
        for method in self.methods:
            if method == ORIGINAL:
                decoded[Take(method)] = None
            if method not in (*MODEL, *CONVERTING) or (method in CONVERTING and target is None):
                continue
            for seed in range(first, first + (count if method in SAMPLED else 1)):
                options = {"seed": seed, "preview": method not in SAMPLED}
                options |= {"temperature": temperature} if method in SAMPLED else {}
                options |= {"postfilter": False} if method == UNFILTERED else {}
                decoded[Take(method, seed)] = (
                    self.codec.convert(wave, SAMPLE_RATE, target.name, **options)
                    if method in CONVERTING
                    else self.codec.decode(codes, identity, **options)
                )
        return decoded

    def _others(self, wave: np.ndarray, path: Path) -> dict[Take, np.ndarray]:
        decoded = {}
        for method in self.methods:
            if method not in codecs.BY_NAME:
                continue
            try:
                coded = codecs.through(codecs.BY_NAME[method], wave)
            except InputError as error:
                self.notes.append(f"{path}: {error}")
                continue
            self.rates.add(method, coded.coded_bits, coded.file_bits, coded.seconds)
            decoded[Take(method)] = coded.wave
        return decoded

    def _nats(self, wave: np.ndarray, identity: str) -> dict[str, float]:
        if WAVENET not in self.methods or not is_scorable(wave):
            return {}
        nats = self.codec.nats_per_step
        return {"right": nats(wave, identity), "shuffled": nats(wave, identity, shuffle=True)}

    def report(self, seconds: float) -> Report:
        own = self.codec.config.decoder.temperature
        temperature = own if self.sampling.temperature is None else self.sampling.temperature
        unknown = sum(row["speaker"] not in self.known for row in self.rows)
        return Report(
            about={
                "model": self.codec.name,
                "fingerprint": self.codec.fingerprint,
                "vqspeech": vqspeech.__version__,
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "machine": machine(),
                "seed": self.sampling.seed,
                "seeds": self.sampling.seeds,
                "temperature": temperature,
                "utterances": len(self.rows),
                "seconds_of_speech": sum(row["seconds"] for row in self.rows),
                "speakers": len({row["speaker"] for row in self.rows}),
                "unknown_speaker_utterances": unknown,
                "unknown_speakers_decoded_as": self.stand_in,
                "targets": [target.name for target in self.targets],
                "cut_to_first_minute": sum(row["cut"] for row in self.rows),
                "samples_per_step": self.codec.config.decoder.bands,
                "seconds_taken": round(seconds, 1),
            },
            codes=self.usage.summary(),
            nats=self._mean_nats(),
            methods=self.methods,
            rows=self.rows,
            skipped=self.skipped,
            rates=self.rates.summary(),
            notes=self.notes,
            samples=self.samples,
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


def _sample(row: dict, wave: np.ndarray, decoded: dict, transcript: str | None) -> Sample:
    """What is kept for listening: the first take of each method, as the metrics hear it."""
    waves: dict[str, np.ndarray] = {}
    for take, result in decoded.items():
        if take.method not in waves:
            waves[take.method] = wave if result is None else match(wave, result)[0]
    return Sample(row["utterance"], row["speaker"], row["converted_to"], transcript, waves)
