#!/usr/bin/env bash
# An hour through pipes in bounded memory, as a preview and by the WaveNet.
#   bash recipes/robustness/pipe.sh [MINUTES]
set -euo pipefail
cd "$(dirname "$0")/../.."
minutes=${1:-60}
python=${PYTHON:-python}
"$python" recipes/robustness/pipe.py --minutes "$minutes" --preview
"$python" recipes/robustness/pipe.py --minutes "$minutes"
