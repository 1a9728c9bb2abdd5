#!/usr/bin/env bash
# Train the shipped model:  bash recipes/base/run.sh --speech DIR
#
# DIR holds a folder of recordings a speaker, or a manifest.tsv (columns: split speaker file ...).
# Safe to interrupt at any point: the same command goes on where it stopped.
#
#   --speech DIR        the recordings
#   --exp DIR           where everything goes                       (default: exp/base)
#   --splits A,B        splits of the manifest to train on          (default: train,train-single)
#   --stage N           first stage: 1 prepare, 2 train, 3 prior, 4 evaluate, 5 pack  (default: 1)
#   --stop-stage N      last stage                                  (default: 5)
#   --max-minutes M     stop training (resumably) after M minutes
#   --steps STAGE=N     another number of steps for a training stage; may be given more than once
#   --init MODEL        begin with the weights of another model     (default: with random ones)
#   --device D          auto, cpu or cuda                           (default: auto)
set -euo pipefail

repository="$(cd "$(dirname "$0")/../.." && pwd)"
speech="" exp="exp/base" splits="train,train-single" stage=1 stop_stage=5 device=auto
train_options=()

usage() { sed -n '2,16s/^# \{0,1\}//p' "$0"; }
fail() { echo "recipes/base/run.sh: error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --speech|--exp|--splits|--stage|--stop-stage|--max-minutes|--steps|--init|--device)
      [ $# -ge 2 ] || fail "$1 needs a value" ;;&
    --speech) speech="$2"; shift 2 ;;
    --exp) exp="$2"; shift 2 ;;
    --splits) splits="$2"; shift 2 ;;
    --stage) stage="$2"; shift 2 ;;
    --stop-stage) stop_stage="$2"; shift 2 ;;
    --device) device="$2"; shift 2 ;;
    --max-minutes|--steps|--init) train_options+=("$1" "$2"); shift 2 ;;
    *) fail "unknown option $1 (see --help)" ;;
  esac
done
case "$stage$stop_stage" in *[!0-9]*) fail "--stage and --stop-stage are numbers from 1 to 5" ;; esac
[ "$stage" -gt 4 ] || [ -n "$speech" ] || fail "--speech DIR is needed: the recordings to train on"
[ -z "$speech" ] || [ -d "$speech" ] || fail "--speech $speech: no such folder"

# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "train,eval" # the latter aligns transcripts, and evaluates
mkdir -p "$exp"

manifest=()
[ ! -f "$speech/manifest.tsv" ] || manifest=(--manifest "$speech/manifest.tsv" --splits "$splits")
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }

if runs 1; then
  echo "stage 1: prepare $speech"
  vqspeech prepare "$speech" "$exp/packed" "${manifest[@]}"
  if [ -f "$speech/manifest.tsv" ] && head -1 "$speech/manifest.tsv" | grep -qw transcript; then
    python "$repository/recipes/base/phonemes.py" "$speech/manifest.tsv" "$exp/packed"
  fi
fi
if runs 2; then
  echo "stage 2: train (codes, then waveform)"
  vqspeech train --config base --data "$exp/packed" --out "$exp/run" --resume --device "$device" \
    "${train_options[@]}"
fi
if runs 3; then
  echo "stage 3: fit the prior"
  vqspeech train --config base --data "$exp/packed" --out "$exp/run" --stage prior --resume \
    --device "$device"
fi
if runs 4; then
  echo "stage 4: evaluate"
  bash "$repository/recipes/base/evaluate.sh" --speech "$speech" --model "$exp/run/model" \
    --out "$exp/report"
fi
if runs 5; then
  echo "stage 5: pack into vqspeech/models/base"
  python "$repository/recipes/base/pack.py" "$exp/run/model" "$repository/vqspeech/models/base"
fi
