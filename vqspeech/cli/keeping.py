"""`encode --voice`: whose voice it is, kept with the codes."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.levels import levels_of
from vqspeech.cli.output import say
from vqspeech.cli.overwriting import check_outputs, is_own
from vqspeech.codes.vqs import is_vqs, vqs_header
from vqspeech.errors import InputError
from vqspeech.files import check_unprotected, is_older

if TYPE_CHECKING:
    from vqspeech.bulk.keeping import Keeping
    from vqspeech.codec import Codec


def kept(codec: "Codec", args: argparse.Namespace, vqs: bool, many: bool) -> "Keeping":
    """How the codes are kept. vqs: in `.vqs` files, which keep the voice if they can. many: of a
    folder, where refining each voice, and searching codes, has to be asked for. Raises InputError
    for a voice that is asked for and cannot be heard, for a rate that the model has not, and for a
    search that it cannot do."""
    from vqspeech.bulk.keeping import Keeping
    from vqspeech.synthesis.options import REFINED

    if args.voice and not codec.hears_voices:
        raise InputError(
            f"--voice: model {codec.name} has no speaker encoder to hear voices with; leave it out"
        )
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
    search = not many and codec.searches if args.search is None else args.search
    codec.encoder.at(args.bitrate, search)
    return Keeping(args.speaker, args.packed, voice, args.bitrate, search)


def not_done(
    codec: "Codec", args: argparse.Namespace, keeping: "Keeping", jobs: Sequence[tuple[Path, Path]]
) -> list[tuple[Path, Path]]:
    """Those jobs of a folder that --resume does not leave out. What they replace is told, and what
    is asked for and the others do not say of themselves. Raises InputError where a file to be
    replaced is write-protected, before any work."""
    from vqspeech.bulk.keeping import voice_path

    left = [job for job in jobs if not _is_done(codec, args, keeping, job)]
    for _, out in left:
        check_unprotected(out)
        if args.voice and not is_vqs(out):
            check_unprotected(voice_path(out))
    if anew := sum(is_own(out) for _, out in left):
        say(f"{args.output}: {anew} files of other or older codes are encoded anew")
    if done := len(jobs) - len(left):
        _say_untold(codec, args, keeping, done)
    return left


def _say_untold(codec: "Codec", args: argparse.Namespace, keeping: "Keeping", done: int) -> None:
    """One line about what is asked for of codes and voices, and no file says of itself."""
    untold = ["searched"] * (args.search is not None and codec.searches)
    untold += ["refined"] * (args.refine is not None and bool(keeping.voice))
    if untold:
        say(
            f"{args.output}: {done} files were done before, and do not say whether they are "
            f"{' and '.join(untold)}; leave out --resume to have all anew"
        )


def _is_done(
    codec: "Codec", args: argparse.Namespace, keeping: "Keeping", job: tuple[Path, Path]
) -> bool:
    """Whether what would be written of a recording is there already, and no older than that: codes
    of as many levels; in a `.vqs` file of this model, packed or not, with the voice that is asked
    for; the voice beside a `.npy` file, which says of no model. Headers alone are read."""
    from vqspeech.bulk.keeping import voice_path

    source, out = job
    levels = codec.levels_at(args.bitrate)
    if not is_own(out) or is_older(out, source):
        return False
    if is_vqs(out):
        return _is_vqs_done(codec, args, keeping, out, levels)
    if args.voice:
        about = _kept_about(beside := voice_path(out))
        if about.get("model") != codec.fingerprint or is_older(beside, source):
            return False
    return levels_of(out) == levels


def _is_vqs_done(
    codec: "Codec", args: argparse.Namespace, keeping: "Keeping", out: Path, levels: int
) -> bool:
    try:
        header = vqs_header(out)
        if not codec.bitstreams.would_write(header, args.speaker, args.packed, levels):
            return False
    except InputError:
        return False
    if keeping.voice:
        return codec.bitstreams.voice_in(header) is not None
    return args.voice is not False or not header.voice


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
        read, voices = [path for path, _ in pairs], [voice_path(out) for _, out in pairs]
        check_outputs(voices, read, args.force, protected=not args.resume)
        if not args.force:
            _check_kept(voices)


def _check_kept(voices: Sequence[Path]) -> None:
    """Refuse to replace a voice that somebody enrolled. Raises InputError."""
    for path in voices:
        if is_own(path) and not _kept_about(path):
            raise InputError(
                f"{path}: is there already, and no voice that `encode --voice` kept: an enrolled "
                "one, or of an older vqspeech; name another output, or replace it with --force"
            )


def _kept_about(path: Path) -> dict[str, str]:
    """The metadata of a voice that was kept beside codes; {} of all else."""
    from vqspeech.checkpoint.voices import BY_ENCODE, voice_about

    about = voice_about(path)
    return about if about.get("by") == BY_ENCODE else {}


def say_older_voices(args: argparse.Namespace, outs: Iterable[str | os.PathLike]) -> None:
    """One line about voices beside `.npy` files, just written without --voice, that earlier codes
    of that name were kept with."""
    from vqspeech.bulk.keeping import voice_path

    if args.voice:
        return
    beside = [voice_path(out) for out in outs if not is_vqs(out)]
    older = [path for path in beside if _kept_about(path)]
    if older:
        more = f" (and {len(older) - 1} more)" if len(older) > 1 else ""
        say(f"{older[0]}{more}: is the voice of older codes; --voice hears that of these")
