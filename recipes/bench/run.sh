#!/usr/bin/env bash
# How fast the codec is on this machine:  bash recipes/bench/run.sh
#
# Sampling (kernels, plain PyTorch, r9y9's wavenet_vocoder, naive recomputation, the machine's own
# limits), then encoding, decoding and previews; tables, JSON and a plot. Other programs spoil the figures.
#
#   --rounds N        measurements of everything, compared within a round  (default: 5)
#   --out DIR         where tables, JSON and the plot go                   (default: exp/bench)
#   --vocoder PATH    checkout of r9y9/wavenet_vocoder                     (default: from the registry)
set -euo pipefail

repository="$(cd "$(dirname "$0")/../.." && pwd)"
rounds=5 out="exp/bench" vocoder=""
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --rounds|--out|--vocoder)
      [ $# -ge 2 ] || { echo "recipes/bench/run.sh: error: $1 needs a value" >&2; exit 2; } ;;&
    --rounds) rounds="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    --vocoder) vocoder="$2"; shift 2 ;;
    *) echo "recipes/bench/run.sh: error: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done

# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "bench"
mkdir -p "$out"
if [ -z "$vocoder" ]; then
  # Into a folder of its own, without its old requirements.
  vocoder="$out/wavenet_vocoder"
  [ -d "$vocoder" ] || python -m pip install --quiet --disable-pip-version-check --no-deps \
    --target "$vocoder" wavenet_vocoder==0.1.1 || vocoder=""
fi
python "$repository/recipes/bench/sampling.py" --rounds "$rounds" --out "$out" \
  ${vocoder:+--vocoder "$vocoder"}
python "$repository/recipes/bench/codec.py" --rounds "$rounds" | tee "$out/codec.txt"
