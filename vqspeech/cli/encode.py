"""Encode speech: an audio file to a codes file (.npy or .vqs), or every audio file of a folder.

A .npy file holds the plain codes; a .vqs file also the length, the model and the speaker, in fewer
bits: its codes are range-coded with the probabilities that the model's prior gives them. Any
file that libsndfile reads is welcome, at any rate and with any number of channels, and what ffmpeg
reads (m4a, AAC, webm, AMR, video) where it is installed. A folder's tree is mirrored, links to
folders are followed; hidden files are left out. With --ray the codes go into shards (Parquet)
instead, for corpora of any size: see docs/corpora.md.

With - for IN a recording is encoded as it comes through a pipe, and with - for OUT its codes leave
as a .vqs stream: ffmpeg -i talk.m4a -f wav - | vqspeech encode - - | vqspeech decode - - | aplay
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.audio.kinds import ALL_SUFFIXES
from vqspeech.cli import streams
from vqspeech.cli.folders import check_overwriting, distinct, plan_of, total, work_through
from vqspeech.cli.keeping import check_voice_files, kept, not_done, say_older_voices
from vqspeech.cli.options import (
    add_bitrate,
    add_device,
    add_model,
    add_search,
    find_manifest,
    names,
    real,
    whole,
)
from vqspeech.cli.output import files_bar, say, seconds_bar
from vqspeech.cli.overwriting import add_force
from vqspeech.codes.codes import check_npy_target
from vqspeech.codes.vqs import SUFFIX, check_vqs_target, is_vqs
from vqspeech.errors import InputError
from vqspeech.files import below, make_folder

if TYPE_CHECKING:
    from vqspeech.bulk.keeping import Keeping
    from vqspeech.codec import Codec
    from vqspeech.codes.codes import Codes

FORMATS = ("npy", "vqs")
MAX_WORKERS = 4096
MAX_SHARD_FILES = 10**6
MAX_GAIN = 100.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("input", metavar="IN", help="audio file, a folder of them, or - for standard input")
    add(
        "output",
        metavar="OUT",
        help="codes file (.npy or .vqs), the folder for them, or - for .vqs to standard output",
    )
    add("--format", choices=FORMATS, help="what to write into a folder (default: npy)")
    add(
        "--speaker",
        metavar="NAME",
        help="for .vqs: the voice to decode with; a name of the model takes fewer bits",
    )
    add(
        "--gain",
        type=real(-MAX_GAIN, MAX_GAIN),
        metavar="DB",
        help="of one recording (default: what brings its speech to the codec's level; in a pipe, "
        "its first seconds of speech, and then slowly what is heard)",
    )
    add(
        "--block-seconds",
        type=real(0.1, 20),
        metavar="S",
        help="for OUT in a pipe: a block's length; longer ones take fewer bytes (default: 2)",
    )
    add("--packed", action="store_true", help="for .vqs: plain codes instead of the prior's")
    add_bitrate(
        parser,
        "bit/s of the plain codes, one that the model has (`vqspeech info`; default: the lowest); "
        "`vqspeech reduce` brings files down again",
    )
    add(
        "--voice",
        action=argparse.BooleanOptionalAction,
        help="keep whose voice it is, as the model's speaker encoder hears it, to decode with: a "
        ".vqs file within (the default, without --speaker), a .npy file in a file beside it, for "
        "--speaker, never over an enrolled voice without --force",
    )
    add(
        "--refine",
        action=argparse.BooleanOptionalAction,
        help="hear the voice that is kept better, which takes two seconds or so (default: of one "
        "recording, not of a folder's)",
    )
    add_search(parser, "of one recording; a folder's have the nearest, as in training")
    add(
        "--manifest",
        metavar="FILE",
        help="encode its rows (columns speaker, file, ...) to OUT/<speaker>/<utterance>.npy",
    )
    add("--splits", type=names, metavar="A,B", help="only these splits of the manifest")
    add("--workers", type=whole(1, MAX_WORKERS), metavar="N", help="processes (default: CPU cores)")
    add(
        "--resume",
        action="store_true",
        help="leave out files that have their codes already: no older than the recording, of that "
        "--bitrate and, .vqs, of that model and --speaker, --packed or not; a .npy file does not "
        "say of which model it is, and none whether it is searched or refined",
    )
    add_force(parser)
    add("--ray", action="store_true", help="as a Ray job, into shards in OUT")
    add("--address", metavar="ADDRESS", help="of a Ray cluster (default: a Ray of this machine)")
    add(
        "--shard-files",
        type=whole(1, MAX_SHARD_FILES),
        metavar="N",
        help="recordings in a shard of the Ray job (default: 256)",
    )
    add_model(parser)
    add_device(parser)


def run(args: argparse.Namespace) -> None:
    gain = None if args.gain is None else 10 ** (args.gain / 20)
    if streams.piped(args, SUFFIX):
        for option in ("refine", "search"):
            if getattr(args, option):
                raise InputError(
                    f"--{option} is for files: it hears more of them than a pipe waits for"
                )
        _refuse_folder_options(args)
        check_overwriting(args, None)
        streams.encode(args, gain)
        return
    if args.block_seconds:
        raise InputError("--block-seconds is for pipes; blocks of a file have 20 s")
    jobs = _jobs(args)
    if jobs is not None and args.gain is not None:
        raise InputError("--gain is for one recording; leave it out for a folder or manifest")
    if args.ray and jobs is not None:
        _run_ray(args, jobs)
        return
    vqs = is_vqs(args.output) if jobs is None else args.format == "vqs"
    if jobs is None:  # before the model is loaded, not after the work
        (check_vqs_target if vqs else check_npy_target)(args.output)
    for option in ("speaker", "packed"):
        if getattr(args, option) and not vqs:
            raise InputError(f"--{option} is for .vqs files; a .npy file holds plain codes only")
    check_overwriting(args, jobs)
    check_voice_files(args, jobs, vqs)
    from vqspeech.codec import Codec

    codec = Codec.from_pretrained(args.model, device=args.device)
    codec.voices.find(args.speaker)  # refused before the work
    keeping = kept(codec, args, vqs, many=jobs is not None)
    if jobs is None:
        codes = _encode_one(args, codec, keeping, gain)
        keeping.save(codec, codes, args.output)
        say_older_voices(args, [args.output])
        rate = _rate(codec, [args.output], codes.seconds, vqs, args.bitrate)
        say(f"wrote {args.output} ({codes.frames} codes, {codes.seconds:.2f} s, {rate})")
        return
    done = ""
    if args.resume:
        found, jobs = jobs, not_done(codec, args, keeping, jobs)
        done = f", {len(found) - len(jobs)} were done before"
    seconds = _encode_all(args, codec, jobs, keeping)
    say_older_voices(args, [out for _, out in jobs])
    rate = _rate(codec, [out for _, out in jobs], seconds, vqs, args.bitrate)
    say(f"wrote {len(jobs)} files to {args.output} ({seconds:.2f} s, {rate}{done})")


def _encode_one(
    args: argparse.Namespace, codec: "Codec", keeping: "Keeping", gain: float | None
) -> "Codes":
    """The codes of a single recording, under a progress bar where they are searched."""
    if not keeping.search:
        return keeping.encode(codec, args.input, gain)
    from vqspeech.audio.reading import duration

    with seconds_bar(duration(args.input)) as progress:
        return keeping.encode(codec, args.input, gain, progress)


def _refuse_folder_options(args: argparse.Namespace) -> None:
    for option in ("manifest", "splits", "workers", "resume", "ray", "address", "shard_files"):
        if getattr(args, option):
            name = option.replace("_", "-")
            raise InputError(f"--{name} is for folders and manifests; it does nothing in a pipe")


def _rate(codec, outs: list, seconds: float, vqs: bool, bitrate: float | None) -> str:
    """What the codes take: in .vqs files headers and all, else the plain codes."""
    if not vqs or not seconds:
        return f"{bitrate or codec.bit_rate:g} bit/s"
    return f"{8 * sum(os.path.getsize(out) for out in outs) / seconds:.4g} bit/s"


def _jobs(args: argparse.Namespace) -> list[tuple[Path, Path]] | None:
    """The recordings of a folder or manifest and their codes files; None for a single file."""
    if not args.ray and (args.address or args.shard_files):
        raise InputError("--address and --shard-files are for the Ray job: add --ray")
    for option in ("voice", "refine", "search"):
        if args.ray and getattr(args, option):
            raise InputError(
                f"--{option} is not for the Ray job, whose shards hold each frame's nearest codes; "
                "leave it out"
            )
    if args.ray and args.format:
        raise InputError("--format is not for the Ray job, which writes shards; leave it out")
    suffix = f".{args.format or FORMATS[0]}"
    if args.manifest is not None:
        from vqspeech.data.corpus import find_utterances

        manifest = find_manifest(args.input, args.manifest)
        found = find_utterances(args.input, manifest, args.splits)
        try:
            jobs = ((u.path, below(args.output, u.speaker, u.name, suffix=suffix)) for u in found)
            return distinct(jobs)
        except InputError as error:
            raise InputError(f"{manifest}: {error}") from None
    if args.splits:
        raise InputError("--splits needs a manifest that has them: add --manifest FILE")
    if (jobs := plan_of(args, ALL_SUFFIXES, FORMATS)) is not None:
        return jobs
    if args.ray or args.workers or args.resume:
        raise InputError(
            f"{args.input}: is no folder; --workers, --resume and --ray are for folders and "
            "manifests"
        )
    return None


def _encode_all(
    args: argparse.Namespace, codec, jobs: list[tuple[Path, Path]], keeping: "Keeping"
) -> float:
    """Encode every job, in several processes where that is worth it; seconds of audio."""
    from vqspeech.bulk import processes

    on_gpu = codec.device.type == "cuda"  # which one process keeps busy
    workers = args.workers or (1 if on_gpu else processes.default_workers(len(jobs)))
    if on_gpu or workers > 1:
        for folder in sorted({out.parent for _, out in jobs}):
            make_folder(folder)
    if workers > 1 and len(jobs) > 1:
        machines = (args.model, args.device, workers)
        found = processes.encode_files(jobs, *machines, keeping)
        return total(found, len(jobs))
    if on_gpu:
        return total(processes.encode_together(codec, jobs, keeping), len(jobs))

    def encode(path: Path, out: Path) -> float:
        codes = keeping.encode(codec, path)
        keeping.save(codec, codes, out)
        return codes.seconds

    return work_through(jobs, encode)


def _run_ray(args: argparse.Namespace, jobs: list[tuple[Path, Path]]) -> None:
    from vqspeech.bulk.ray_job import FAILED, SHARD_FILES, RayJob, Recording, encode_with_ray

    recordings = [
        Recording(out.relative_to(args.output).with_suffix("").as_posix(), path)
        for path, out in jobs
    ]
    size = args.shard_files or SHARD_FILES
    machines = (args.device, args.address, args.workers)
    job = RayJob(Path(args.output), args.model, *machines, size, args.bitrate)
    number = -(-len(recordings) // size)
    summary = encode_with_ray(recordings, job, lambda shards: files_bar(shards, number, "shard"))
    say(f"{args.output}: {summary}" + (f", see {FAILED}" if summary.failed else ""))
