"""The folder of a run: that it can be written, by one process, and that what it holds fits."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vqspeech.checkpoint.location import CONFIG_FILE, MODEL_FOLDER, WEIGHTS_FILE
from vqspeech.checkpoint.model import recover
from vqspeech.config.model import Config, from_dict
from vqspeech.errors import InputError
from vqspeech.files import clear_partial, make_folder, unwritable, write_json
from vqspeech.locks import sole_process
from vqspeech.training.run import Options
from vqspeech.training.state import STATE_FILE, Position, load_position


@contextmanager
def run_folder(out: Path) -> Iterator[None]:
    """Make the folder of a run, be the only one to train into it, and put right what a killed run
    left half-written. Of several processes that train together the first does.

    Raises InputError if it cannot be written, or another process trains into it.
    """
    if not is_first_process():
        yield
        return
    with sole_process(make_folder(out)):
        try:
            recover(out / MODEL_FOLDER)
            clear_partial(out)
        except OSError as error:
            raise unwritable(out, error) from None
        yield


def open_run(config: Config, options: Options) -> Position | None:
    """Keep the configuration in the run's folder; where the run stands, None if new.

    Raises InputError if it holds a run that `options` do not continue.
    """
    position = load_position(options.out)
    if position is not None:
        _require_same_run(config, options, position)
    if is_first_process():
        if position is None:
            _require_no_model(options)
        write_json(options.out / CONFIG_FILE, config.to_dict())
    return position


def is_first_process() -> bool:
    """Whether this is the first of the processes that train together, as their launcher says."""
    return os.environ.get("RANK", "0") == "0"


def _require_no_model(options: Options) -> None:
    """Raise InputError where a run that begins would replace a model that another command made.

    What was killed between its first model and its first state goes on with --resume: only a run
    keeps its configuration beside `model`.
    """
    out, model = options.out, options.out / MODEL_FOLDER
    if (out / WEIGHTS_FILE).exists():
        raise InputError(
            f"{out} is a model, and a run would replace its {CONFIG_FILE}: choose another --out, "
            f"with --init {out} to begin with its weights"
        )
    begun = options.resume and (out / CONFIG_FILE).exists()
    if not begun and (model / WEIGHTS_FILE).exists():
        raise InputError(
            f"{model} is a trained model, and has no {STATE_FILE} beside it to go on from: a new "
            f"run would replace it; choose another --out, with --init {model} to begin with its "
            "weights, or remove it"
        )


def _require_same_run(config: Config, options: Options, position: Position) -> None:
    out = options.out
    if not options.resume:
        raise InputError(
            f"{out} holds a run already (stage {position.stage}, step {position.step}): "
            "continue it with --resume, or choose another --out"
        )
    config.training.stage(position.stage)
    kept = out / CONFIG_FILE
    try:
        before = from_dict(json.loads(kept.read_text()))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{kept}: cannot be read ({error}); choose another --out") from None
    for part in ("hop", "encoder", "quantizer", "conditioning", "speaker_encoder", "decoder"):
        if getattr(before, part) != getattr(config, part):
            raise InputError(
                f"{out} was started with another [{part}]; "
                "resume it with its own configuration, or choose another --out"
            )
