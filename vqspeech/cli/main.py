"""`vqspeech VERB ...`: finds the verb, runs it, turns what the user did wrong into one line.

Exit status: 0 done, 2 bad input, 130 interrupted (143: by SIGTERM, 129: by SIGHUP), 141 nobody
reads the output any more. A verb's module is imported only when it is the chosen one, and imports
heavy packages only when it runs, so that help is there at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from vqspeech.cli.arguments import Parser
from vqspeech.cli.output import print_error, say
from vqspeech.cli.signals import ended_by_signals
from vqspeech.cli.standard_streams import standard_streams
from vqspeech.errors import InputError, warnings_told

VERBS = {
    "encode": "speech files to codes",
    "decode": "codes back to speech, in the voice of a speaker",
    "reduce": "codes to those of a lower rate, without decoding",
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

BAD_INPUT, NO_READER = 2, 141


@standard_streams()
def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (default: the process's); returns the exit status."""
    status = 0
    with ended_by_signals(for_good=argv is None) as ending:
        status = _status(sys.argv[1:] if argv is None else list(argv))
    if ending is not None and ending.status is not None:
        status = ending.status
        with suppress(OSError):  # the terminal may be what has gone
            say("interrupted")
    return status


def _status(arguments: list[str]) -> int:
    """Run it; the exit status. What is wrong with the input is said."""
    try:
        with warnings_told(say):
            status = _run(arguments)
        sys.stdout.flush()
    except InputError as error:
        print_error(error)
        return BAD_INPUT
    except BrokenPipeError:
        return NO_READER
    return status


def _run(arguments: list[str]) -> int:
    try:
        if not arguments or arguments[0] not in VERBS:
            _check_no_verb(arguments)
            return 0
        module = import_module(f"vqspeech.cli.{arguments[0]}")
        prog = f"vqspeech {arguments[0]}"
        parser = Parser(prog=prog, description=module.__doc__, allow_abbrev=False)
        module.add_arguments(parser)
        options = parser.parse(arguments[1:])
    except SystemExit:  # --help or --version, which have printed what was asked for
        return 0
    _check_working_folder()
    return module.run(options) or 0


def _check_working_folder() -> None:
    """Refuse to work from a folder that was removed: no relative path leads anywhere there, and
    PyTorch's libraries end the process. Raises InputError."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InputError("the working folder was removed; go to another (cd)") from None


def _check_no_verb(arguments: list[str]) -> None:
    """Say what is asked for of the program itself. Raises SystemExit then, else InputError."""
    parser = Parser(
        prog="vqspeech",
        description="Speech at a few hundred bits a second: a VQ-VAE with a WaveNet decoder.",
        epilog="`vqspeech VERB --help` says more about each.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    verbs = parser.add_subparsers(metavar="VERB", dest="verb", required=True)
    for name, text in VERBS.items():
        verbs.add_parser(name, help=text)
    parser.parse_args(arguments)


class _Version(argparse.Action):
    def __call__(self, parser, namespace, values, option_string=None):
        from vqspeech import __version__

        print(f"vqspeech {__version__}")
        parser.exit()
