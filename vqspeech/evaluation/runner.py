"""Runs a codec over recordings and measures what comes back. Always free-running."""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vqspeech.audio.level import is_scorable
from vqspeech.audio.reading import read_blocks
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError, named
from vqspeech.evaluation import extras
from vqspeech.evaluation.likelihood import nats_per_step
from vqspeech.evaluation.machine import about
from vqspeech.evaluation.methods import CONVERT_PREVIEW, SAMPLED, TRAINED, UNSEEN, UNSEEN_PREVIEW
from vqspeech.evaluation.metrics.signals import match
from vqspeech.evaluation.plan import Corpus, Plan, Work, names_of, prepare
from vqspeech.evaluation.protocol import Codec
from vqspeech.evaluation.report.report import OWN_VOICE, Report, Sample
from vqspeech.evaluation.report.summary import average, over_seeds
from vqspeech.evaluation.scoring import Scores, Task, score_task
from vqspeech.evaluation.takes import Recording, Takers, Takes
from vqspeech.parallel import map_processes

MAX_SECONDS = 60.0
"""Longer recordings are encoded, decoded and scored on their first minute."""

EVERYTHING = Plan()
FEWER_JOBS = "use fewer --jobs"


def _plainly(items: Iterable, number: int) -> Iterable:
    return items


