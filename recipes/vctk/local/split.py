"""Which utterances are for training and which for evaluation: a function of conf/split.toml.

train: speakers seen in training, training prompts.
eval-seen: the same speakers, prompts that nobody reads in training.
eval-unseen: held-out speakers, those same prompts.
unused: held-out speakers, prompts that training has; left out, so that no text is shared.
"""

import hashlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from layouts import Recording

SPLITS = ("train", "eval-seen", "eval-unseen", "unused")
CONF = Path(__file__).resolve().parents[1] / "conf" / "split.toml"


@dataclass(frozen=True)
class Rules:
    """conf/split.toml, which says what each is."""

    seed: int
    prompt_share: float
    common_prompts: int
    held_out: tuple[str, ...]


def load_rules(path: Path = CONF) -> Rules:
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return Rules(**table | {"held_out": tuple(table["held_out"])})


def normalised(text: str) -> str:
    """Letters, digits and apostrophes of a prompt: releases differ in blanks and punctuation."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def is_drawn(rules: Rules, key: str) -> bool:
    """Whether the hash of `key` falls into the share for evaluation."""
    digest = hashlib.blake2b(f"{rules.seed}\0{key}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48 < rules.prompt_share


def assign(recordings: list[Recording], rules: Rules) -> list[str]:
    """The split of each recording.

    Where the corpus has texts, an utterance without one is never for evaluation: what was read in
    it is unknown. Where it has none at all, utterances are told by their names, prompts by their
    numbers.
    """
    has_texts = any(recording.text for recording in recordings)
    common = {
        normalised(recording.text)
        for recording in recordings
        if recording.text and recording.prompt <= rules.common_prompts
    }

    def for_evaluation(recording: Recording) -> bool:
        if recording.prompt <= rules.common_prompts:
            return False
        if not has_texts:
            return is_drawn(rules, recording.name)
        text = normalised(recording.text or "")
        return bool(text) and text not in common and is_drawn(rules, text)

    names = {(False, False): "train", (False, True): "eval-seen"}
    names |= {(True, False): "unused", (True, True): "eval-unseen"}
    held_out = set(rules.held_out)
    return [names[r.speaker in held_out, for_evaluation(r)] for r in recordings]
