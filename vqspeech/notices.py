"""What the library says aside: one line on stderr, which nothing depends on."""

import re
import sys
from contextlib import suppress

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
"""Line ends and terminal commands: file and tensor names may have them, messages may not."""


def notify(message: object) -> None:
    """One line on stderr, whatever `message` holds; lost where stderr is closed, full or absent."""
    if sys.stderr is None:  # print would take stdout instead
        return
    with suppress(OSError, ValueError):  # no room, no reader; closed
        print(f"vqspeech: {UNPRINTABLE.sub(' ', str(message))}", file=sys.stderr, flush=True)
