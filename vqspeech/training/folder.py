"""The folder of a run: that it can be written, and that what it holds already fits."""

import json
import os

from vqspeech.checkpoint.location import CONFIG_FILE, MODEL_FOLDER
from vqspeech.checkpoint.model import recover
from vqspeech.config.model import Config, from_dict
from vqspeech.errors import InputError
from vqspeech.files import clear_partial, make_folder, unwritable, write_json
from vqspeech.training.run import Options
from vqspeech.training.state import Position, load_position


def open_folder(config: Config, options: Options) -> Position | None:
    """Make the run's folder and keep the configuration there; where the run stands, None if new.

    What a killed run left half-written is cleared away. Of several processes the first writes.
    Raises InputError if it cannot be written, or holds a run that `options` do not continue.
    """
    out = options.out
    if not is_first_process():
        position = load_position(out)
        if position is not None:
            _require_same_run(config, options, position)
        return position
    make_folder(out)
    try:
        recover(out / MODEL_FOLDER)
        clear_partial(out)
    except OSError as error:
        raise unwritable(out, error) from None
    position = load_position(out)
    if position is not None:
        _require_same_run(config, options, position)
    write_json(out / CONFIG_FILE, config.to_dict())
    return position


def is_first_process() -> bool:
    """Whether this is the first of the processes that train together, as their launcher says."""
    return os.environ.get("RANK", "0") == "0"


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
    for part in ("hop", "encoder", "quantizer", "conditioning", "decoder"):
        if getattr(before, part) != getattr(config, part):
            raise InputError(
                f"{out} was started with another [{part}]; "
                "resume it with its own configuration, or choose another --out"
            )
