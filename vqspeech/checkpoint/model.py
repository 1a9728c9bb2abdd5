"""A model on disk: a folder with `config.json`, `model.safetensors` and `README.md`.

A prior over the codes may stand beside them (`prior_file`).

`config.json`: {"format", "fingerprint", "config", "trained": {stage: steps}, "speakers": [{name,
gender, minutes, and maybe f0 in Hz}]}; their order is that of their rows. Nothing is unpickled, and
every size is checked against the configuration before a tensor is read.
"""

import json
import os
import shutil
import uuid
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from vqspeech.checkpoint.identity import codes_identity, fingerprint
from vqspeech.config.model import Config, from_dict
from vqspeech.config.tables import shown
from vqspeech.errors import InputError
from vqspeech.nn.vqvae import VQVAE

FORMAT = 1
CONFIG_FILE, WEIGHTS_FILE, CARD_FILE = "config.json", "model.safetensors", "README.md"
PRIOR_FILE = "prior.safetensors"
FILES = [CONFIG_FILE, WEIGHTS_FILE, CARD_FILE, PRIOR_FILE]
MAX_CONFIG_BYTES = 16 * 2**20
MAX_SPEAKERS = 1_000_000
MAX_MINUTES = 1e12
MAX_F0 = 2_000.0
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
DTYPES |= {"I64": torch.int64, "BOOL": torch.bool}


class About(NamedTuple):
    """What `config.json` says. speakers: {name, gender, minutes} by row. trained: steps a stage."""

    config: Config
    speakers: list[dict[str, Any]]
    trained: dict[str, int]
    fingerprint: str


class Checkpoint(NamedTuple):
    """A loaded model, in evaluation mode on the CPU, and what is known of it."""

    model: VQVAE
    about: About
    folder: Path


