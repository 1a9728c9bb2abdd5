"""Where a model is: the files of its folder, and the folder by a name."""

import os
from importlib import resources
from pathlib import Path

from vqspeech.errors import InputError

CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
PRIOR_FILE = "prior.safetensors"
FILES = [CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, PRIOR_FILE]

MODEL_FOLDER = "model"
"""Where in a training run's folder the model to use stands."""


def resolve(name: str | os.PathLike | None) -> Path:
    """The folder of a model: the shipped one (None), a folder, that of a run of `vqspeech train`,
    or a name on the hub. Raises InputError."""
    if name is None:
        return Path(str(resources.files("vqspeech") / "models" / "base"))
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"a model is named by its folder or its name on the hub, not {name!r:.60}")
    text = os.fspath(name)
    if os.path.isdir(text):
        trained = Path(text, MODEL_FOLDER)  # of a folder of `vqspeech train --out`
        # A run has a configuration of its own beside `model`; only a model has weights. Not
        # pathlib's `exists`, which raises where permission is missing.
        below = os.path.exists(trained / CONFIG_FILE)
        below = below and not os.path.exists(Path(text, WEIGHTS_FILE))
        # absolute: the working folder may be another one later
        return (trained if below else Path(text)).absolute()
    if os.path.exists(text):
        raise InputError(f"{text}: is a file; give the folder that holds {WEIGHTS_FILE}")
    if text.count("/") == 1 and not text.startswith(("/", ".", "~")):
        return _from_hub(text)
    raise InputError(f"{text}: no such model folder; leave --model out for the shipped model")


def _from_hub(name: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise InputError(
            f"{name}: no such folder; a name on the hub needs `pip install huggingface_hub`"
        ) from None
    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except Exception as error:  # the hub's client has many kinds, all of them about this name
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{name}: no such folder; the hub says: {reason}") from None
