"""`python -m vqspeech`, for an interpreter whose scripts are not on the PATH."""

import sys

from vqspeech.cli.main import main

sys.exit(main())
