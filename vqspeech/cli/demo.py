"""A web page to convert voices, hear the codec and see its codes. Needs `vqspeech[demo]`.

It listens on this machine alone unless --host or --share say otherwise. Files that visitors upload
are removed after a while, and all of them at the end.
"""

import argparse

from vqspeech.cli.options import add_device, add_model, real, whole

HIGHEST_PORT = 65535
LONGEST_SECONDS = 3600.0
LARGEST_MEGABYTES = 10_000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--host",
        default="127.0.0.1",
        help="address to listen on; 0.0.0.0: the whole network (default: 127.0.0.1, this machine)",
    )
    add("--port", type=whole(1, HIGHEST_PORT), metavar="N", help="default: a free one from 7860")
    add("--share", action="store_true", help="also a public link through gradio.live")
    add(
        "--voice",
        action="append",
        default=[],
        metavar="FILE",
        help="a voice from `vqspeech enroll` to offer; may be given more than once",
    )
    add(
        "--max-seconds",
        type=real(1, LONGEST_SECONDS),
        default=30.0,
        metavar="S",
        help="longest recording of a visitor (default: 30)",
    )
    add(
        "--max-megabytes",
        type=real(0.1, LARGEST_MEGABYTES),
        default=20.0,
        metavar="MB",
        help="largest file of a visitor (default: 20)",
    )
    add(
        "--max-queue",
        type=whole(1, 10_000),
        default=20,
        metavar="N",
        help="visitors that may wait; more are asked to come back (default: 20)",
    )
    add(
        "--jobs",
        type=whole(1, 64),
        default=2,
        metavar="N",
        help="visitors served at once (default: 2)",
    )
    add_model(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    from vqspeech.demo.launch import launch
    from vqspeech.demo.settings import Limits, Serving

    limits = Limits(args.max_seconds, args.max_megabytes, args.max_queue, args.jobs)
    serving = Serving(args.host, args.port, args.share, args.voice, limits)
    launch(args.model, args.device, serving)
