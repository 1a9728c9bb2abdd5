"""`encode --voice`: whose voice it is, kept with the codes."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.overwriting import check_outputs, is_own
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.bulk.keeping import Keeping
    from vqspeech.codec import Codec


def kept(codec: "Codec", args: argparse.Namespace, vqs: bool, many: bool) -> "Keeping":
    """How the codes are kept. vqs: in `.vqs` files, which keep the voice if they can. many: of a
    folder, where refining each voice has to be asked for. Raises InputError for a voice that is
    asked for and cannot be heard, and for a rate that the model has not."""
    from vqspeech.bulk.keeping import Keeping
    from vqspeech.synthesis.options import REFINED

    if args.voice and not codec.hears_voices:
        raise InputError(
            f"--voice: model {codec.name} has no speaker encoder to hear voices with; leave it out"
        )
    codec.levels_at(args.bitrate)
    wanted = vqs if args.voice is None else args.voice
    voice = wanted and codec.hears_voices and args.speaker is None
    if args.refine and not voice:
        raise InputError(
            "--refine hears the voice that is kept better, and none is: leave it out, or have "
            "one kept (in a .vqs file without --speaker, or with --voice)"
        )
    refine = not many if args.refine is None else args.refine
    if voice and refine:
        voice = REFINED
    return Keeping(args.speaker, args.packed, voice, args.bitrate)


def is_done(args: argparse.Namespace, out: Path, vqs: bool) -> bool:
    """Whether codes, and the voice beside them that --voice asks for, are there already."""
    from vqspeech.bulk.keeping import voice_path

    return is_own(out) and (vqs or not args.voice or is_own(voice_path(out)))


def check_voice_files(
    args: argparse.Namespace, jobs: Sequence[tuple[Path, Path]] | None, vqs: bool
) -> None:
    """Refuse --voice where it contradicts --speaker, and where a file that it would write beside
    `.npy` codes would destroy another. Raises InputError, before any work."""
    if not args.voice:
        return
    if args.speaker is not None:
        raise InputError("--voice keeps the recording's own voice; leave --speaker or it out")
    if not vqs:
        from vqspeech.bulk.keeping import voice_path

        pairs = [(args.input, args.output)] if jobs is None else jobs
        read = [path for path, _ in pairs]
        check_outputs([voice_path(out) for _, out in pairs], read, args.force)
