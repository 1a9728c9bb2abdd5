"""The verbs where IN or OUT is a pipe: parts of a recording are worked on as soon as they come."""

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli import options, pipes
from vqspeech.cli.keeping import check_voice_files, kept, say_older_voices
from vqspeech.cli.output import say
from vqspeech.codes.codes import check_npy_target
from vqspeech.codes.kinds import NPY, START_BYTES, kind_by
from vqspeech.codes.vqs import check_vqs_target, is_vqs
from vqspeech.errors import InputError
from vqspeech.files import check_target

if TYPE_CHECKING:
    from vqspeech.codec import Codec


def piped(args: argparse.Namespace, suffix: str) -> bool:
    """Whether IN or OUT is a pipe. Raises InputError for a terminal in its place, a folder beside
    one, and an OUT whose name is not for what goes into pipes, files of `suffix`."""
    if not pipes.is_piped_input(args.input) and not pipes.is_piped_output(args.output):
        return False
    for path, other in ((args.input, args.output), (args.output, args.input)):
        if os.path.isdir(path):
            raise InputError(f"{path}: is a folder, but {other} is a pipe; name a file")
    pipes.check_terminals(args.input, args.output)
    if pipes.is_piped_output(args.output) and Path(args.output).suffix not in ("", suffix):
        raise InputError(f"{args.output}: is a pipe, which takes {suffix} only; name a file")
    if args.format:
        raise InputError("--format is for folders; a pipe takes .vqs codes, or WAV")
    return True


def encode(args: argparse.Namespace, gain: float | None) -> None:
    """Encode a recording; gain: linear, None for its level's."""
    to_pipe = pipes.is_piped_output(args.output)
    vqs = to_pipe or is_vqs(args.output)
    if not to_pipe:
        (check_vqs_target if vqs else check_npy_target)(args.output)
    for option in ("speaker", "packed"):
        if getattr(args, option) and not vqs:
            raise InputError(f"--{option} is for .vqs files; a .npy file holds plain codes only")
    if not to_pipe:
        check_voice_files(args, None, vqs)
    import torch

    from vqspeech.codec import Codec
    from vqspeech.synthesis.bitstreams import BLOCK_SECONDS

    # Chunks are too short to share out, and what feeds and what decodes them want cores too.
    torch.set_num_threads(1)
    codec = Codec.from_pretrained(args.model, device=args.device)
    codec.voices.find(args.speaker)  # refused before anything is read
    keeping = kept(codec, args, vqs, many=True)
    with pipes.streamed_codes(codec, args, gain, bool(keeping.voice)) as stream:
        if to_pipe:
            seconds = args.block_seconds or BLOCK_SECONDS
            about = (args.speaker, args.packed, seconds)
            with pipes.writing(args.output) as write:
                for data in codec.bitstreams.streamed(stream, *about):
                    write(data)
            return
        found = codec.joined(stream)
    keeping.save(codec, found, args.output)
    say_older_voices(args, [args.output])
    say(f"wrote {args.output} ({found.frames} codes, {found.seconds:.2f} s)")


def decode(args: argparse.Namespace) -> None:
    """Decode codes; of a damaged stream what is intact before the damage, and then its error."""
    from vqspeech.codec import Codec

    options.check_synthesis(args)
    if not pipes.is_piped_output(args.output):
        check_sound_target(args.output)
    codec = Codec.from_pretrained(args.model, device=args.device)
    if args.speaker is not None:
        codec.speaker_vector(args.speaker)
    codec.check_decodable(args.preview)
    if not pipes.is_piped_input(args.input):
        _decode_codes(codec, args, args.input)
        return
    with pipes.opened_pipe(args.input) as pipe:
        start = pipe.peek(START_BYTES)
        if not start:
            raise InputError(f"{pipe.name}: is empty (0 bytes); check what feeds it")
        if kind_by(start) == NPY:
            with pipe.spooled() as path:
                _decode_codes(codec, args, path)
        else:
            _decode_vqs(codec, args, pipe)


def _decode_vqs(codec: "Codec", args: argparse.Namespace, pipe) -> None:
    from vqspeech.codes.stream import CodeStream
    from vqspeech.codes.vqs_reader import VqsReader

    reader = VqsReader(pipe.name, pipe.read, args.salvage)
    found = reader.codes(codec.block_coder, args.bitrate)
    intact = pipes.Intact(found, codec.hop)
    speaker = options.voice_of(codec, args, pipe.name, header := reader.header)
    codes = CodeStream(intact.parts(), lambda: codec.bitstreams.voice_in(header), found.levels)
    how = options.synthesis_of(args)
    with pipes.sound_output(args.output) as out:
        for block in codec.decode_stream(codes, speaker, how):
            out.add(block)
        if intact.error is not None:
            raise intact.error
    if reader.missing or reader.cut or reader.behind:
        options.say_lost(pipe.name, reader)
    _say_written(args, out)


def _decode_codes(codec: "Codec", args: argparse.Namespace, path: str) -> None:
    codes, speaker = options.load_codes(codec, args, Path(path))
    codec.voices.of(codes, speaker)  # refused before anything is written
    with pipes.sound_output(args.output) as out:
        for block in codec.decode_blocks(codes, speaker, options.synthesis_of(args)):
            out.add(block)
    _say_written(args, out)


def _say_written(args: argparse.Namespace, out) -> None:
    from vqspeech.audio.signal import SAMPLE_RATE
    from vqspeech.audio.writing import clipping_message

    if message := clipping_message(args.output, out.clipped, out.samples):
        say(message.removeprefix("vqspeech: "))
    if not pipes.is_piped_output(args.output):
        options.say_written(args, None, out.samples / SAMPLE_RATE)


def check_sound_target(path: str | os.PathLike) -> None:
    """Refuse a file that sound cannot be written to. Raises InputError."""
    check_target(path, tuple(f".{kind}" for kind in options.SOUND_FORMATS), "an audio file")


def convert(args: argparse.Namespace, converted) -> None:
    """Convert a recording with `converted(file, file)`: its level, which the result is given, is
    known at its end only, so a pipe's waits in a temporary file."""
    if not pipes.is_piped_output(args.output):
        check_sound_target(args.output)
    with pipes.as_file(args.input) as source:
        if not pipes.is_piped_output(args.output):
            seconds = converted(Path(source), Path(args.output))
            options.say_written(args, None, seconds)
            return
        with tempfile.TemporaryDirectory(prefix="vqspeech-") as folder:
            out = Path(folder, "out.wav")
            converted(Path(source), out)
            pipes.copied(out, args.output)
