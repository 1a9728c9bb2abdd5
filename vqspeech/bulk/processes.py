"""Many recordings to codes: in several processes, each with a model of its own, or several in one
forward pass."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from vqspeech.bulk.keeping import Keeping
from vqspeech.errors import InputError, warnings_told
from vqspeech.notices import notify
from vqspeech.parallel import cores, map_processes

FILES_A_WORKER = 16
"""Fewer are not worth the seconds that a process takes to start."""

Job = tuple[Path, Path]
"""A recording and the codes file to write."""

PLAIN = Keeping()

_codec: Any = None
"""The `Codec` of this worker process."""
_told = ExitStack()
"""Holds what a worker process does until its end: warnings are told as the parent tells them."""


def default_workers(files: int) -> int:
    """As many processes as there are cores, fewer for few files."""
    return max(1, min(cores(), files // FILES_A_WORKER))


def encode_files(
    jobs: Sequence[Job],
    model: str | None,
    device: str,
    workers: int,
    keeping: Keeping = PLAIN,
) -> Iterator[float | InputError]:
    """Encode each recording in one of `workers` processes; seconds of audio or why not, in order.

    model: as for `Codec.from_pretrained`. Raises InputError if a process is killed.
    """
    yield from map_processes(
        partial(_encode, keeping=keeping),
        jobs,
        workers,
        start=partial(_start, model, device),
        advice="the same command with --resume and fewer --workers goes on",
    )


def encode_together(
    codec, jobs: Sequence[Job], keeping: Keeping = PLAIN
) -> Iterator[float | InputError]:
    """As `encode_files`, with the `Codec` of this process and several recordings in one forward
    pass: for a GPU, which one recording does not fill."""
    how = keeping.voice, keeping.bitrate, keeping.search
    found = codec.encode_files([path for path, _ in jobs], *how)
    for (_, out), codes in zip(jobs, found, strict=True):
        try:
            if isinstance(codes, InputError):
                raise codes
            keeping.save(codec, codes, out)
            yield codes.seconds
        except InputError as error:
            yield error


def _start(model: str | None, device: str) -> None:
    global _codec
    _told.enter_context(warnings_told(notify))
    _codec = single_threaded_codec(model, device)


def _encode(job: Job, keeping: Keeping) -> float | InputError:
    path, out = job
    try:
        codes = keeping.encode(_codec, path)
        keeping.save(_codec, codes, out)
        return codes.seconds
    except InputError as error:
        return error


def single_threaded_codec(model: str | None, device: str):
    """A Codec in a process that leaves the other cores to its siblings. Raises InputError."""
    import torch

    from vqspeech.codec import Codec

    torch.set_num_threads(1)
    return Codec.from_pretrained(model, device=device)
