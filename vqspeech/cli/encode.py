"""Encode speech: an audio file to a codes file (.npy or .vqs), or every audio file of a folder.

A .npy file holds the plain codes; a .vqs file also the length, the model and the speaker, in fewer
bits: its codes are range-coded with the probabilities that the model's prior gives them. Any
file that libsndfile reads is welcome, at any rate and with any number of channels. A folder's tree
is mirrored; hidden files are skipped.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.folders import plan, work_through
from vqspeech.cli.options import add_device, add_model
from vqspeech.cli.output import say
from vqspeech.codes import check_npy_target
from vqspeech.errors import InputError
from vqspeech.vqs import SUFFIX, check_vqs_target

if TYPE_CHECKING:
    from vqspeech.codec import Codec
    from vqspeech.codes import Codes

FORMATS = ("npy", "vqs")

AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64")
"""Files of a folder that are encoded; a file named by itself may be called anything."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="audio file, or a folder of them")
    parser.add_argument(
        "output", metavar="OUT", help="codes file (.npy or .vqs), or the folder for them"
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="what to write into a folder (default: npy)"
    )
    parser.add_argument(
        "--speaker",
        metavar="NAME",
        help="for .vqs: whose speech it is; takes fewer bits, and decodes in that voice",
    )
    parser.add_argument(
        "--packed", action="store_true", help="for .vqs: plain codes instead of the prior's"
    )
    add_model(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    jobs, vqs = _plan(args)
    from vqspeech.codec import Codec

    codec = Codec.from_pretrained(args.model, device=args.device)
    if args.speaker is not None:
        codec.speaker_row(args.speaker)
    total = 0.0

    def encode(path: Path, out: Path) -> float:
        nonlocal total
        codes = codec.encode_file(path)
        total += _save(codec, codes, out, args)
        return codes.seconds

    if jobs is None:
        codes = codec.encode_file(args.input)
        bits = _save(codec, codes, args.output, args)
        rate = f"{bits / codes.seconds if vqs else codec.bit_rate:.4g} bit/s"
        say(f"wrote {args.output} ({codes.frames} codes, {codes.seconds:.2f} s, {rate})")
        return
    seconds = work_through(jobs, encode)
    rate = f"{total / seconds:.4g} bit/s"
    say(f"wrote {len(jobs)} files to {args.output} ({seconds:.2f} s, {rate})")


def _plan(args: argparse.Namespace) -> tuple[list[tuple[Path, Path]] | None, bool]:
    """(the files of a folder or None, whether .vqs is written), before the model is loaded."""
    if os.path.isdir(args.input):
        vqs = args.format == "vqs"
        jobs = plan(args.input, args.output, AUDIO, f".{args.format or FORMATS[0]}")
    else:
        if args.format:
            raise InputError("--format is for folders; the name of the output file says it")
        jobs, vqs = None, args.output.lower().endswith(SUFFIX)
        (check_vqs_target if vqs else check_npy_target)(args.output)
    for option in ("speaker", "packed"):
        if getattr(args, option) and not vqs:
            raise InputError(f"--{option} is for .vqs files; a .npy file holds plain codes only")
    return jobs, vqs


def _save(codec: "Codec", codes: "Codes", out: str | Path, args: argparse.Namespace) -> float:
    """Write the codes; returns the bits of the file, headers and all, or of the plain codes."""
    if str(out).lower().endswith(SUFFIX):
        return 8 * codec.save_vqs(codes, out, args.speaker, args.packed)
    codes.save_npy(out)
    return codec.bit_rate * codes.seconds
