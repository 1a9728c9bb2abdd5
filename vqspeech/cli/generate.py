"""Generate speech: the prior invents codes, the decoder speaks them.

With --prompt it goes on from the first seconds of a recording. What comes out sounds like speech
and says nothing: the prior knows how sounds follow each other, not words.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli import options
from vqspeech.cli.output import say, seconds_bar
from vqspeech.cli.overwriting import add_force, check_outputs
from vqspeech.codes.codes import check_npy_target
from vqspeech.errors import InputError
from vqspeech.synthesis.options import LARGEST_SEED, Generation

if TYPE_CHECKING:
    from vqspeech.codec import Codec
    from vqspeech.codes.codes import Codes

LONGEST, MOST = 3600.0, 10_000
PROMPT_SECONDS = 3.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("output", metavar="OUT", help=".wav or .flac file")
    add("--speaker", metavar="NAME", help="the voice (default: one drawn by the seed)")
    add(
        "--seconds",
        type=options.real(0.02, LONGEST),
        default=4.0,
        metavar="S",
        help="of invented speech (default: 4)",
    )
    add(
        "--temperature",
        type=options.real(0, 2),
        default=1.0,
        metavar="T",
        help="of the prior, 0 to 2: lower is likelier and more monotonous (default: 1)",
    )
    add(
        "--top-p",
        type=options.real(0.01, 1),
        default=1.0,
        metavar="P",
        help="draw from the likeliest codes that reach this probability only (default: 1, all)",
    )
    add(
        "--count",
        type=options.whole(1, MOST),
        default=1,
        metavar="N",
        help="so many, with seeds from --seed on: OUT-1.wav, OUT-2.wav, ... (default: 1)",
    )
    add("--prompt", metavar="IN", help="recording to go on from")
    add(
        "--prompt-seconds",
        type=options.real(0.02, LONGEST),
        metavar="S",
        help=f"how much of its start is kept (default: {PROMPT_SECONDS:g})",
    )
    add("--codes", metavar="NPY", help="also write the codes (.npy)")
    add_force(parser)
    options.add_preview(parser)
    options.add_seed(parser, LARGEST_SEED - MOST)
    options.add_model(parser)
    options.add_device(parser)


def run(args: argparse.Namespace) -> None:
    if args.prompt_seconds is not None and args.prompt is None:
        raise InputError("--prompt-seconds needs a --prompt to take them from")
    outputs = [_numbered(args.output, i, args.count) for i in range(args.count)]
    lists = [
        _numbered(args.codes, i, args.count) if args.codes else None for i in range(args.count)
    ]
    from vqspeech.audio.writing import Writer

    for output, codes in zip(outputs, lists, strict=True):
        Writer(output)  # refuses what cannot be written before the work begins
        if codes is not None:
            check_npy_target(codes)
    read = [path for path in (args.prompt, args.speaker) if path is not None]
    check_outputs([*outputs, *filter(None, lists)], read, args.force)
    from vqspeech.codec import Codec

    codec = Codec.from_pretrained(args.model, device=args.device)
    codec.check_decodable(args.preview)
    if args.speaker is not None:
        codec.speaker_vector(args.speaker)
    prompt = _prompt(codec, args) if args.prompt is not None else None
    for i, files in enumerate(zip(outputs, lists, strict=True)):
        drawing = Generation(args.seed + i, args.temperature, args.top_p, prompt)
        _one(codec, args, drawing, *files)


def _numbered(name: str, number: int, count: int) -> Path:
    """The name itself if there is one, else with its number, as wide as the largest."""
    path = Path(name)
    if count == 1:
        return path
    return path.with_name(f"{path.stem}-{number + 1:0{len(str(count))}d}{path.suffix}")


def _prompt(codec: "Codec", args: argparse.Namespace) -> "Codes":
    """Codes of the start of the recording."""
    codes = codec.encode_file(args.prompt)
    seconds = PROMPT_SECONDS if args.prompt_seconds is None else args.prompt_seconds
    return codes[: max(1, round(seconds * codec.frame_rate))]


def _one(codec, args, drawing: Generation, output: Path, codes_out: Path | None) -> None:
    """Draw codes, and write their sound, which takes long, and only then them: what was there
    before stays a pair until it is done."""
    seed, prompt = drawing.seed, drawing.prompt
    speaker = args.speaker or codec.any_speaker(seed)
    codes = codec.generate_codes(speaker, args.seconds, drawing)
    with seconds_bar(codes.seconds) as progress:
        how = {"seed": seed, "preview": args.preview}
        codec.decode_file(codes, output, speaker, **how, progress=progress)
    if codes_out is not None:
        codes.save_npy(codes_out)
    kept = f", the first {prompt.seconds:.2f} s from {args.prompt}" if prompt is not None else ""
    about = f"speaker {speaker}, seed {seed}{kept}{options.about_preview(args)}"
    say(f"wrote {output} ({codes.seconds:.2f} s, {about})")
