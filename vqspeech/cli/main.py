"""`vqspeech VERB ...`: finds the verb, runs it, turns what the user did wrong into one line.

Exit status: 0 done, 2 bad input, 130 interrupted, 141 nobody reads the output any more. A verb's
module is imported only when it is the chosen one, and imports heavy packages only when it runs, so
that help is there at once.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from vqspeech.cli.output import print_error
from vqspeech.cli.standard_streams import standard_streams
from vqspeech.errors import InputError

VERBS = {
    "encode": "speech files to codes",
    "decode": "codes back to speech, in the voice of a speaker",
    "convert": "speech to the same words in another voice",
    "enroll": "fit a new voice to some speech of it",
    "generate": "speech from nothing, or on from the start of a recording",
    "demo": "a web page to try all this on",
    "speakers": "list the voices of a model",
    "info": "describe a codes file, an audio file or a model",
    "prepare": "pack a corpus of recordings for training",
    "train": "train a model on a packed corpus",
    "evaluate": "measure a model on recordings that it has not seen",
    "phonemes": "measure what a model's codes know of phonemes",
}
"""Each is a module of this folder; help in one line."""

BAD_INPUT, INTERRUPTED, NO_READER = 2, 130, 141


class _Parser(argparse.ArgumentParser):
    """Wrong arguments are bad input like any other: one line, no page of usage."""

    def error(self, message: str):
        raise InputError(f"{message}; see `{self.prog} --help`")


@standard_streams()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's); returns the exit status."""
    try:
        status = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except InputError as error:
        print_error(error)
        return BAD_INPUT
    except KeyboardInterrupt:
        print_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return NO_READER
    return status


def _run(arguments: list[str]) -> int:
    verb = next((word for word in arguments if not word.startswith("-")), "")
    try:
        options = _parser(verb).parse_args(arguments)
    except SystemExit:  # --help or --version, which have printed what was asked for
        return 0
    return options.run(options) or 0


def _parser(chosen: str) -> argparse.ArgumentParser:
    """The parser, with the arguments of the verb `chosen` only."""
    parser = _Parser(
        prog="vqspeech",
        description="Speech at a few hundred bits a second: a VQ-VAE with a WaveNet decoder.",
        epilog="`vqspeech VERB --help` says more about each.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, text in VERBS.items():
        if name != chosen:
            verbs.add_parser(name, help=text)
            continue
        module = import_module(f"vqspeech.cli.{name}")
        verb = verbs.add_parser(name, help=text, description=module.__doc__, allow_abbrev=False)
        module.add_arguments(verb)
        verb.set_defaults(run=module.run)
    return parser


class _Version(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        from vqspeech import __version__

        print(f"vqspeech {__version__}")
        parser.exit()
