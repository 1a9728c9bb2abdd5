#!/usr/bin/env bash
# Install (into .venv, once), lint, test.  `bash tests/run.sh --slow` runs the slow tests too.
# Further arguments go to pytest:  bash tests/run.sh tests/nn -k quantizer
set -euo pipefail
cd "$(dirname "$0")/.."

marker="not slow" extras="train,demo,dev"
if [ "${1:-}" = "--slow" ]; then
  marker="slow or not slow" extras="train,demo,vctk,ray,dev" # the recipe and the Ray job for real
  shift
fi
source recipes/environment.sh
vqspeech_environment "$extras"
ruff check .
ruff format --check .
python -m pytest -m "$marker" "$@"
