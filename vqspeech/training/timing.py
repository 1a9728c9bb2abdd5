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


class _Clock(NamedTuple):
    """Times steps: for so many seconds, no more than there are to do, and at least some."""

    seconds: float
    most: int

    def mean(self, step: Callable[[], object]) -> float:
        """Seconds a step. On a GPU too, as each step waits for its figures."""
        for _ in range(WARM_UP):
            step()
        began, done, spent = time.perf_counter(), 0, 0.0
        while done < LEAST_STEPS or (spent < self.seconds and done < self.most):
            step()
            done, spent = done + 1, time.perf_counter() - began
        return spent / done


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
        begun = 0 if position is None or position.stage != stage.name else position.step
        found.append(StageLeft(stage.name, stage.steps, begun))
    fitted = not stages and (options.out / MODEL_FOLDER / PRIOR_FILE).exists()
    if config.prior is not None and not fitted:
        found.append(StageLeft(PRIOR, config.prior.steps, 0))
    return found


def step_seconds(
    config: Config, options: Options, left: list[StageLeft], seconds: float
) -> Iterator[tuple[str, float]]:
    """(stage, seconds a step) of those that are `left`, each timed for about `seconds`.

    options: `data` is any packed corpus, a small one will do; `out` a folder to be thrown away.
    The steps are those of training, teacher and reading of crops included; checkpoints are not.
    Raises InputError.
    """
    keep_freed_memory()
    most = {stage.name: stage.left for stage in left}
    stages = [stage for stage in config.training.stages if stage.name in most]
    teaching = find_teaching(config, options.teacher, stages, None)
    with run_folder(options.out):
        run = Run(config, options, teaching)
        run.log.silent = True  # what some steps from nothing warn of is of no run
        try:
            for part in run.model.quantizer.modules():
                if isinstance(part, VectorQuantizer):
                    part.initialised.fill_(True)  # as stages that build on trained codes want it
            for stage in stages:
                yield stage.name, _of_stage(run, stage, _Clock(seconds, most[stage.name]))
            if PRIOR in most:
                save_checkpoint(run.model, run.corpus.speaker_table, options.out / MODEL_FOLDER, {})
        finally:
            run.close()
        if PRIOR in most:
            yield PRIOR, _of_prior(config, options, _Clock(seconds, most[PRIOR]))


def _of_stage(run: Run, stage: StageConfig, clock: _Clock) -> float:
    training = StageRun(run, stage, Position(stage.name))
    batches = prefetch(training.crops, 0)
    try:
        return clock.mean(lambda: training.step(next(batches)))
    finally:
        batches.close()
        training.finish()


def _of_prior(config: Config, options: Options, clock: _Clock) -> float:
    assert config.prior is not None
    log = RunLog(options.out, options.quiet)
    try:
        fit = Fit(config.prior, options, load_checkpoint(options.out / MODEL_FOLDER), log)
        return clock.mean(fit.step)
    finally:
        log.close()