def save_checkpoint(
    model: VQVAE,
    speakers: list[dict[str, Any]],
    folder: Path,
    trained: dict[str, int],
    card: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write the folder whole or not at all; an older checkpoint of that name is replaced.

    speakers: {"name", "gender", "minutes"} in the order of the rows. trained: steps done in each
    stage, by its name. card: text of README.md. Raises OSError if it cannot be written.
    """
    folder = Path(folder)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.partial")
    old = folder.with_name(f".{folder.name}.old")
    tensors = {
        name: (value.to(dtype) if value.is_floating_point() else value).detach().cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    about = {
        "format": FORMAT,
        "fingerprint": fingerprint(tensors),
        "config": model.config.to_dict(),
        "trained": trained,
        "speakers": speakers,
    }
    try:
        partial.mkdir(parents=True)
        (partial / CONFIG_FILE).write_text(json.dumps(about, indent=1) + "\n")
        save_file(tensors, partial / WEIGHTS_FILE)
        os.chmod(partial / WEIGHTS_FILE, 0o644)  # safetensors makes it the owner's alone
        (partial / CARD_FILE).write_text(card or default_card(model.config, speakers))
        _carry_prior(folder, partial, codes_identity(tensors))
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            os.rename(folder, old)
        os.rename(partial, folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _carry_prior(old: Path, new: Path, codes: str) -> None:
    """Copy a prior from folder `old` to `new` if it is one of `codes`, which training left alone.

    It goes on fitting while only the decoder is trained.
    """
    try:
        with safe_open(old / PRIOR_FILE, "pt") as file:
            fits = (file.metadata() or {}).get("codes") == codes
    except (OSError, SafetensorError):
        return
    if fits:
        shutil.copyfile(old / PRIOR_FILE, new / PRIOR_FILE)


def recover(folder: Path) -> None:
    """Put right what a `save_checkpoint` that was killed left: the older checkpoint stands again.

    Raises OSError.
    """
    old = folder.with_name(f".{folder.name}.old")
    if old.is_dir() and not folder.exists():
        os.rename(old, folder)
    for left in [old, *folder.parent.glob(f".{folder.name}.*.partial")]:
        shutil.rmtree(left, ignore_errors=True)


def default_card(config: Config, speakers: list[dict[str, Any]]) -> str:
    """README.md of a checkpoint that nobody has described yet."""
    minutes = sum(float(speaker["minutes"]) for speaker in speakers)
    return (
        f"# {config.name}: a vqspeech model\n\n"
        f"{config.frame_rate:g} codes/s from {config.quantizer.codebook_size} "
        f"({config.bit_rate:g} bit/s), "
        f"{len(speakers)} speaker identities, trained on {minutes / 60:.1f} h of speech.\n\n"
        "Name the recordings it was trained on, and their licences, here before you publish it.\n"
    )


def resolve(name: str | os.PathLike | None) -> Path:
    """The folder of a model: the shipped one (None), a folder, or a name on the hub."""
    if name is None:
        return Path(str(resources.files("vqspeech") / "models" / "base"))
    text = os.fspath(name)
    if os.path.isdir(text):
        return Path(text)
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


def read_about(folder: Path) -> About:
    """What the checkpoint in `folder` says of itself, without its weights. Raises InputError."""
    path = folder / CONFIG_FILE
    try:
        if path.stat().st_size > MAX_CONFIG_BYTES:
            raise InputError(f"{path}: is too large to be a configuration; get the model again")
        text = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder}: is not a model (cannot read {CONFIG_FILE}: {error.strerror}); "
            f"name a folder that holds {CONFIG_FILE} and {WEIGHTS_FILE}"
        ) from None
    try:
        about = json.loads(text)
    except (RecursionError, ValueError):
        raise InputError(f"{path}: is not JSON; get the model again") from None
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        found = shown(about.get("format")) if isinstance(about, dict) else "none"
        raise InputError(
            f"{path}: has format {found}, this program reads {FORMAT}; upgrade vqspeech"
        )
    try:
        config = from_dict(about.get("config"))
    except InputError as error:
        raise InputError(f"{path}: {error}; get the model again") from None
    trained = about.get("trained")
    if not isinstance(trained, dict) or not all(isinstance(n, int) for n in trained.values()):
        raise InputError(f"{path}: does not say what it was trained on; get the model again")
    speakers = _speakers(path, about.get("speakers"))
    return About(config, speakers, trained, str(about.get("fingerprint", "")))


def _speakers(path: Path, table: Any) -> list[dict[str, Any]]:
    """The rows of `table`, checked, each with all three keys."""
    if not isinstance(table, list) or not 1 <= len(table) <= MAX_SPEAKERS:
        raise InputError(f"{path}: has no list of speakers; get the model again")
    speakers = []
    for row in table:
        row = {"gender": "", "minutes": 0.0} | (row if isinstance(row, dict) else {})
        texts = isinstance(row.get("name"), str) and isinstance(row["gender"], str)
        numbers = [(row["minutes"], MAX_MINUTES), (row.get("f0", 0.0), MAX_F0)]
        if not texts or not all(isinstance(x, int | float) and 0 <= x <= m for x, m in numbers):
            raise InputError(
                f"{path}: has a speaker without a name, or with an impossible gender, minutes or "
                "F0; get the model again"
            )
        keys = ("name", "gender", "minutes", "f0")
        speakers.append({key: row[key] for key in keys if key in row})
    if len({speaker["name"] for speaker in speakers}) != len(speakers):
        raise InputError(f"{path}: names a speaker twice; get the model again")
    return speakers


def load_checkpoint(name: str | os.PathLike | None = None) -> Checkpoint:
    """Load a model by folder or hub name (None: the shipped one).

    Raises InputError naming the file and what is wrong: a missing or unexpected tensor, a wrong
    shape or type, values that are not finite, an unknown key in the configuration.
    """
    folder = resolve(name)
    about = read_about(folder)
    config, speakers = about.config, about.speakers
    path = folder / WEIGHTS_FILE
    with torch.device("meta"):  # shapes only: no memory is taken for what the file may not hold
        expected = {k: (v.shape, v.dtype) for k, v in VQVAE(config, 1).state_dict().items()}
    dim = config.conditioning.speaker_dim
    expected["speakers.weight"] = (torch.Size((len(speakers), dim)), torch.float32)
    try:
        with safe_open(path, "pt") as file:
            _, weights = checked_tensors(path, file, expected)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise InputError(f"{path}: cannot be read ({reason}); get the model again") from None
    model = VQVAE(config, len(speakers))
    model.load_state_dict(weights)
    return Checkpoint(model.eval(), about, folder)


def checked_tensors(
    path: Path, file: Any, expected: dict[str, tuple]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """The tensors of an open safetensors file, as they are stored and as the model wants them.

    expected: shape and type by name. Raises InputError for any other tensors than these.
    """
    wanted, found = set(expected), set(file.keys())
    for problem, names in (("lacks", wanted - found), ("has unknown", found - wanted)):
        if names:
            example = shown(sorted(names)[0])
            raise InputError(f"{path}: {problem} tensor {example}; get the model again")
    stored, weights = {}, {}
    for name, (shape, dtype) in expected.items():
        part = file.get_slice(name)
        has = torch.Size(part.get_shape())
        if has != shape:
            raise InputError(
                f"{path}: tensor {name} has shape {list(has)}, the configuration wants "
                f"{list(shape)}; get the model again"
            )
        if DTYPES.get(part.get_dtype()) is None or (
            DTYPES[part.get_dtype()].is_floating_point != dtype.is_floating_point
        ):
            raise InputError(
                f"{path}: tensor {name} has type {part.get_dtype()}, not {dtype}; "
                "get the model again"
            )
        stored[name] = file.get_tensor(name)
        weights[name] = stored[name].to(dtype)
        if dtype.is_floating_point and not bool(torch.isfinite(weights[name]).all()):
            raise InputError(
                f"{path}: tensor {name} has NaN or infinite values; get the model again"
            )
    return stored, weights
