#!/usr/bin/env bash
# What codes know of phonemes, configurations beside one another:
#   bash recipes/paper/phonemes.sh SPEECH PACKED OUT [CONFIG ...]
#
# SPEECH holds a manifest.tsv with transcripts (US English), PACKED the same recordings, packed. Each
# CONFIG, a preset or a .toml file (default: the preset `phonemes`), learns its codes in OUT/NAME/run,
# and is asked about the same 400 recordings, which pocketsphinx aligns once (OUT/alignments). The
# table goes to stdout; the reports lie in OUT/NAME. What is done is not done again.
#
#   --steps N       of every configuration      (default: its own)
#   --device D      auto, cpu or cuda           (default: auto)
set -euo pipefail

{ # read to its end before it begins: the file may change in the hours that it runs

repository="$(cd "$(dirname "$0")/../.." && pwd)"
steps="" device=auto given=()
fail() { echo "recipes/paper/phonemes.sh: error: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
  case "$1" in
    -h|--help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --steps|--device)
      [ $# -ge 2 ] || fail "$1 needs a value"
      printf -v "${1#--}" %s "$2"; shift 2 ;;
    -*) fail "unknown option $1 (see --help)" ;;
    *) given+=("$1"); shift ;;
  esac
done
[ ${#given[@]} -ge 3 ] || fail "SPEECH, PACKED and OUT are needed (see --help)"
speech="${given[0]}" packed="${given[1]}" out="${given[2]}" configs=("${given[@]:3}")
[ ${#configs[@]} -gt 0 ] || configs=(phonemes)
[ -e "$packed/index.json" ] || fail "$packed/index.json is missing: run stage 1 of run.sh first"
head -1 "$speech/manifest.tsv" 2>/dev/null | grep -qw transcript ||
  fail "$speech/manifest.tsv has no column transcript: nothing says what is spoken"
# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment "train,eval"
mkdir -p "$out"
vqspeech() { python -m vqspeech "$@"; }
row='import json, sys
found = json.load(open(sys.argv[2]))["accuracy"]
asked = [(kind, space) for space in ("codes", "untrained") for kind in ("all", "speech")]
cells = ["%.1f" % (100 * found[kind][space]["mean"]) for kind, space in asked]
print("|", " | ".join([sys.argv[1], *cells]), "|")'

echo "| accuracy, % | all frames | without silence | untrained, all frames | untrained, without |"
echo "|---|---:|---:|---:|---:|"
for config in "${configs[@]}"; do
  name="$(basename "$config" .toml)" own="$out/$(basename "$config" .toml)"
  vqspeech train --config "$config" --data "$packed" --out "$own/run" --stages codes \
    --device "$device" --resume --quiet ${steps:+--steps "codes=$steps"} >&2
  # Older than the codes: they have learned since.
  if ! [ "$own/phonemes.json" -nt "$own/run/model/config.json" ]; then
    known=()
    [ ! -d "$out/alignments" ] || known=(--alignments "$out/alignments")
    vqspeech phonemes --data "$speech" --manifest manifest.tsv --splits train --limit 400 \
      --model "$own/run/model" --device "$device" --out "$own" --force "${known[@]}" > /dev/null
    [ ${#known[@]} -gt 0 ] || mv "$own/alignments" "$out/alignments"
  fi
  python -c "$row" "$name" "$own/phonemes.json"
done
exit 0
}
