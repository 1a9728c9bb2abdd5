"""Pack a corpus for training: the recordings in ROOT/<speaker>/, or the rows of a manifest.

Each recording is brought to 16 kHz mono and one level, and its outer silence is trimmed. Unreadable
files are listed in OUT/skipped.tsv. Running it again on the same files does nothing.
"""

import argparse
import sys
from pathlib import Path

from vqspeech.cli.options import find_manifest, names, real, whole
from vqspeech.cli.output import say
from vqspeech.cli.overwriting import add_force, check_outputs

MAX_WORKERS = 1024
LONGEST_MINIMUM = 1e6
"""Minutes; nobody speaks longer."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("root", metavar="ROOT", help="folder of the corpus")
    add("out", metavar="OUT", help="folder for the packed corpus")
    add(
        "--manifest",
        metavar="FILE",
        help="TSV or CSV with columns speaker and file (relative to it), and maybe utterance, "
        "gender and split; a path from here or from ROOT",
    )
    add_force(parser)
    add("--splits", type=names, metavar="A,B", help="only these splits of the manifest")
    add("--workers", type=whole(1, MAX_WORKERS), metavar="N", help="processes (default: CPU cores)")
    add(
        "--valid",
        type=real(0, 0.5),
        default=0.01,
        metavar="SHARE",
        help="share of the utterances kept for validation (default: 0.01)",
    )
    add(
        "--min-minutes",
        type=real(0, LONGEST_MINIMUM),
        default=0.5,
        metavar="M",
        help="speakers with less share one identity, `other` (default: 0.5)",
    )


def run(args: argparse.Namespace) -> None:
    from vqspeech.data.corpus import find_utterances
    from vqspeech.data.index import INDEX
    from vqspeech.data.pack import SKIPPED, pack, uncounted_shards

    manifest = find_manifest(args.root, args.manifest)
    found = find_utterances(args.root, manifest, args.splits, say=say)
    own = [Path(args.out, name) for name in (INDEX, SKIPPED)]
    check_outputs([*own, *uncounted_shards(args.out)], force=args.force)
    report = pack(
        found,
        args.out,
        workers=args.workers,
        valid_fraction=args.valid,
        min_minutes=args.min_minutes,
        progress=sys.stderr.isatty(),
    )
    if args.force:
        for path in uncounted_shards(args.out):  # or they would be in the way again
            path.unlink(missing_ok=True)
    say(report)
