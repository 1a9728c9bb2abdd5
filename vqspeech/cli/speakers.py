"""List the voices of a model: name, gender and minutes of speech it was trained on."""

import argparse
import json

from vqspeech.cli.options import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_model(parser)
    parser.add_argument("--json", action="store_true", help="a JSON list instead of a table")


def run(args: argparse.Namespace) -> None:
    from vqspeech.checkpoint import read_about, resolve

    speakers = read_about(resolve(args.model)).speakers
    if args.json:
        print(json.dumps(speakers, indent=1))
        return
    width = max(len("name"), *(len(speaker["name"]) for speaker in speakers))
    print(f"{'name':{width}}  gender  minutes")
    for speaker in speakers:
        print(f"{speaker['name']:{width}}  {speaker['gender'] or '-':6}  {speaker['minutes']:7.1f}")
