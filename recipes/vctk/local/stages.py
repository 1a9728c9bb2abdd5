"""Does a configuration have a training stage, or a prior? `stages.py CONFIG NAME`; 0 yes, 1 no."""

import sys

from vqspeech.config.reading import load_preset
from vqspeech.errors import InputError

if __name__ == "__main__":
    try:
        config = load_preset(sys.argv[1])
    except InputError as error:
        print(f"stages.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    names = [stage.name for stage in config.training.stages]
    if getattr(config, "prior", None) is not None:
        names.append("prior")
    sys.exit(sys.argv[2] not in names)
