"""Decode codes to speech: a codes file (.npy, .vqs) to .wav or .flac, or those of a folder.

A .vqs file may name the speaker itself.

The WaveNet draws the waveform sample by sample; the same seed gives the same file. --preview hears
the codes at once instead, through Griffin-Lim, at a lower quality.

With - for IN codes are decoded as they come through a pipe, and with - for OUT the sound leaves as
WAV of open length.
"""

import argparse
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.cli import options, streams
from vqspeech.cli.folders import check_none_failed, check_overwriting, plan_of, work_through
from vqspeech.cli.output import files_bar, print_error, say, seconds_bar
from vqspeech.cli.overwriting import add_force
from vqspeech.codes.kinds import NPY, VQS, kind_of
from vqspeech.errors import InputError
from vqspeech.files import make_folder

if TYPE_CHECKING:
    from vqspeech.codec import Codec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="IN", help="codes file (.npy or .vqs), a folder of them, or -")
    add("output", metavar="OUT", help=".wav or .flac file, the folder for them, or - for WAV")
    options.add_speaker(parser)
    options.add_synthesis(parser)
    add(
        "--streams",
        type=options.whole(1, 1_000_000),
        default=16,
        metavar="N",
        help="files of a folder that are decoded side by side (default: 16)",
    )
    options.add_format(parser)
    add_force(parser)
    add("--salvage", action="store_true", help="keep the intact blocks of a damaged .vqs file")
    options.add_bitrate(
        parser, "decode only as many levels of the codes as fit into B bit/s (default: all)"
    )
    options.add_model(parser)
    options.add_device(parser)


def run(args: argparse.Namespace) -> None:
    if streams.piped(args, ".wav"):
        check_overwriting(args, None)
        streams.decode(args)
        return
    jobs = _plan(args)
    from vqspeech.codec import Codec

    codec = Codec.from_pretrained(args.model, device=args.device)
    files = [Path(args.input)] if jobs is None else [path for path, _ in jobs]
    if args.speaker is not None or all(kind_of(path) == NPY for path in files):
        codec.speaker_vector(args.speaker)  # what fails for every file is refused before the work
    codec.check_decodable(args.preview)

    def decode(path: Path, out: Path) -> float:
        return _decode_file(codec, args, path, out)

    if jobs is None:
        seconds = decode(Path(args.input), Path(args.output))
    elif args.preview:
        seconds = work_through(jobs, decode)
    else:
        seconds = _decode_together(codec, args, jobs)
    options.say_written(args, jobs, seconds)


def _plan(args: argparse.Namespace) -> list[tuple[Path, Path]] | None:
    """The files of a folder, None for a single file; refuses options that would do nothing."""
    options.check_synthesis(args)
    jobs = plan_of(args, (NPY, VQS), options.SOUND_FORMATS)
    check_overwriting(args, jobs)
    return jobs


def _decode_file(codec: "Codec", args: argparse.Namespace, path: Path, out: Path) -> float:
    """Decode one file under a progress bar, report clipping; returns its seconds."""
    codes, speaker = options.load_codes(codec, args, path)
    with seconds_bar(codes.seconds) as progress:
        how = options.synthesis_of(args)
        samples, clipped = codec.decode_file(codes, out, speaker, how, progress=progress)
    _say_clipping(out, clipped, samples)
    return codes.seconds


def _decode_together(codec: "Codec", args: argparse.Namespace, jobs) -> float:
    """Decode the files of a folder side by side; returns their seconds. What fails is listed, and
    raised as one InputError at the end: the other files are written all the same."""
    loaded, failed = {}, 0
    for path, out in files_bar(jobs, len(jobs)):
        try:
            make_folder(out.parent)
            streams.check_sound_target(out)
            codes, speaker = options.load_codes(codec, args, path)
            codec.voices.of(codes, speaker)
            loaded[out] = codes, speaker
        except InputError as error:
            print_error(error)
            failed += 1
    how = options.synthesis_of(args)
    blocks = codec.decode_many_blocks(list(loaded.values()), how, streams=args.streams)
    seconds = sum(codes.seconds for codes, _ in loaded.values())
    with seconds_bar(seconds) as progress:
        failed += _write_together(list(loaded), blocks, progress)
    check_none_failed(failed, len(jobs))
    return seconds


def _write_together(outs: list[Path], blocks, progress) -> int:
    """Write numbered blocks to their files; those that are not complete do not stay. Returns how
    many could not be written, each of which is listed."""
    from vqspeech.audio.writing import Writer

    writers: dict[int, Writer] = {}
    failed: set[int] = set()
    done = 0.0
    try:
        for number, block in blocks:
            if block is not None:
                done += len(block) / SAMPLE_RATE
                progress(done)
            if number in failed:
                continue
            try:
                if number not in writers:
                    writers[number] = Writer(outs[number]).__enter__()
                if block is not None:
                    writers[number].add(block)
                    continue
                writer = writers.pop(number)
                writer.__exit__(None, None, None)
            except InputError as error:
                failed.add(number)
                print_error(error)
                if number in writers:
                    _abandon(writers.pop(number))
                continue
            _say_clipping(outs[number], writer.clipped, writer.samples)
    except BaseException:
        for writer in writers.values():
            writer.__exit__(*sys.exc_info())
        raise
    return len(failed)


def _abandon(writer) -> None:
    """Remove what a writer has written so far, within the handler of the error that ends it."""
    with suppress(InputError):  # a full disk refuses the rest of the header, too
        writer.__exit__(*sys.exc_info())


def _say_clipping(out: Path, clipped: int, samples: int) -> None:
    from vqspeech.audio.writing import clipping_message

    if message := clipping_message(out, clipped, samples):
        say(message.removeprefix("vqspeech: "))
