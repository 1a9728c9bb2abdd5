"""Code blocks of a Markdown file, with what a comment before them says of running them."""

import re
from pathlib import Path
from typing import NamedTuple

_BLOCK = re.compile(
    r"^(?:<!-- (?P<how>not run|slow): (?P<why>[^\n]+) -->\n)?"
    r"```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """how: "" to be run, "slow", or "not run", for the reason `why`."""

    language: str
    text: str
    how: str
    why: str

    def lines(self) -> list[str]:
        """Its lines, those that go on after a backslash joined, without empty ones."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip()]


def blocks(path: Path, language: str) -> list[Block]:
    """Blocks of a language in the order of the file."""
    found = [
        Block(m["language"], m["text"], m["how"] or "", m["why"] or "")
        for m in _BLOCK.finditer(path.read_text())
    ]
    return [block for block in found if block.language == language]
