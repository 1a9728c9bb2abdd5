#!/usr/bin/env bash
# The full report on a model:  bash recipes/base/evaluate.sh --speech DIR [--out DIR]
#
# DIR holds recordings and a manifest.tsv with the splits eval-seen and eval-unseen. Each split goes
# through everything, free-running: Griffin-Lim from the codes, the WaveNet with its post-filter and
# alone (a speaker that the model does not know is decoded in its own voice, and by a model without
# a speaker encoder as `other`), conversion to six voices, and to voices of eval-unseen from 5 s of
# each, Codec2, Speex and Opus where their programs are installed. Report: OUT/eval-seen/report.{html,
# md,json}, OUT/eval-unseen/report.{html,md,json}; of a model of several rates its decoders at each
# of the higher ones too, one seed, in OUT/eval-seen-1000/ and so on. results.py makes the docs of
# them.
#
#   --model M        model folder                      (default: the one in the package)
#   --out DIR        where the reports go              (default: exp/report)
#   --methods A,B    as of `vqspeech evaluate --help`  (default: all)
#   --metrics A,B    likewise                          (default: all)
#   --recogniser A,B who hears the words: pocketsphinx, whisper (default: pocketsphinx)
#   --whisper DIR    Whisper's model, in CTranslate2's format; both recognisers then
#   --speaker other  decode unknown speakers as `other`: what their own voices are measured by
#   --no-refine      decode them in their own voices as heard (`vqspeech encode --no-refine`)
#   --no-search      the nearest codes, as `vqspeech encode --no-search` has them
#   --unseen-targets N  to convert to from 5 s of each (default: 12, and 0 without a speaker encoder)
#   --bitrate B      to encode at, this rate alone     (default: all that the model has)
#   --seeds N        that the WaveNet samples with     (default: 3)
#   --temperature T  of its sampling                   (default: the model's own)
#   --limit N        only N recordings of each split   (default: all)
#   --jobs N         processes for the metrics         (default: 2)
set -euo pipefail

{ # read to its end before it begins: the file may change in the hours that it runs

repository="$(cd "$(dirname "$0")/../.." && pwd)"
speech="" out="exp/report" model="" bitrate="" methods="preview,wavenet,wavenet-unfiltered"
options=(--seeds 3)
while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,28s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --no-refine|--no-search) options+=("$1"); shift ;;
    --speech|--out|--model|--methods|--metrics|--recogniser|--whisper|--speaker|\
    --unseen-targets|--bitrate|--seeds|--temperature|--limit|--jobs)
      [ $# -ge 2 ] || { echo "evaluate.sh: error: $1 needs a value" >&2; exit 2; } ;;&
    --model) model="$2" ;;&
    --bitrate) bitrate="$2" ;;&
    --methods) methods="$2" ;;&
    --speech) speech="$2"; shift 2 ;;
    --out) out="$2"; shift 2 ;;
    --model|--methods|--metrics|--recogniser|--whisper|--speaker|--unseen-targets|--bitrate|--seeds|\
    --temperature|--limit|--jobs)
      options+=("$1" "$2"); shift 2 ;;
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
# Threads of the decoder and of the metrics' processes would wait for one another.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
for split in eval-seen eval-unseen; do
  echo "== $split"
  vqspeech evaluate --data "$speech" --manifest manifest.tsv --splits "$split" \
    --out "$out/$split" "${options[@]}"
done
[ -z "$bitrate" ] || exit 0
# Griffin-Lim and WaveNet of those asked for, at the rates above the lowest.
several=()
for method in preview wavenet wavenet-unfiltered; do
  case ",$methods," in *",$method,"*) several+=("$method") ;; esac
done
[ ${#several[@]} -gt 0 ] || exit 0
above='import sys; from vqspeech import Codec
print(*(f"{rate:.0f}" for rate in Codec.from_pretrained(sys.argv[1] or None, "cpu").bit_rates[1:]))'
rates="$(python -c "$above" "$model")"
for rate in $rates; do
  for split in eval-seen eval-unseen; do
    echo "== $split at $rate bit/s"
    vqspeech evaluate --data "$speech" --manifest manifest.tsv --splits "$split" \
      --out "$out/$split-$rate" "${options[@]}" --bitrate "$rate" --seeds 1 --unseen-targets 0 \
      --methods "$(IFS=,; echo "${several[*]}")"
  done
done
exit 0
}
