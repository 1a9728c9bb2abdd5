"""Decode codes to speech: a codes file (.npy) to .wav or .flac, or every codes file of a folder.

The WaveNet draws the waveform sample by sample; the same seed gives the same file. --preview hears
the codes at once instead, through Griffin-Lim, at a lower quality.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.folders import plan, work_through
from vqspeech.cli.options import add_device, add_model, add_seed, add_speaker, real
from vqspeech.cli.output import say, seconds_bar
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.codec import Codec

PREVIEW = "PREVIEW by Griffin-Lim, not the WaveNet"
FORMATS = ("wav", "flac")
HIGHEST_TEMPERATURE = 2.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", metavar="IN", help="codes file (.npy), or a folder of them")
    parser.add_argument("output", metavar="OUT", help=".wav or .flac file, or the folder for them")
    add_speaker(parser)
    add_seed(parser)
    parser.add_argument(
        "--temperature",
        type=real(0, HIGHEST_TEMPERATURE),
        metavar="T",
        help="of the sampling, 0 to 2: lower is cleaner and duller (default: the model's)",
    )
    parser.add_argument("--preview", action="store_true", help=f"quick and rough: a {PREVIEW}")
    parser.add_argument(
        "--format", choices=FORMATS, help="what to write into a folder (default: wav)"
    )
    add_model(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    jobs = _plan(args)
    from vqspeech.codec import Codec

    codec = Codec.from_pretrained(args.model, device=args.device)
    codec.speaker_vector(
        args.speaker
    )  # what fails for every file is refused before the work begins
    codec.check_decodable(args.preview)

    def decode(path: Path, out: Path) -> float:
        return _decode_file(codec, args, path, out)

    about = f", {PREVIEW}" if args.preview else ""
    if jobs is None:
        seconds = decode(Path(args.input), Path(args.output))
        say(f"wrote {args.output} ({seconds:.2f} s{about})")
    else:
        seconds = work_through(jobs, decode)
        say(f"wrote {len(jobs)} files to {args.output} ({seconds:.2f} s{about})")


def _plan(args: argparse.Namespace) -> list[tuple[Path, Path]] | None:
    """The files of a folder, None for a single file; refuses options that would do nothing."""
    if args.preview and args.temperature is not None:
        raise InputError("--temperature does nothing in a --preview; leave one of them out")
    if not os.path.isdir(args.input):
        if args.format:
            raise InputError("--format is for folders; the name of the output file says it")
        return None
    if os.path.isdir(args.output) and os.path.samefile(args.input, args.output):
        raise InputError(
            f"{args.output}: also holds the codes, and maybe the recordings they come from, which "
            "would be overwritten; name another folder"
        )
    return plan(args.input, args.output, (".npy",), f".{args.format or FORMATS[0]}")


def _decode_file(codec: "Codec", args: argparse.Namespace, path: Path, out: Path) -> float:
    """Decode one file under a progress bar, report clipping; returns its seconds."""
    from vqspeech.audio import clipping_message
    from vqspeech.codes import load_npy

    codes = load_npy(path, codec.hop, codec.codebook_size)
    with seconds_bar(codes.seconds) as progress:
        samples, clipped = codec.decode_file(
            codes,
            out,
            speaker=args.speaker,
            seed=args.seed,
            temperature=args.temperature,
            preview=args.preview,
            progress=progress,
        )
    if message := clipping_message(out, clipped, samples):
        say(message.removeprefix("vqspeech: "))
    return codes.seconds
