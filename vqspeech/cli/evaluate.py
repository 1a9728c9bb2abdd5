"""Measure a model on recordings: encode, decode free-running, compare with the original.

Every recording is decoded with its own speaker's identity where the model has it. The report goes
to stdout as Markdown, and with --out to DIR/report.md and DIR/report.json.
"""

import argparse
import sys

from vqspeech.cli.options import add_device, add_model, add_seed, find_manifest, names, whole
from vqspeech.cli.output import say

MAX_JOBS = 1024
MAX_LIMIT = 10**9


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", required=True, metavar="ROOT", help="folder of the corpus")
    parser.add_argument(
        "--manifest",
        metavar="FILE",
        help="TSV or CSV with columns speaker and file, and maybe utterance, split and transcript; "
        "a path from here or from ROOT",
    )
    parser.add_argument(
        "--splits", type=names, metavar="A,B", help="only these splits of the manifest"
    )
    parser.add_argument(
        "--methods",
        type=names,
        default=("original", "preview", "wavenet"),
        metavar="A,B",
        help="of original, preview, wavenet (default: all three)",
    )
    parser.add_argument(
        "--metrics",
        type=names,
        metavar="A,B",
        help="of dnsmos, words, speaker, f0, mel, estoi, pesq (default: all)",
    )
    parser.add_argument(
        "--speaker",
        metavar="NAME",
        help="the voice for speakers that the model does not know (default: `other`, else its "
        "first voice)",
    )
    parser.add_argument(
        "--limit",
        type=whole(1, MAX_LIMIT),
        metavar="N",
        help="only N recordings, spread evenly over the corpus",
    )
    parser.add_argument(
        "--jobs",
        type=whole(0, MAX_JOBS),
        default=2,
        metavar="N",
        help="processes that compute metrics; 0: none beside the decoder's (default: 2)",
    )
    parser.add_argument("--out", metavar="DIR", help="folder for report.md and report.json")
    add_model(parser)
    add_device(parser)
    add_seed(parser)


def run(args: argparse.Namespace) -> None:
    from vqspeech.data.corpus import find_utterances
    from vqspeech.evaluation.metrics import GROUPS
    from vqspeech.evaluation.report import make_folder
    from vqspeech.evaluation.runner import evaluate
    from vqspeech.evaluation.transcripts import read_transcripts

    manifest = find_manifest(args.data, args.manifest)
    found = find_utterances(args.data, manifest, args.splits)
    if args.limit is not None and args.limit < len(found):
        found = [found[i * len(found) // args.limit] for i in range(args.limit)]
    if args.out is not None:
        make_folder(args.out)  # refused before the work, not after it
    from vqspeech.codec import Codec

    report = evaluate(
        Codec.from_pretrained(args.model, device=args.device),
        found,
        args.methods,
        transcripts=None if manifest is None else read_transcripts(manifest),
        groups=args.metrics or GROUPS,
        speaker=args.speaker,
        jobs=args.jobs,
        seed=args.seed,
        progress=sys.stderr.isatty(),
    )
    print(report.to_markdown(), end="")
    for path in report.save(args.out) if args.out is not None else ():
        say(f"wrote {path}")
