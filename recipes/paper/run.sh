#!/usr/bin/env bash
# The paper's own experiment from nothing:  bash recipes/paper/run.sh --speech DIR
#
# DIR: as of recipes/base/run.sh, which does stages 1 to 5 with recipes/paper/paper.toml: equation 3
# alone, no teacher, no labels. Safe to interrupt at any point: the same command goes on where it
# stopped; what is done is not done again.
#
#   --speech DIR        the recordings
#   --exp DIR           where everything goes, the packed model in DIR/packed-model (default: exp/paper)
#   --config C          preset or .toml file                        (default: recipes/paper/paper.toml)
#   --stage N           first stage: 1 prepare, 2 train, 3 prior, 4 evaluate, 5 pack,
#                       6 bottlenecks beside one another, 7 phonemes, 8 speech from nothing and the
#                       page of it all, EXP/paper.md                                (default: 1)
#   --stop-stage N      last stage                                                  (default: 8)
#   --bottleneck-steps N    of each of stage 6                                      (default: its own)
#   --phoneme-steps N   of the codes of stage 7                                     (default: its own)
#   --device D          auto, cpu or cuda                                           (default: auto)
# and all other options of recipes/base/run.sh.
set -euo pipefail

{ # read to its end before it begins: the file may change in the hours that it runs

repository="$(cd "$(dirname "$0")/../.." && pwd)"
here="$repository/recipes/paper"
exp=exp/paper config="$here/paper.toml" stage=1 stop_stage=8 device=auto speech=""
bottleneck_steps="" phoneme_steps="" others=()

usage() { sed -n '2,20s/^# \{0,1\}//p' "$0"; }
fail() { echo "recipes/paper/run.sh: error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --exp|--config|--stage|--stop-stage|--device|--speech|--bottleneck-steps|--phoneme-steps)
      [ $# -ge 2 ] || fail "$1 needs a value"
      option="${1#--}"
      printf -v "${option//-/_}" %s "$2"; shift 2 ;;
    --package) fail "--package is not for the paper's model; it goes to EXP/packed-model" ;;
    *) others+=("$1"); shift ;;
  esac
done
[[ "$stage" =~ ^[1-8]$ && "$stop_stage" =~ ^[1-8]$ ]] ||
  fail "--stage and --stop-stage are numbers from 1 to 8"

packed="$exp/packed" run="$exp/run"
runs() { [ "$stage" -le "$1" ] && [ "$stop_stage" -ge "$1" ]; }
needs() { [ -e "$1" ] || fail "$1 is missing: run stage $2 first"; }

if [ "$stage" -le 5 ]; then
  bash "$repository/recipes/base/run.sh" --exp "$exp" --config "$config" --device "$device" \
    --stage "$stage" --stop-stage "$((stop_stage < 5 ? stop_stage : 5))" \
    ${speech:+--speech "$speech"} --package "$exp/packed-model" "${others[@]}"
fi
[ "$stop_stage" -gt 5 ] || exit 0
# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "train,eval,bench" # the last for a sheet of spectrograms
if runs 6; then
  echo "stage 6: bottlenecks beside one another"
  needs "$packed/index.json" 1
  python "$here/bottlenecks.py" "$packed" "$exp/bottlenecks" --device "$device" \
    ${bottleneck_steps:+--steps "$bottleneck_steps"}
fi
if runs 7; then
  echo "stage 7: phonemes"
  needs "$packed/index.json" 1
  if [ ! -f "$speech/manifest.tsv" ] || ! head -1 "$speech/manifest.tsv" | grep -qw transcript; then
    echo "nothing to do: no $speech/manifest.tsv has transcripts"
  else
    bash "$here/phonemes.sh" "$speech" "$packed" "$exp/phonemes" --device "$device" \
      ${phoneme_steps:+--steps "$phoneme_steps"}
  fi
fi
if runs 8; then
  echo "stage 8: speech from nothing, and the page of it all"
  needs "$run/model/config.json" 2
  prior="$run/model/prior.safetensors" said="$exp/generated/generated.txt"
  if [ -e "$prior" ] && [ -f "$speech/manifest.tsv" ] && ! [ "$said" -nt "$prior" ]; then
    mkdir -p "$exp/generated"
    python "$repository/recipes/prior/generated.py" --speech "$speech" --run "$run" \
      --model "$run/model" --out "$exp/generated" --wavenet --count 20 | tee "$said.partial"
    mv "$said.partial" "$said"
  fi
  page="$(python "$here/report.py" "$exp")" # no empty file, should it fail
  printf '%s\n' "$page" > "$exp/paper.md"
  echo "wrote $exp/paper.md"
fi
exit 0
}
