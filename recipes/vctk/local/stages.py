"""Whether a configuration has a training stage: `stages.py CONFIG NAME`; status 0 yes, 1 no."""

import sys

from vqspeech.config import load_preset
from vqspeech.errors import InputError

if __name__ == "__main__":
    try:
        names = [stage.name for stage in load_preset(sys.argv[1]).training.stages]
    except InputError as error:
        print(f"stages.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    sys.exit(sys.argv[2] not in names)
