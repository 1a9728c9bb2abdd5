"""Options that several verbs have, and types that refuse impossible values."""

import argparse
import os
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.cli.output import say
from vqspeech.codes.codes import MAX_BITRATE
from vqspeech.errors import InputError, named
from vqspeech.sampling.backend import WEIGHTS
from vqspeech.synthesis.options import HIGHEST_TEMPERATURE, LARGEST_SEED, Synthesis

if TYPE_CHECKING:
    from vqspeech.codec import Codec
    from vqspeech.codes.codes import Codes
    from vqspeech.codes.header import Header
    from vqspeech.codes.vqs import Contents
    from vqspeech.codes.vqs_reader import VqsReader
    from vqspeech.data.corpus import Utterance

DEVICES = ("auto", "cpu", "cuda")
MAX_LIMIT = 10**9
PREVIEW = "PREVIEW by Griffin-Lim, not the WaveNet"
SOUND_FORMATS = ("wav", "flac")


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="folder of a model, or its name on the Hugging Face hub (default: the shipped model)",
    )


def add_bitrate(parser: argparse.ArgumentParser, what: str, required: bool = False) -> None:
    """--bitrate, in bit/s of plain codes. what: the verb does with it, for its help."""
    parser.add_argument(
        "--bitrate", type=real(0, MAX_BITRATE), metavar="B", required=required, help=what
    )


def add_search(parser: argparse.ArgumentParser, default: str) -> None:
    """--search. default: where it is on by itself, for its help."""
    parser.add_argument(
        "--search",
        action=argparse.BooleanOptionalAction,
        help="not each frame's nearest code, but codes that decode nearest to the recording: "
        "better speech in the same bits, and a second of work for some seconds of it, with a model "
        f"that has a log-mel head and a speaker encoder (default: {default})",
    )


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--device",
        choices=DEVICES,
        default="auto",
        help="where to compute; auto: cuda if there is one (default: auto)",
    )


def add_seed(parser: argparse.ArgumentParser, largest: int = LARGEST_SEED) -> None:
    parser.add_argument(
        "--seed",
        type=whole(0, largest),
        default=0,
        metavar="N",
        help="of the random numbers; the same seed gives the same result (default: 0)",
    )


def add_speaker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speaker",
        metavar="NAME",
        help="the voice: a name (`vqspeech speakers` lists them), a file of `vqspeech enroll`, or "
        "a recording of anybody, if the model has a speaker encoder",
    )


def find_manifest(root: str, manifest: str | None) -> str | Path | None:
    """The manifest's path: as it is given if it exists, else as seen from the corpus `root`.

    Raises InputError where the root is a file: beside a manifest it is the folder of all.
    """
    if manifest is not None and os.path.isfile(root):
        raise InputError(f"{root}: is a file; beside a manifest its folder is wanted")
    if manifest is None or os.path.exists(manifest):
        return manifest
    from_root = Path(root, manifest)
    return from_root if os.path.exists(from_root) else manifest


def whole(low: int, high: int) -> Callable[[str], int]:
    """A type for argparse: a whole number in low..high."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number in {low}..{high}")
        return value

    return parse


def real(low: float, high: float) -> Callable[[str], float]:
    """A type for argparse: a number in low..high; NaN is in no range."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = None
        if value is None or not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number in {low:g}..{high:g}")
        return value

    return parse


