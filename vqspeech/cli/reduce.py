"""Bring codes down to a lower rate: what the upper levels say is left out, nothing is decoded.

IN is a .vqs file, a stream of one (-), a .npy file, or a folder of them. The codes that come out
are those that encoding at that rate would have given; a voice that is kept stays as it is. A .vqs
file needs no model; of a .npy file the model says how many codes a codebook has. Codes of more
levels than would be written are never replaced without --force.
"""

import argparse
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.cli import pipes, streams
from vqspeech.cli.folders import check_overwriting, plan, work_through
from vqspeech.cli.levels import check_no_loss, levels_of
from vqspeech.cli.options import add_bitrate, add_model
from vqspeech.cli.output import say
from vqspeech.cli.overwriting import add_force
from vqspeech.codes.codes import check_npy_target, levels_within
from vqspeech.codes.kinds import NPY, START_BYTES, VQS, kind_by, kind_of
from vqspeech.codes.npy import npy_levels
from vqspeech.codes.vqs import check_vqs_target, is_vqs, reduce_vqs, vqs_header
from vqspeech.codes.vqs_reader import VqsReader
from vqspeech.errors import InputError, named
from vqspeech.files import opened, written


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
    if streams.piped(args, VQS):
        check_overwriting(args, None)
        _reduce_stream(args)
        return
    jobs = None
    if os.path.isdir(args.input):
        jobs = plan(args.input, args.output, (VQS, NPY), None)
    else:
        _check_codes(args.input)
        vqs = kind_of(args.input) == VQS
        if vqs != is_vqs(args.output):
            raise InputError(
                f"{args.output}: must be a {VQS if vqs else NPY} file, as {args.input} is one"
            )
        (check_vqs_target if vqs else check_npy_target)(args.output)
    check_overwriting(args, jobs)
    if not args.force:
        pairs = jobs or [(Path(args.input), Path(args.output))]
        check_no_loss(_levels_written(args, pairs), globbed=jobs is None)

    def reduce(path: Path, out: Path) -> float:
        return _reduce_file(args, path, out)

    if jobs is None:
        seconds, what = reduce(Path(args.input), Path(args.output)), args.output
    else:
        seconds, what = work_through(jobs, reduce), f"{len(jobs)} files to {args.output}"
    say(f"wrote {what} ({seconds:.2f} s)")


def _check_codes(path: str) -> None:
    """Refuse a recording, and whatever else is no codes. Raises InputError."""
    if kind_of(path):
        return
    with opened(path, "a codes file"):
        raise InputError(
            f"{path}: is not a {VQS} or {NPY} file; if it is a recording, encode it first, at a "
            "higher rate or at this one (`vqspeech encode --bitrate`)"
        )


def _levels_written(
    args: argparse.Namespace, pairs: Iterable[tuple[Path, Path]]
) -> Iterator[tuple[int, Path]]:
    """(levels that codes are brought down to, the output) of outputs that are there and have more
    than one; by headers alone, and without inputs that the work will refuse."""
    for path, out in pairs:
        if (levels_of(out) or 1) > 1:
            try:
                yield _levels_at(args, path), out
            except InputError:
                continue


def _levels_at(args: argparse.Namespace, path: Path) -> int:
    """Levels of a file's codes that --bitrate leaves. Raises InputError."""
    if kind_of(path) == VQS:
        header = vqs_header(path)
        one = SAMPLE_RATE / header.hop * header.bits
        return min(levels_within(args.bitrate, one), header.levels)
    from vqspeech.checkpoint.about import read_about
    from vqspeech.checkpoint.location import resolve

    one = read_about(resolve(args.model)).config.bit_rate
    return min(levels_within(args.bitrate, one), npy_levels(path))


def _reduce_file(args: argparse.Namespace, path: Path, out: Path) -> float:
    """Seconds of audio that the codes stand for."""
    if kind_of(path) == VQS:
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
        if kind_by(pipe.peek(START_BYTES)) == NPY:
            raise InputError(
                f"{pipe.name}: holds {NPY} codes, and pipes take {VQS}; name files for IN and OUT"
            )
        reader = VqsReader(pipe.name, pipe.read)
        if not args.force and not pipes.is_piped_output(args.output):
            check_no_loss([(reader.header_at(args.bitrate).levels, args.output)])
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
