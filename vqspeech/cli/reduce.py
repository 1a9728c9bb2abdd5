"""Bring codes down to a lower rate: what the upper levels say is left out, nothing is decoded.

IN is a .vqs file, a stream of one (-), a .npy file, or a folder of them. The codes that come out
are those that encoding at that rate would have given; a voice that is kept stays as it is. A .vqs
file needs no model; of a .npy file the model says how many codes a codebook has.
"""

import argparse
import os
from pathlib import Path

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.cli import pipes, streams
from vqspeech.cli.folders import check_overwriting, plan, work_through
from vqspeech.cli.options import add_bitrate, add_model
from vqspeech.cli.output import say
from vqspeech.cli.overwriting import add_force
from vqspeech.codes.codes import check_npy_target
from vqspeech.codes.vqs import SUFFIX, check_vqs_target, is_vqs, reduce_vqs
from vqspeech.codes.vqs_reader import VqsReader
from vqspeech.errors import InputError, named
from vqspeech.files import written

NPY = ".npy"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="IN", help="codes file (.vqs or .npy), a folder of them, or -")
    add("output", metavar="OUT", help="file of the same kind, the folder for them, or -")
    what = "bit/s of plain codes, at most; as many levels are kept as it takes"
    add_bitrate(parser, what, required=True)
    add_force(parser)
    add_model(parser)
    parser.set_defaults(format=None)  # it is that of IN


def run(args: argparse.Namespace) -> None:
    if streams.piped(args, SUFFIX):
        check_overwriting(args, None)
        _reduce_stream(args)
        return
    jobs = None
    if os.path.isdir(args.input):
        jobs = plan(args.input, args.output, (SUFFIX, NPY), None)
    else:
        vqs = is_vqs(args.input)
        if vqs != is_vqs(args.output):
            raise InputError(
                f"{args.output}: must be a {SUFFIX if vqs else NPY} file, as {args.input} is one"
            )
        (check_vqs_target if vqs else check_npy_target)(args.output)
    check_overwriting(args, jobs)

    def reduce(path: Path, out: Path) -> float:
        return _reduce_file(args, path, out)

    if jobs is None:
        seconds, what = reduce(Path(args.input), Path(args.output)), args.output
    else:
        seconds, what = work_through(jobs, reduce), f"{len(jobs)} files to {args.output}"
    say(f"wrote {what} ({seconds:.2f} s)")


def _reduce_file(args: argparse.Namespace, path: Path, out: Path) -> float:
    """Seconds of audio that the codes stand for."""
    if is_vqs(path):
        return reduce_vqs(path, out, args.bitrate) / SAMPLE_RATE
    from vqspeech.checkpoint.about import read_about
    from vqspeech.checkpoint.location import resolve
    from vqspeech.codes.npy import load_npy

    config = read_about(resolve(args.model)).config
    codes = load_npy(path, config.hop, config.quantizer.codebook_size)
    with named(str(path)):
        lower = codes.at(args.bitrate)
    lower.save_npy(out)
    return codes.seconds


def _reduce_stream(args: argparse.Namespace) -> None:
    with pipes.opened_pipe(args.input) as pipe:
        reader = VqsReader(pipe.name, pipe.read)
        parts = reader.reduced(args.bitrate)
        if pipes.is_piped_output(args.output):
            with pipes.writing(args.output) as write:
                for part in parts:
                    write(part)
            return
        with written(args.output, check_vqs_target) as file:
            for part in parts:
                file.write(part)
    say(f"wrote {args.output} ({reader.samples / SAMPLE_RATE:.2f} s)")