def evaluate(
    codec: Codec,
    corpus: Corpus,
    plan: Plan = EVERYTHING,
    *,
    jobs: int = 2,
    listen: int = 0,
    progress: Callable[[Iterable, int], Iterable] = _plainly,
) -> Report:
    """Encode and decode a corpus with every method of `plan` and score the results.

    Args:
        codec: `vqspeech.Codec`, or anything with its methods and properties that are used here.
        corpus: recordings; those that cannot be read or encoded are listed in the report, not
            scored.
        plan: the same one gives the same report on the same machine. With a WaveNet also nats
            with right and shuffled codes.
        jobs: worker processes for the metrics; 0 computes them in this process.
        listen: so many recordings, spread over all, are kept in the report with every decoding.
        progress: wraps an iterable of so many recordings, to show how far it is.

    Raises InputError: unknown speaker or target, a missing package of the `eval` extra, no method
    left, or no readable recording.
    """
    extras.check(["PIL"] if listen else [])
    run, start = _Run(codec, prepare(codec, corpus, plan)), time.perf_counter()
    found = corpus.utterances
    run.listen = {found[i * len(found) // listen] for i in range(listen) if found}
    tasks = run.tasks(progress(found, len(found)), corpus.transcripts)
    for key, scores in map_processes(score_task, tasks, jobs, advice=FEWER_JOBS, queued=2):
        run.take_in(key, scores)
    if not run.rows:
        _, reason = run.skipped[0] if run.skipped else ("", "the list is empty")
        raise InputError(f"none of {len(found)} recordings can be evaluated: {reason}")
    return run.report(time.perf_counter() - start)


class _Run:
    """What is gathered while the recordings go through the codec."""

    def __init__(self, codec: Codec, work: Work):
        self._codec, self._work, self._takers = codec, work, Takers(codec, work)
        self._known = set(names_of(codec))
        self.listen: set[Utterance] = set()
        self.rows: list[dict[str, Any]] = []
        self.skipped: list[tuple[str, str]] = []
        self._samples: list[Sample] = []

    def tasks(self, utterances: Iterable[Utterance], transcripts) -> Iterator[Task]:
        """What is to be scored, a recording at a time; each begins its row."""
        for utterance in utterances:
            try:
                recording = self._read(utterance)
                with named(str(utterance.path)):
                    codes = self._takers.encode(recording)
            except InputError as error:
                self.skipped.append((str(utterance.path), str(error)))
                continue
            takes = self._takers.takes(recording, codes)
            transcript = None if recording.cut else transcripts.get(utterance.path)
            targets = {method: target.name for method, target in recording.targets.items()}
            row = {
                "utterance": utterance.name,
                "speaker": utterance.speaker,
                "identity": OWN_VOICE if recording.identity is None else recording.identity,
                "converted_to": targets.get(CONVERT_PREVIEW),
                "converted_to_unseen": targets.get(UNSEEN_PREVIEW),
                "seconds": len(recording.wave) / SAMPLE_RATE,
                "cut": recording.cut,
                "nats": self._nats(recording, codes),
            }
            self.rows.append(row)
            if utterance in self.listen:
                self._samples.append(_sample(recording, targets, takes, transcript))
            key = len(self.rows) - 1
            how = self._work.groups, recording.targets, self._work.recognisers
            yield Task(key, recording.wave, takes, transcript, *how)

    def take_in(self, key: int, scores: Scores) -> None:
        """The scores of a task into its row: by method their means over seeds, and by seed."""
        by_method: dict[str, list[dict[str, float]]] = {}
        for take, found in scores.items():
            by_method.setdefault(take.method, []).append(found)
        self.rows[key]["scores"] = {m: over_seeds(found) for m, found in by_method.items()}
        if self._work.seeds > 1:
            drawn = {m: found for m, found in by_method.items() if m in SAMPLED}
            self.rows[key]["by_seed"] = drawn

    def report(self, seconds: float) -> Report:
        """All of it; seconds: how long it took."""
        return Report(
            about=self._about() | {"seconds_taken": round(seconds, 1)},
            codes=self._takers.usage.summary(),
            nats=self._mean_nats(),
            methods=self._work.methods,
            rows=self.rows,
            skipped=self.skipped,
            rates=self._takers.rates.summary(),
            notes=self._work.notes + self._takers.notes,
            samples=self._samples,
        )

    def _read(self, utterance: Utterance) -> Recording:
        wave, cut = read_start(utterance.path)
        known = utterance.speaker in self._known
        identity, targets = utterance.speaker if known else self._work.stand_in, {}
        for methods, voices in ((TRAINED, self._work.targets), (UNSEEN, self._work.unseen)):
            others = [target for target in voices if target.name != utterance.speaker]
            if others:
                targets |= dict.fromkeys(methods, others[len(self.rows) % len(others)])
        return Recording(utterance, wave, cut, known, identity, targets)

    def _nats(self, recording: Recording, codes: Codes) -> dict[str, float]:
        if not set(self._work.methods) & set(SAMPLED) or not is_scorable(recording.wave):
            return {}
        vector = self._codec.voices.of(codes, recording.identity)
        return nats_per_step(self._codec, recording.wave, codes, vector)

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

    def _about(self) -> dict[str, Any]:
        """What was measured, with what, where."""
        config, work = self._codec.loaded.config, self._work
        temperature = work.synthesis.temperature
        return about(self._codec.loaded, work.synthesis.seed) | {
            "seeds": work.seeds,
            "temperature": config.decoder.temperature if temperature is None else temperature,
            "utterances": len(self.rows),
            "seconds_of_speech": sum(row["seconds"] for row in self.rows),
            "speakers": len({row["speaker"] for row in self.rows}),
            "unknown_speaker_utterances": sum(r["speaker"] not in self._known for r in self.rows),
            "unknown_speakers_decoded_as": OWN_VOICE if work.stand_in is None else work.stand_in,
            "refined": work.refine,
            "searched": work.search,
            "targets": [target.name for target in work.targets],
            "unseen_targets": [target.name for target in work.unseen],
            "recognisers": [recogniser.name for recogniser in work.recognisers],
            "cut_to_first_minute": sum(row["cut"] for row in self.rows),
            "samples_per_step": config.decoder.bands,
        }


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


def _sample(
    recording: Recording, targets: dict[str, str], takes: Takes, transcript: str | None
) -> Sample:
    """What is kept for listening: the first take of each method, as the metrics hear it."""
    utterance, wave = recording.utterance, recording.wave
    waves: dict[str, np.ndarray] = {}
    for take, result in takes.items():
        if take.method not in waves:
            waves[take.method] = wave if result is None else match(wave, result)[0]
    return Sample(utterance.name, utterance.speaker, targets, transcript, waves)
