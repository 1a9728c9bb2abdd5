#!/usr/bin/env bash
# Install (into .venv, once), lint, type-check, test.  `bash tests/run.sh --slow` runs the slow tests
# too. Further arguments go to pytest:  bash tests/run.sh tests/nn -k quantizer
set -euo pipefail
cd "$(dirname "$0")/.."

marker="not slow" extras="train,teacher,demo,eval,bench,docs,dev"
if [ "${1:-}" = "--slow" ]; then
  marker="slow or not slow" extras="$extras,ray" # the Ray job for real
  shift
fi
source recipes/environment.sh
vqspeech_environment "$extras"
ruff check .
ruff format --check .
pyright --pythonpath "$(command -v python)"
# Two processes, one thread each: they would wait for one another.
OMP_NUM_THREADS=1 python -m pytest -m "$marker" --numprocesses 2 --dist loadfile "$@"
