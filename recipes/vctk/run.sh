#!/usr/bin/env bash
# From VCTK to a trained, evaluated model:  bash recipes/vctk/run.sh --data DIR
#
# DIR holds the corpus, release 0.92 or 0.80 (stage -1 fetches 0.92 into it: 11.7 GB).
# Safe to interrupt at any point: the same command goes on; what is done is not done again.
#
#   --data DIR          the corpus                                  (default: data/vctk)
#   --exp DIR           where everything goes                       (default: exp/vctk)
#   --config C          preset or .toml file       (default: base; with --subset: conf/quick.toml)
#   --stage N           first stage                                 (default: 0)
#   --stop_stage N      last stage                                  (default: 6)
#                         -1 download   0 manifests   1 pack   2 train codes   3 train the rest
#                          4 train prior   5 evaluate and decode samples   6 pack for publishing
#   --nproc N           processes                                   (default: CPU cores)
#   --mic M             mic1 or mic2, of 0.92                       (default: mic1)
#   --subset N[,M]      N speakers, M minutes of each: a first run in minutes
#   --partial           use half an archive rather than refuse it
#   --launcher CMD      what runs training, as in "accelerate launch --num_processes 2"
#   --max_minutes M     stop training (resumably) after M minutes
#   --min_minutes M     speakers with less share one identity       (default: 0.5)
#   --device D          auto, cpu or cuda                           (default: auto)
#   --metrics A,B       what stage 5 measures                       (default: all)
#   --limit N           utterances of each split that it measures   (default: 100)
set -euo pipefail

{ # read to its end before it begins: the file may change in the hours that it runs

repository="$(cd "$(dirname "$0")/../.." && pwd)"
here="$repository/recipes/vctk"
data=data/vctk exp=exp/vctk config="" stage=0 stop_stage=6 nproc="" mic=mic1 subset="" partial=""
launcher="" max_minutes="" min_minutes=0.5 device=auto metrics="" limit=100

usage() { sed -n '2,25s/^# \{0,1\}//p' "$0"; }
fail() { echo "recipes/vctk/run.sh: error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  option="${1//-/_}"
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --partial) partial=--partial; shift; continue ;;
    --data|--exp|--config|--stage|--stop[-_]stage|--nproc|--mic|--subset|--launcher|--device|\
    --max[-_]minutes|--min[-_]minutes|--metrics|--limit)
      [ $# -ge 2 ] || fail "$1 needs a value"
      printf -v "${option#__}" %s "$2"; shift 2 ;;
    *) fail "unknown option $1 (see --help)" ;;
  esac
done
[[ "$stage" =~ ^(-1|[0-6])$ && "$stop_stage" =~ ^(-1|[0-6])$ ]] ||
  fail "--stage and --stop_stage are numbers from -1 to 6"
[ -n "$config" ] || config="$([ -n "$subset" ] && echo "$here/conf/quick.toml" || echo base)"
[ -n "$nproc" ] || nproc="$(getconf _NPROCESSORS_ONLN)"
[[ "$nproc" =~ ^[1-9][0-9]*$ ]] || fail "--nproc is a whole number above 0, not $nproc"

# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "train,eval,vctk"
mkdir -p "$exp" || fail "--exp $exp: cannot be made; choose another folder"

manifests="$exp/manifests" manifest="$exp/manifests/manifest.tsv" packed="$exp/packed"
run="$exp/run" model="$exp/run/model"
vqspeech() { python -m vqspeech "$@"; }
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
needs() { [ -e "$1" ] || fail "$1 is missing: run stage $2 first"; }
train() {
  local options=(--config "$config" --data "$packed" --out "$run" --resume --device "$device")
  [ -z "$max_minutes" ] || options+=(--max-minutes "$max_minutes")
  # shellcheck disable=SC2086 # the launcher is several words
  ${launcher:-python} -m vqspeech train "${options[@]}" "$@"
}
# done_before KEY FILE: whether FILE says that the stage has been done with this KEY.
done_before() { [ "$(cat "$2" 2>/dev/null)" = "$1" ] && echo "nothing to do: $(dirname "$2") is up to date"; }
fingerprint() { sed -n 's/.*"fingerprint": "\(.*\)".*/\1/p' "$model/config.json"; }

if runs -1; then
  echo "stage -1: download VCTK 0.92 into $data"
  python "$here/local/download.py" "$data"
fi
if runs 0; then
  echo "stage 0: manifests of $data"
  python "$here/local/prepare.py" "$data" "$manifests" --mic "$mic" \
    ${subset:+--subset "$subset"} $partial
fi
if runs 1; then
  echo "stage 1: pack $packed"
  needs "$manifest" 0
  vqspeech prepare "$manifests" "$packed" --manifest "$manifest" --splits train \
    --workers "$nproc" --min-minutes "$min_minutes"
  python "$here/local/report.py" "$manifests" "$packed" "$exp/corpus.md"
fi
if runs 2; then
  echo "stage 2: train the codes"
  needs "$packed/index.json" 1
  if python "$here/local/stages.py" "$config" codes; then
    train --stages codes
  else
    echo "nothing to do: $config has no stage of that name"
  fi
fi
if runs 3; then
  echo "stage 3: train levels and waveform"
  needs "$packed/index.json" 1
  train
fi
if runs 4; then
  echo "stage 4: train the prior"
  needs "$model/config.json" 3
  if python "$here/local/stages.py" "$config" prior; then
    launcher="" train --stages prior # on one machine
  else
    echo "nothing to do: $config has no prior"
  fi
fi
if runs 5; then
  echo "stage 5: evaluate, decode samples"
  needs "$manifest" 0
  needs "$model/config.json" 3
  for split in eval-seen eval-unseen; do
    key="$(fingerprint) $metrics $limit $(cksum < "$manifest")" report="$exp/report/$split"
    if ! grep -q "^$split"$'\t' "$manifest"; then
      echo "nothing to do: the manifest has no $split utterances"
    elif ! done_before "$key" "$report/.done"; then
      vqspeech evaluate --data "$manifests" --manifest "$manifest" --splits "$split" \
        --model "$model" --device "$device" --limit "$limit" --jobs "$nproc" --out "$report" \
        ${metrics:+--metrics "$metrics"}
      echo "$key" > "$report/.done"
    fi
  done
  python "$here/local/samples.py" "$manifest" "$model" "$exp/samples" --device "$device"
fi
if runs 6; then
  echo "stage 6: pack $exp/publish"
  needs "$model/config.json" 3
  python "$here/local/publish.py" "$model" "$exp/publish" --report "$exp/report"
fi
exit 0
}
