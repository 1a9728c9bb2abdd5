#!/usr/bin/env bash
# Install (into .venv, once), lint, test.  `bash tests/run.sh --slow` runs the slow tests too.
# Further arguments go to pytest:  bash tests/run.sh tests/nn -k quantizer
set -euo pipefail
cd "$(dirname "$0")/.."

source recipes/environment.sh
vqspeech_environment "train,demo,dev"

marker="not slow"
if [ "${1:-}" = "--slow" ]; then marker="slow or not slow"; shift; fi
ruff check .
ruff format --check .
python -m pytest -m "$marker" "$@"
