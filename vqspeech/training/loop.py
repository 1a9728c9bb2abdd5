"""The training loop: stages in order, each from its own entry in the configuration.

Read from the top: `train` sets a run up, `train_stages` finds where to begin, `train_stage` walks
through the steps of one stage, and `StageRun.step` is one step.
"""

import time

from vqspeech.checkpoint.model import Checkpoint, load_checkpoint
from vqspeech.config.model import Config
from vqspeech.config.training import StageConfig
from vqspeech.data.crops import prefetch
from vqspeech.data.packed import PackedCorpus, check_packed
from vqspeech.errors import InputError
from vqspeech.notices import notify
from vqspeech.training.folder import MODEL_FOLDER, is_first_process, open_run, run_folder
from vqspeech.training.inherit import inherit, origin_of, strangers
from vqspeech.training.memory import keep_freed_memory
from vqspeech.training.run import Options, Run, levels_of
from vqspeech.training.stage import StageRun
from vqspeech.training.state import (
    Position,
    has_same_recordings,
    load_position,
    load_weights,
    require_same_speakers,
)
from vqspeech.training.teaching import Teaching, find_teaching

SHIPPED = "shipped"
"""The name, for `init`, of the model inside the package."""


def train(config: Config, options: Options) -> None:
    """Train the stages of `config` on a packed corpus; checkpoints and logs go to `options.out`.

    Raises InputError for a corpus, folder or resume state that does not fit.
    """
    if not config.training.stages:
        raise InputError(f"the configuration '{config.name}' has no training stages; add one")
    names = [stage.name for stage in config.training.stages]
    chosen = {config.training.stage(name).name for name in options.stages or names}
    keep_freed_memory()
    try:
        # All are looked for before anything is made, as they may not be there.
        check_packed(options.data, ["train"])
        known, other, teaching = load_position(options.out), None, None
        if options.init is not None and known is None:
            other = load_checkpoint(None if options.init == SHIPPED else options.init)
        if known is not None and options.resume:
            check_not_passed(config, options, known)
        if known is None or options.resume:
            left = stages_left(config, chosen, known)
            teaching = find_teaching(config, options.teacher, left, known)
        with run_folder(options.out):
            _train(config, options, chosen, other, teaching)
    except OSError as error:
        raise InputError(
            f"{error.filename or options.out}: cannot be read or written "
            f"({error.strerror or error}); put it right and continue with --resume"
        ) from None


def _train(
    config: Config,
    options: Options,
    chosen: set[str],
    other: Checkpoint | None,
    teaching: Teaching | None,
) -> None:
    position = open_run(config, options)
    if position is not None and not stages_left(config, chosen, position):
        require_same_speakers(options.out, PackedCorpus(options.data).speakers)
        if is_first_process():
            notify(f"nothing to do, all stages done: {options.out / MODEL_FOLDER}")
        return
    run = Run(config, options, teaching)
    say = run.log.say
    try:
        run.require_agreement(position)
        say_who_teaches(run, stages_left(config, chosen, position))
        if other is not None:
            left = stages_left(config, chosen, position)
            run.strangers = strangers(run.model, run.corpus.speakers, other, left)
            say(inherit(run.model, run.corpus.speakers, other))
            run.origin = origin_of(run.model, other, [stage.name for stage in left])
        with run.ending:
            finished = train_stages(run, chosen, position)
            if finished:
                say(f"all stages done: {options.out / MODEL_FOLDER}")
            else:
                say(f"stopped for now; the same command with --resume goes on ({options.out})")
    finally:
        run.close()


def say_who_teaches(run: Run, left: list[StageConfig]) -> None:
    """A line on the teacher, or on its absence where the configuration asks for one."""
    if not run.config.training.taught or not any(stage.taught for stage in left):
        return
    if run.teaching is None:
        run.log.say("no teacher is given (--teacher): codes are learned without one")
    else:
        run.log.say(f"the teacher: {run.teaching.note}")


