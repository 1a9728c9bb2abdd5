"""Encode speech: an audio file to a codes file (.npy), or every audio file of a folder.

Any file that libsndfile reads is welcome, at any rate and with any number of channels. A folder's
tree is mirrored; hidden files are skipped.
"""

import argparse
import os
from pathlib import Path

from vqspeech.cli.folders import plan, work_through
from vqspeech.cli.options import add_device, add_model
from vqspeech.cli.output import say
from vqspeech.codes import check_npy_target

AUDIO = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64")
"""Files of a folder that are encoded; a file named by itself may be called anything."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="audio file, or a folder of them")
    parser.add_argument("output", metavar="OUT", help="codes file (.npy), or the folder for them")
    add_model(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    whole_folder = os.path.isdir(args.input)
    if whole_folder:
        jobs = plan(args.input, args.output, AUDIO, ".npy")
    else:
        check_npy_target(args.output)  # before the model is loaded, not after the work
    from vqspeech.codec import Codec

    codec = Codec.from_pretrained(args.model, device=args.device)
    rate = f"{codec.bit_rate:g} bit/s"
    if not whole_folder:
        codes = codec.encode_file(args.input)
        codes.save_npy(args.output)
        say(f"wrote {args.output} ({codes.frames} codes, {codes.seconds:.2f} s, {rate})")
        return

    def encode(path: Path, out: Path) -> float:
        codes = codec.encode_file(path)
        codes.save_npy(out)
        return codes.seconds

    seconds = work_through(jobs, encode)
    say(f"wrote {len(jobs)} files to {args.output} ({seconds:.2f} s, {rate})")
