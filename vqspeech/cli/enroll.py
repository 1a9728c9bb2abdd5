"""Enrol a new voice: fit a speaker vector to some speech of one person, and save it as a file.

Half a minute of clean speech will do, in one file or several, or in a folder of them. Everything
else of the model stays as it is. The file then stands wherever a speaker's name does: `--speaker
voice.safetensors`. A part of the speech is kept out of the fit, and tells how well it worked. Enrol
only who agreed.
"""

import argparse
import math
import os
from collections.abc import Sequence

from vqspeech.audio.kinds import ALL_SUFFIXES
from vqspeech.cli.folders import say_left_out
from vqspeech.cli.options import add_device, add_model, add_seed
from vqspeech.cli.output import say, share_bar
from vqspeech.cli.overwriting import add_force, check_outputs
from vqspeech.data.listing import listed, require_files


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("name", metavar="NAME", help="what the voice is to be called")
    add("files", metavar="FILE", nargs="+", help="audio files of that person, or folders of them")
    add("--out", required=True, metavar="FILE", help="the voice, .safetensors")
    add_force(parser)
    add_seed(parser)
    add_model(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    from vqspeech.checkpoint.voices import check_name, check_voice_target, save_voice

    check_voice_target(args.out)  # before the work, not after it
    check_name(args.name)
    files = _files(args.files)
    check_outputs([args.out], files, args.force)
    from vqspeech.codec import Codec
    from vqspeech.synthesis.enrolment import enroll

    codec = Codec.from_pretrained(args.model, device=args.device)
    with share_bar() as progress:
        voice, held = enroll(codec.loaded, args.name, files, args.seed, progress)
    save_voice(args.out, voice)
    figures = []
    if math.isfinite(held.mel):
        figures.append(f"log-mel error {held.mel:.3f} against {held.nearest_mel:.3f}")
    if math.isfinite(held.nats):
        figures.append(f"{held.nats:.3f} against {held.nearest_nats:.3f} nats a sample")
    say(
        f"held-out check on {held.seconds:.0f} s, against the nearest trained voice "
        f"({held.nearest}): {', '.join(figures)}"
    )
    if not held.better:
        say(
            f"warning: this voice is no better than {held.nearest}; give more speech of one person,"
            " without noise or music"
        )
    say(f"wrote {args.out} ({voice.name}, fitted on {voice.seconds:.0f} s of speech)")


def _files(given: Sequence[str]) -> list[str | os.PathLike]:
    """The files, and those of the folders among them. Raises InputError."""
    found: list[str | os.PathLike] = []
    for name in given:
        if os.path.isdir(name):
            listing = listed(name, ALL_SUFFIXES)
            require_files(listing, name, ALL_SUFFIXES)
            say_left_out(name, listing)
            found += listing.files
        else:
            found.append(name)
    return found