def train_stages(run: Run, chosen: set[str], position: Position | None) -> bool:
    """Train the `chosen` stages from `position` on; False if it was to stop first."""
    stages, say = stages_left(run.config, chosen, position), run.log.say
    if position is not None and stages:
        reached = run.config.training.stage(position.stage)
        handed_on = position.stage != stages[0].name
        load_weights(run.options.out, run.model, run.corpus.speakers, averaged=handed_on)
        if not has_same_recordings(run.options.out, run.corpus.recordings):
            run.log.warn(
                f"{run.corpus.folder} has other recordings than this run had so far: it goes on, "
                "but what is held out now may have been trained on"
            )
        if handed_on and position.step < reached.steps:
            say(f"stage {reached.name} ends at {position.step} of its {reached.steps} steps")
    for i, stage in enumerate(stages):
        if i and run.is_to_stop():
            return False
        if position is None or position.stage != stage.name:
            position = begun(run, stage, position)
        say_levels_left_behind(run, stages[i:])
        position = train_stage(run, stage, position)
        if position.step < stage.steps:
            return False
    return True


def say_levels_left_behind(run: Run, left: list[StageConfig]) -> None:
    """A line where the first stage that is `left` moves the codes that upper levels were learned
    over, and none of the others learns these again."""
    names = [stage.name for stage in left]
    if names[0] == "joint" and "levels" not in names and levels_of(run, left[0]) > 1:
        run.log.warn(
            "stage joint moves the codes that the upper levels were learned over, and leaves these "
            "as they are: when it is done, train the stage 'levels' again, and then 'waveform' (in "
            f"another --out, with --init {run.options.out / MODEL_FOLDER})"
        )


def begun(run: Run, stage: StageConfig, last: Position | None) -> Position:
    """Where a run stands at the beginning of a stage, after the one at whose end it was `last`."""
    before, teacher = (last.trained, last.teacher) if last else ({}, None)
    alone = last.strangers if last else run.strangers
    if last is None and run.origin is not None:
        before, teacher = run.origin.trained, run.origin.teacher
    if run.teaching is not None and stage.taught:
        teacher = run.teaching.note
    return Position(stage.name, before=before, teacher=teacher, strangers=alone)


def stages_left(config: Config, chosen: set[str], position: Position | None) -> list[StageConfig]:
    """The `chosen` stages that `position` has not finished, in their order."""
    stages = config.training.stages
    if position is not None:
        reached = config.training.stage(position.stage)
        stages = stages[stages.index(reached) + (position.step >= reached.steps) :]
    return [stage for stage in stages if stage.name in chosen]


def check_not_passed(config: Config, options: Options, position: Position) -> None:
    """Raise InputError where a stage is asked for by name that the run has left behind unfinished.

    Those that it began to train after it would have to be trained again.
    """
    stages = config.training.stages
    for stage in stages[: stages.index(config.training.stage(position.stage))]:
        done = position.trained.get(stage.name, 0)
        if stage.name in (options.stages or ()) and done < stage.steps:
            raise InputError(
                f"{options.out} is past stage '{stage.name}' ({done} of {stage.steps} steps), in "
                f"stage '{position.stage}': train it in another --out, with --init "
                f"{options.out / MODEL_FOLDER}, and what comes after it again"
            )


def train_stage(run: Run, stage: StageConfig, position: Position) -> Position:
    """Train one stage from `position` until it is done or is to stop; where it stands then."""
    training = StageRun(run, stage, position)
    run.log.start(stage.name, position.step, stage.steps)
    batches = prefetch(training.crops, position.step)
    saved, stop = time.monotonic(), False
    try:
        while not training.done and not stop:
            training.step(next(batches))
            stop = run.is_to_stop()
            due = time.monotonic() - saved > 60 * run.options.save_minutes
            if run.is_main and (due or stop or training.done):
                training.save()
                if not run.ending.wanted:  # measuring takes a while
                    training.validate()
                saved = time.monotonic()
    finally:
        batches.close()
    training.finish()
    return training.position
