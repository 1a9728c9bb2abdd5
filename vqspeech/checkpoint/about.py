"""What a model says of itself: `config.json`.

{"format", "fingerprint", "config", "trained": {stage: steps}, "speakers": [{name, gender, minutes,
and maybe f0 in Hz}]}; their order is that of their rows. And maybe "teacher": `TaughtBy`.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from vqspeech.checkpoint.location import CONFIG_FILE, WEIGHTS_FILE
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.checkpoint.teacher import TaughtBy
from vqspeech.config.model import Config
from vqspeech.config.tables import build, shown
from vqspeech.errors import InputError

FORMAT = 2
"""1: vqspeech 0.1.0, whose configuration and tensors had other names."""
MAX_CONFIG_BYTES = 16 * 2**20
MAX_SPEAKERS = 1_000_000


class About(NamedTuple):
    """What `config.json` says. speakers: by row. trained: steps of each stage by its name. teacher:
    who taught the codes, if anybody did."""

    config: Config
    speakers: list[Speaker]
    trained: dict[str, int]
    fingerprint: str
    teacher: TaughtBy | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON."""
        table = {
            "format": FORMAT,
            "fingerprint": self.fingerprint,
            "config": self.config.to_dict(),
            "trained": self.trained,
            "speakers": [speaker.to_dict() for speaker in self.speakers],
        }
        return table if self.teacher is None else table | {"teacher": self.teacher.to_dict()}


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
        found = about.get("format") if isinstance(about, dict) else None
        what = "train it again, or use vqspeech 0.1.0" if found == 1 else "upgrade vqspeech"
        raise InputError(f"{path}: has format {shown(found)}, this program reads {FORMAT}; {what}")
    try:
        return _checked(about)
    except InputError as error:
        raise InputError(f"{path}: {error}; get the model again") from None


def _checked(about: dict[str, Any]) -> About:
    config, trained = build(Config, about.get("config"), "model"), about.get("trained")
    if not isinstance(trained, dict) or not all(isinstance(n, int) for n in trained.values()):
        raise InputError("[trained] must be a table of steps by stage")
    rows = about.get("speakers")
    rows = rows if isinstance(rows, list) and len(rows) <= MAX_SPEAKERS else []
    speakers = [build(Speaker, row, "speakers") for row in rows]
    if not len({speaker.name for speaker in speakers}) == len(speakers) > 0:
        raise InputError("[speakers] must be a list of speakers, none of them twice")
    teacher = about.get("teacher")
    taught = None if teacher is None else build(TaughtBy, teacher, "teacher")
    return About(config, speakers, trained, str(about.get("fingerprint", "")), taught)