def names(text: str) -> tuple[str, ...]:
    """A type for argparse: names with commas between them."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a list of names with commas between them"
        )
    return found


def add_corpus(parser: argparse.ArgumentParser) -> None:
    """The recordings that a verb measures on; `corpus` reads what was given."""
    add = parser.add_argument
    add("--data", required=True, metavar="ROOT", help="folder of the corpus")
    add(
        "--manifest",
        metavar="FILE",
        help="TSV or CSV with columns speaker and file, and maybe utterance, split and transcript; "
        "a path from here or from ROOT",
    )
    add("--splits", type=names, metavar="A,B", help="only these splits of the manifest")
    add(
        "--limit",
        type=whole(1, MAX_LIMIT),
        metavar="N",
        help="only N recordings, spread evenly over the corpus",
    )


def corpus(args: argparse.Namespace) -> tuple[str | Path | None, list["Utterance"]]:
    """(the manifest or None, the recordings) of `add_corpus`'s options. Raises InputError."""
    from vqspeech.data.corpus import find_utterances

    manifest = find_manifest(args.data, args.manifest)
    found = find_utterances(args.data, manifest, args.splits, say=say)
    if args.limit is not None and args.limit < len(found):
        found = [found[i * len(found) // args.limit] for i in range(args.limit)]
    return manifest, found


def add_synthesis(parser: argparse.ArgumentParser) -> None:
    """How codes are made into sound; `synthesis_of` reads what was given."""
    add = parser.add_argument
    add_seed(parser)
    add(
        "--temperature",
        type=real(0, HIGHEST_TEMPERATURE),
        metavar="T",
        help="of the sampling, 0 to 2: lower is cleaner and duller (default: the model's)",
    )
    add(
        "--weights",
        choices=WEIGHTS,
        default=WEIGHTS[0],
        help="the WaveNet's: int8, or float32 as trained; auto: int8 on a CPU, float32 on a GPU "
        "(default: auto)",
    )
    add(
        "--no-postfilter",
        dest="postfilter",
        action="store_false",
        help="leave the WaveNet's samples as they were drawn (default: they get the spectral "
        "envelope that the codes predict)",
    )
    add_preview(parser)


def add_preview(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preview", action="store_true", help=f"quick and rough: a {PREVIEW}")


def check_synthesis(args: argparse.Namespace) -> None:
    """Refuse options of the WaveNet beside --preview. Raises InputError."""
    for option, given in (
        ("--temperature", args.temperature is not None),
        ("--no-postfilter", not args.postfilter),
    ):
        if args.preview and given:
            raise InputError(f"{option} does nothing in a --preview; leave one of them out")


def synthesis_of(args: argparse.Namespace) -> Synthesis:
    """What was given of `add_synthesis`'s options."""
    return Synthesis(**{field.name: getattr(args, field.name) for field in fields(Synthesis)})


def add_format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--format", choices=SOUND_FORMATS, help="what to write into a folder (default: wav)"
    )


def about_preview(args: argparse.Namespace) -> str:
    """What is to be said behind the length of the result."""
    return f", {PREVIEW}" if args.preview else ""


def say_written(args: argparse.Namespace, jobs: Sequence | None, seconds: float) -> None:
    """The line at the end: the file, or the files of a folder, and their `seconds` of audio."""
    what = args.output if jobs is None else f"{len(jobs)} files to {args.output}"
    say(f"wrote {what} ({seconds:.2f} s{about_preview(args)})")


def load_codes(codec: "Codec", args: argparse.Namespace, path: Path) -> tuple["Codes", str | None]:
    """(codes of a file, the voice to decode them with)."""
    from vqspeech.codes.kinds import VQS, kind_of
    from vqspeech.codes.npy import load_npy

    if kind_of(path) != VQS:
        if args.salvage:
            raise InputError(f"{path}: --salvage is for .vqs files; leave it out")
        codes = codec.as_codes(load_npy(path, codec.hop, codec.codebook_size), str(path))
        if args.bitrate is not None:
            with named(str(path)):
                codes = codes.at(args.bitrate)
        return codes, args.speaker
    codes, _, contents = codec.load_vqs(path, args.salvage, args.bitrate)
    if contents.missing or contents.cut or contents.behind:
        say_lost(path, contents)
    return codes, voice_of(codec, args, path, contents.header)


def say_lost(path: str | Path, found: "Contents | VqsReader") -> None:
    """One line about what of a damaged file was not kept."""
    lost = [str(number) for number in found.lost[:10]]
    lost += ["..."] * (found.missing > len(lost)) + ["the end"] * found.cut
    lost += [f"{found.behind} bytes behind the end"] * bool(found.behind)
    of = "" if found.cut else f" of {found.kept + found.missing}"
    say(
        f"{path}: kept {found.kept}{of} blocks, {found.samples / SAMPLE_RATE:.2f} s; "
        f"lost: {', '.join(lost)}"
    )


def voice_of(
    codec: "Codec", args: argparse.Namespace, path: str | Path, header: "Header"
) -> str | None:
    """The voice to decode codes with: --speaker, or the one that their file names; None for the one
    that it keeps. Raises InputError where this model has neither."""
    if args.speaker is not None:
        return args.speaker
    if header.speaker and header.speaker not in codec.speakers:
        raise InputError(
            f"{path}: names speaker {header.speaker}, whom this model lacks; give --speaker"
        )
    if header.voice and not header.speaker and codec.bitstreams.voice_in(header) is None:
        raise InputError(
            f"{path}: keeps a voice that only another model knows, this is {codec.fingerprint}; "
            "give --speaker, or that model with --model"
        )
    return header.speaker or None
