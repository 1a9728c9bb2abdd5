"""List the voices of a model: name, gender and minutes of speech it was trained on."""

import argparse
import json
from collections.abc import Sequence

from vqspeech.checkpoint.speakers import ORDERS, Speaker
from vqspeech.cli.options import add_model, real

MOST_MINUTES = 1e12


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_model(parser)
    add("--gender", choices=("f", "m"), help="only voices of women, or of men")
    add(
        "--min-minutes",
        type=real(0, MOST_MINUTES),
        default=0.0,
        metavar="M",
        help="only voices with at least so much speech in training",
    )
    add(
        "--sort",
        choices=ORDERS,
        default="row",
        help="by row of the model, by name, or by minutes, most first (default: row)",
    )
    add("--json", action="store_true", help="a JSON list instead of a table")


def run(args: argparse.Namespace) -> None:
    from vqspeech.checkpoint.about import read_about
    from vqspeech.checkpoint.location import resolve
    from vqspeech.checkpoint.speakers import select

    table = read_about(resolve(args.model)).speakers
    speakers = select(table, args.gender, args.min_minutes, args.sort)
    if args.json:
        print(json.dumps([speaker.to_dict() for speaker in speakers], indent=1))
    else:
        print_table(speakers)


def print_table(speakers: Sequence[Speaker]) -> None:
    """Name, gender and minutes of each, under a heading, on stdout."""
    width = max(len("name"), *(len(speaker.name) for speaker in speakers))
    print(f"{'name':{width}}  gender  minutes")
    for speaker in speakers:
        print(f"{speaker.name:{width}}  {speaker.gender or '-':6}  {speaker.minutes:7.1f}")
