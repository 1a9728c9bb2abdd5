"""How long a run will take on this machine: real steps of each stage, timed and thrown away."""

import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.model import load_checkpoint, save_checkpoint
from vqspeech.config.model import Config
from vqspeech.config.training import StageConfig
from vqspeech.data.crops import prefetch
from vqspeech.nn.quantizer import VectorQuantizer
from vqspeech.training.fit_prior import STAGE as PRIOR
from vqspeech.training.fit_prior import Fit
from vqspeech.training.folder import MODEL_FOLDER, run_folder
from vqspeech.training.log import RunLog
from vqspeech.training.loop import stages_left
from vqspeech.training.memory import keep_freed_memory
from vqspeech.training.run import Options, Run
from vqspeech.training.stage import StageRun
from vqspeech.training.state import Position, load_position
from vqspeech.training.teaching import find_teaching

WARM_UP = 3
"""Steps that are not timed: libraries choose their kernels, memory is taken, codes begin."""
LEAST_STEPS = 5
Times = Iterator[tuple[str, float]]


class StageLeft(NamedTuple):
    """A stage of a run: its steps, and how many of them are done."""

    name: str
    steps: int
    done: int

    @property
    def left(self) -> int:
        return self.steps - self.done


def run_left(config: Config, options: Options) -> list[StageLeft]:
    """The stages that the run in `options.out` has yet to go through, the prior among them.

    Raises InputError where the run does not fit `config`, or was begun with another teacher.
    """
    position = load_position(options.out)
    names = {stage.name for stage in config.training.stages}
    stages = stages_left(config, names, position)
    find_teaching(config, options.teacher, stages, position)
    found = []
    for stage in stages:
        begun = position is not None and position.stage == stage.name
        found.append(StageLeft(stage.name, stage.steps, position.step if begun else 0))
    fitted = not stages and (options.out / MODEL_FOLDER / PRIOR_FILE).exists()
    if config.prior is not None and not fitted:
        found.append(StageLeft(PRIOR, config.prior.steps, 0))
    return found


def step_seconds(config: Config, options: Options, names: list[str], seconds: float) -> Times:
    """(stage, seconds a step) of those named, each timed for about `seconds`, at least some steps.

    options: `data` is any packed corpus, a small one will do; `out` a folder to be thrown away.
    The steps are those of training, teacher and reading of crops included; checkpoints are not.
    Raises InputError.
    """
    keep_freed_memory()
    stages = [stage for stage in config.training.stages if stage.name in names]
    teaching = find_teaching(config, options.teacher, stages, None)
    with run_folder(options.out):
        run = Run(config, options, teaching)
        try:
            for part in run.model.quantizer.modules():
                if isinstance(part, VectorQuantizer):
                    part.initialised.fill_(True)  # as stages that build on trained codes want it
            for stage in stages:
                yield stage.name, _of_stage(run, stage, seconds)
            if PRIOR in names:
                save_checkpoint(run.model, run.corpus.speaker_table, options.out / MODEL_FOLDER, {})
        finally:
            run.close()
        if PRIOR in names:
            yield PRIOR, _of_prior(config, options, seconds)


def _of_stage(run: Run, stage: StageConfig, seconds: float) -> float:
    training = StageRun(run, stage, Position(stage.name))
    batches = prefetch(training.crops, 0)
    try:
        return _mean_time(lambda: training.step(next(batches)), seconds)
    finally:
        batches.close()
        training.finish()


def _of_prior(config: Config, options: Options, seconds: float) -> float:
    assert config.prior is not None
    log = RunLog(options.out, options.quiet)
    try:
        fit = Fit(config.prior, options, load_checkpoint(options.out / MODEL_FOLDER), log)
        return _mean_time(fit.step, seconds)
    finally:
        log.close()


def _mean_time(step: Callable[[], object], seconds: float) -> float:
    """Of as many steps as `seconds` have room for. On a GPU each step waits for its figures."""
    for _ in range(WARM_UP):
        step()
    began, done = time.perf_counter(), 0
    while done < LEAST_STEPS or time.perf_counter() - began < seconds:
        step()
        done += 1
    return (time.perf_counter() - began) / done
