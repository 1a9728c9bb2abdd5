#!/usr/bin/env bash
# Measure a model on held-out speech:  bash recipes/base/evaluate.sh --speech DIR [--out DIR]
#
# DIR holds recordings and a manifest.tsv with the splits eval-seen and eval-unseen. Each split is
# encoded and decoded free-running, with the preview and with the WaveNet; a speaker that the model
# does not know is decoded as `other`. Report: OUT/eval-seen/report.md, OUT/eval-unseen/report.md.
#
#   --model M        model folder                  (default: the one in the package)
#   --out DIR        where the reports go          (default: exp/report)
#   --methods A,B    of original,preview,wavenet   (default: all three)
#   --jobs N         processes for the metrics     (default: 2)
set -euo pipefail

repository="$(cd "$(dirname "$0")/../.." && pwd)"
speech="" out="exp/report" options=()
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --speech|--out|--model|--methods|--jobs)
      [ $# -ge 2 ] || { echo "evaluate.sh: error: $1 needs a value" >&2; exit 2; } ;;&
    --speech) speech="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    --model|--methods|--jobs) options+=("$1" "$2"); shift 2 ;;
    *) echo "evaluate.sh: error: unknown option $1 (see --help)" >&2; exit 2 ;;
  esac
done
[ -f "$speech/manifest.tsv" ] || {
  echo "evaluate.sh: error: --speech DIR is needed, with DIR/manifest.tsv" >&2
  exit 2
}
# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "eval"
for split in eval-seen eval-unseen; do
  echo "== $split"
  vqspeech evaluate --data "$speech" --manifest manifest.tsv --splits "$split" \
    --out "$out/$split" "${options[@]}"
done
