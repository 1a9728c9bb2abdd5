"""Convert a voice: an audio file to .wav or .flac, or every audio file of a folder.

What is said stays, who says it changes; the loudness of the source is kept. Convert only to voices
whose owners agreed. --preview hears the codes through Griffin-Lim instead of the WaveNet.

IN and OUT may be - for pipes; the result, which has the level of the whole, comes at the end of IN.
"""

import argparse
from dataclasses import replace
from pathlib import Path

from vqspeech.audio.kinds import ALL_SUFFIXES
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.cli import options, streams
from vqspeech.cli.folders import check_overwriting, plan_of, work_through
from vqspeech.cli.output import seconds_bar
from vqspeech.cli.overwriting import add_force
from vqspeech.config.rendering import MOST_GUIDANCE
from vqspeech.errors import InputError
from vqspeech.synthesis.options import Conversion


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="IN", nargs="?", help="audio file, a folder of them, or -")
    add(
        "output",
        metavar="OUT",
        nargs="?",
        help=".wav or .flac file, the folder for them, or - for WAV",
    )
    options.add_speaker(parser)
    add("--list", action="store_true", help="list the voices and do nothing else")
    add(
        "--pitch",
        type=_pitch,
        default="target",
        metavar="P",
        help="target: moved to the voice's own where both are known; keep: as it is; or semitones "
        "to move it by (default: target)",
    )
    add(
        "--guidance",
        type=options.real(0, MOST_GUIDANCE),
        metavar="G",
        help="how much further the sound is moved away from the average voice's than the target's "
        f"identity alone moves it, 0 to {MOST_GUIDANCE:g} (default: the model's)",
    )
    options.add_bitrate(
        parser,
        "bit/s of the codes that the recording goes through, one that the model has: more keep "
        "more words, and more of the source's voice (default: the lowest)",
    )
    options.add_search(parser, "wherever the model can")
    options.add_synthesis(parser)
    options.add_format(parser)
    add_force(parser)
    options.add_model(parser)
    options.add_device(parser)


def run(args: argparse.Namespace) -> None:
    if args.list:
        from vqspeech.checkpoint.about import read_about
        from vqspeech.checkpoint.location import resolve
        from vqspeech.cli.speakers import print_table

        print_table(read_about(resolve(args.model)).speakers)
        return
    in_pipe, jobs = _plan(args)
    from vqspeech.audio import reading as audio
    from vqspeech.codec import Codec

    changes = {name: getattr(args, name) for name in ("pitch", "guidance", "bitrate")}
    how = Conversion(**vars(options.synthesis_of(args)), **changes)
    codec = Codec.from_pretrained(args.model, device=args.device)
    how = replace(how, search=codec.searches if args.search is None else args.search)
    codec.encoder.at(how.bitrate, how.search)
    codec.speaker_vector(args.speaker)  # what fails for every file is refused before the work
    codec.check_decodable(args.preview)

    def convert(path: Path, out: Path) -> float:
        with seconds_bar(audio.duration(path)) as progress:
            samples = codec.convert_file(path, out, args.speaker, how, progress=progress)
        return samples / SAMPLE_RATE

    if in_pipe:
        streams.convert(args, convert)
        return
    if jobs is None:
        seconds = convert(Path(args.input), Path(args.output))
    else:
        seconds = work_through(jobs, convert)
    options.say_written(args, jobs, seconds)


def _plan(args: argparse.Namespace) -> tuple[bool, list[tuple[Path, Path]] | None]:
    """(whether there is a pipe, the files of a folder or None for a single file); refuses what
    would do harm or nothing."""
    if args.input is None or args.output is None:
        missing = "IN and OUT" if args.input is None else "OUT"
        raise InputError(
            f"{missing} missing: vqspeech convert in.wav out.wav --speaker NAME "
            "(see `vqspeech convert --help`)"
        )
    options.check_synthesis(args)
    if streams.piped(args, ".wav"):
        check_overwriting(args, None)
        return True, None
    jobs = plan_of(args, ALL_SUFFIXES, options.SOUND_FORMATS)
    check_overwriting(args, jobs)
    return False, jobs


def _pitch(text: str) -> str | float:
    return text if text in ("target", "keep") else options.real(-14, 14)(text)
