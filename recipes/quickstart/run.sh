#!/usr/bin/env bash
# The first five minutes:  bash recipes/quickstart/run.sh [recording] [output folder]
#
# Installs vqspeech into .venv if need be, then encodes a recording to codes, decodes them with the
# model that ships in the package, and converts the recording to another voice. Without a recording
# it takes egs/sentence.flac, speech that this codec itself made.
set -euo pipefail

repository="$(cd "$(dirname "$0")/../.." && pwd)"
case "${1:-}" in -h|--help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
recording="${1:-$repository/egs/sentence.flac}" out="${2:-exp/quickstart}"
speaker=libri-19 other=libri-27

[ -f "$recording" ] || { echo "quickstart: error: $recording: no such file" >&2; exit 2; }
# shellcheck source=recipes/environment.sh
source "$repository/recipes/environment.sh"
vqspeech_environment ""
mkdir -p "$out"

say() { echo; echo "\$ $*"; "$@"; }
say vqspeech info "$recording"
say vqspeech encode "$recording" "$out/codes.npy"
say vqspeech info "$out/codes.npy"
say vqspeech decode "$out/codes.npy" "$out/decoded.wav" --speaker "$speaker"
say vqspeech convert "$recording" "$out/converted.wav" --speaker "$other"
say vqspeech decode "$out/codes.npy" "$out/preview.wav" --speaker "$speaker" --preview
echo
echo "Listen to:"
echo "  $out/decoded.wav     the codes as $speaker"
echo "  $out/converted.wav   the same words as $other would say them"
echo "  $out/preview.wav     the quick preview (Griffin-Lim, not the WaveNet)"
echo "Next: bash recipes/quickstart/run.sh your-recording.wav, or: source .venv/bin/activate; vqspeech --help"
