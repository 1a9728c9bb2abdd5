#!/usr/bin/env bash
# Train the shipped model from nothing:  bash recipes/base/run.sh --speech DIR --teacher DIR
#
# DIR holds a folder of recordings a speaker, or a manifest.tsv (columns: split speaker file ...).
# Says first how long training will take on this machine (plan.py times some steps). Safe to
# interrupt at any point: the same command goes on where it stopped; what is done is not done again.
#
#   --speech DIR        the recordings
#   --exp DIR           where everything goes                       (default: exp/base)
#   --teacher T         Whisper, whose encoder the codes are learned from as far as the preset asks:
#                       a folder or a name on the hub (openai/whisper-base)         (default: none)
#   --whisper DIR       Whisper for the words of stage 4 too        (default: pocketsphinx alone)
#   --config C          preset or .toml file                        (default: base)
#   --splits A,B        splits of the manifest to train on          (default: train,train-single)
#   --min-minutes M     speakers with less share one identity       (default: 0.5)
#   --stage N           first stage: 1 prepare, 2 train, 3 prior, 4 evaluate, 5 pack  (default: 1)
#   --stop-stage N      last stage                                  (default: 5)
#   --max-minutes M     stop training (resumably) after M minutes; what follows waits for its end
#   --steps STAGE=N     another number of steps for a stage of training; may be given more than once
#   --device D          auto, cpu or cuda                           (default: auto)
#   --metrics A,B       what stage 4 measures                       (default: all)
#   --limit N           recordings of each split that it measures   (default: all)
#   --package DIR       where stage 5 puts the model                (default: vqspeech/models/base)
set -euo pipefail

{ # read to its end before it begins: the file may change in the hours that it runs

repository="$(cd "$(dirname "$0")/../.." && pwd)"
here="$repository/recipes/base"
speech="" exp="exp/base" config=base splits="train,train-single" stage=1 stop_stage=5 device=auto
teacher="" whisper="" min_minutes=0.5 max_minutes="" metrics="" limit=""
package="$repository/vqspeech/models/base" steps=()

usage() { sed -n '2,24s/^# \{0,1\}//p' "$0"; }
fail() { echo "recipes/base/run.sh: error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --steps)
      [ $# -ge 2 ] || fail "$1 needs a value"
      steps+=(--steps "$2"); shift 2 ;;
    --speech|--exp|--teacher|--whisper|--config|--splits|--min-minutes|--stage|--stop-stage|\
    --max-minutes|--device|--metrics|--limit|--package)
      [ $# -ge 2 ] || fail "$1 needs a value"
      option="${1#--}"
      printf -v "${option//-/_}" %s "$2"; shift 2 ;;
    *) fail "unknown option $1 (see --help)" ;;
  esac
done
[[ "$stage" =~ ^[1-5]$ && "$stop_stage" =~ ^[1-5]$ ]] ||
  fail "--stage and --stop-stage are numbers from 1 to 5"
[ "$stage" -gt 4 ] || [ -n "$speech" ] || fail "--speech DIR is needed: the recordings to train on"
[ -z "$speech" ] || [ -d "$speech" ] || fail "--speech $speech: no such folder"

# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "train,eval${teacher:+,teacher}" # eval aligns transcripts, and evaluates
mkdir -p "$exp" || fail "--exp $exp: cannot be made; choose another folder"

packed="$exp/packed" run="$exp/run" model="$exp/run/model" report="$exp/report"
manifest=() of_manifest=()
if [ -f "$speech/manifest.tsv" ]; then
  manifest=(--manifest "$speech/manifest.tsv" --splits "$splits") of_manifest=(--splits "$splits")
fi
asked=(--config "$config" --out "$run" --device "$device" "${steps[@]}")
taught=(${teacher:+--teacher "$teacher"})
vqspeech() { python -m vqspeech "$@"; }
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
needs() { [ -e "$1" ] || fail "$1 is missing: run stage $2 first"; }
left() { python "$here/plan.py" "${asked[@]}" "${taught[@]}" --left | xargs; }
# What is to be done with a trained model waits until it is one.
whole() {
  local stages
  needs "$model/config.json" 2
  stages="$(left)"
  [ -z "$stages" ] || {
    echo "training is not done yet (left: $stages); the same command goes on"
    exit 0
  }
}

if runs 2; then
  [ "$stage" -lt 2 ] || needs "$packed/index.json" 1
  python "$here/plan.py" --speech "$speech" "${of_manifest[@]}" "${asked[@]}" "${taught[@]}"
fi
if runs 1; then
  echo "stage 1: prepare $speech"
  vqspeech prepare "$speech" "$packed" "${manifest[@]}" --min-minutes "$min_minutes"
  if [ -f "$speech/manifest.tsv" ] && head -1 "$speech/manifest.tsv" | grep -qw transcript; then
    python "$here/phonemes.py" "$speech/manifest.tsv" "$packed"
  fi
fi
if runs 2; then
  echo "stage 2: train (codes, levels, waveform)"
  vqspeech train "${asked[@]}" "${taught[@]}" --data "$packed" --resume \
    ${max_minutes:+--max-minutes "$max_minutes"}
fi
if runs 3; then
  echo "stage 3: fit the prior"
  whole
  vqspeech train "${asked[@]}" --data "$packed" --stage prior --resume
fi
if runs 4; then
  echo "stage 4: evaluate"
  whole
  if [ ! -f "$speech/manifest.tsv" ]; then
    echo "nothing to do: no $speech/manifest.tsv names recordings to evaluate on"
  elif key="$(cksum "$model"/*.safetensors "$speech/manifest.tsv") $whisper/$metrics/$limit"
    [ "$(cat "$report/.done" 2>/dev/null)" = "$key" ]; then
    echo "nothing to do: $report is up to date"
  else
    bash "$here/evaluate.sh" --speech "$speech" --model "$model" --out "$report" \
      ${whisper:+--whisper "$whisper"} ${metrics:+--metrics "$metrics"} ${limit:+--limit "$limit"}
    echo "$key" > "$report/.done"
  fi
fi
if runs 5; then
  echo "stage 5: pack into $package"
  whole
  python "$here/pack.py" "$model" "$package"
fi
exit 0
}
