"""The folder of a run: that it can be written, and that what it holds already fits."""

import json
import os
from contextlib import suppress

from vqspeech.checkpoint.location import CONFIG_FILE
from vqspeech.checkpoint.model import recover
from vqspeech.config.model import Config, from_dict
from vqspeech.errors import InputError
from vqspeech.training.run import Options
from vqspeech.training.state import Position, load_position

MODEL_FOLDER = "model"
"""Where in a run's folder the model to use stands."""


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
    probe = out / f".config-{os.getpid()}.partial"
    try:
        out.mkdir(parents=True, exist_ok=True)
        recover(out / MODEL_FOLDER)
        for left in out.glob(".*.partial"):
            left.unlink()
        probe.write_text(json.dumps(config.to_dict(), indent=1) + "\n")
    except OSError as error:
        with suppress(OSError):
            probe.unlink()
        raise InputError(f"{out}: cannot be written ({error.strerror}); choose another") from None
    try:
        position = load_position(out)
        if position is not None:
            _require_same_run(config, options, position)
        os.replace(probe, out / CONFIG_FILE)
    finally:
        probe.unlink(missing_ok=True)
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
