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
#                       6 bottlenecks beside one another                            (default: 1)
#   --stop-stage N      last stage                                                  (default: 6)
#   --bottleneck-steps N    of each of stage 6                                      (default: its own)
#   --device D          auto, cpu or cuda                                           (default: auto)
# and all other options of recipes/base/run.sh.
set -euo pipefail

{ # read to its end before it begins: the file may change in the hours that it runs

repository="$(cd "$(dirname "$0")/../.." && pwd)"
here="$repository/recipes/paper"
exp=exp/paper config="$here/paper.toml" stage=1 stop_stage=6 device=auto bottleneck_steps="" others=()

usage() { sed -n '2,17s/^# \{0,1\}//p' "$0"; }
fail() { echo "recipes/paper/run.sh: error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) usage; exit 0 ;;
    --exp|--config|--stage|--stop-stage|--device|--bottleneck-steps)
      [ $# -ge 2 ] || fail "$1 needs a value"
      option="${1#--}"
      printf -v "${option//-/_}" %s "$2"; shift 2 ;;
    --package) fail "--package is not for the paper's model; it goes to EXP/packed-model" ;;
    *) others+=("$1"); shift ;;
  esac
done
[[ "$stage" =~ ^[1-6]$ && "$stop_stage" =~ ^[1-6]$ ]] ||
  fail "--stage and --stop-stage are numbers from 1 to 6"

if [ "$stage" -le 5 ]; then
  bash "$repository/recipes/base/run.sh" --exp "$exp" --config "$config" --device "$device" \
    --stage "$stage" --stop-stage "$((stop_stage < 5 ? stop_stage : 5))" \
    --package "$exp/packed-model" "${others[@]}"
fi
if [ "$stop_stage" -eq 6 ]; then
  echo "stage 6: bottlenecks beside one another"
  # shellcheck source=recipes/environment.sh
  source "$repository/recipes/environment.sh"
  vqspeech_environment train
  [ -e "$exp/packed/index.json" ] || fail "$exp/packed/index.json is missing: run stage 1 first"
  python "$here/bottlenecks.py" "$exp/packed" "$exp/bottlenecks" --device "$device" \
    ${bottleneck_steps:+--steps "$bottleneck_steps"}
fi
exit 0
}
