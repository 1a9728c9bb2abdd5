"""Any number of recordings to sharded codes with Ray Data, on one machine or a cluster.

OUT/plan.json                     what this folder is for: files, model, size of a shard
OUT/codes-00003-of-00120.parquet  a row a recording: name, path, samples, codes (list of uint16)
OUT/failed-00003-of-00120.tsv     recordings of that shard that could not be read, and why
OUT/failed.tsv                    all of them, once every shard is there

A shard appears under its name only when it is whole; one that is there is not made again, unless a
recording of it was changed since. Every machine must see the recordings and OUT under the same
paths, and have vqspeech installed.
"""

# Ray makes its options at run time and pyarrow its functions; their stubs know neither.
# pyright: reportArgumentType=false, reportAttributeAccessIssue=false

import hashlib
import json
import logging
import os
import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vqspeech.errors import InputError
from vqspeech.files import below, is_older, make_folder, whole_file, write_json, write_text
from vqspeech.notices import notify

PLAN, FAILED = "plan.json", "failed.tsv"
_MADE = re.compile(r"codes-\d+-of-\d+\.parquet|failed(-\d+-of-\d+)?\.tsv")
SHARD_FILES = 256
"""Recordings in a shard: minutes of work, megabytes of codes."""

STARTS = 3
"""Attempts to start a Ray of this machine, which gives itself 30 s for it."""


@dataclass(frozen=True)
class Recording:
    """A file and its name in the output."""

    name: str
    path: Path


@dataclass(frozen=True)
class Summary:
    """What a job has done: shards written now and found; recordings of all, failed ones, hours."""

    written: int
    found: int
    recordings: int
    failed: int
    hours: float

    def __str__(self) -> str:
        return (
            f"{self.recordings} recordings ({self.hours:.2f} h) in {self.written + self.found} "
            f"shards, {self.found} of them done before; {self.failed} could not be read"
        )


@dataclass(frozen=True)
class RayJob:
    """Where a job's shards go, and what makes them.

    model, device: as for `Codec.from_pretrained`. address: of a Ray cluster, None for a Ray of this
    machine's own. workers: actors, default one a core (or a GPU) of the cluster. shard_files:
    recordings in a shard. bitrate: as of `Codec.encode`.
    """

    out: Path
    model: str | None = None
    device: str = "auto"
    address: str | None = None
    workers: int | None = None
    shard_files: int = SHARD_FILES
    bitrate: float | None = None


def encode_with_ray(recordings: Sequence[Recording], job: RayJob, progress: Any = iter) -> Summary:
    """Encode all recordings into shards in `job.out`; what is there already stays, unless one of
    its recordings is newer.

    progress: wraps the iterator of finished shards. A worker that dies is replaced and its shard
    done again. Raises InputError: without Ray, a cluster that does not answer, `out` of another
    job or unwritable, a name that could not be one of a file below `out`.
    """
    missing = [name for name in ("ray", "pyarrow") if find_spec(name) is None]
    if missing:
        raise InputError(f"no {missing[0]} here; install it with: pip install 'vqspeech[ray]'")
    from vqspeech.checkpoint.about import read_about
    from vqspeech.checkpoint.location import resolve

    out, shard_files, folder = job.out, job.shard_files, resolve(job.model)
    for recording in recordings:  # whoever unpacks the shards will write under these
        below(out, recording.name)
    about = read_about(folder)
    about.config.levels_at(job.bitrate)  # refused before a cluster is at work
    fingerprint = about.fingerprint
    shards = [recordings[i : i + shard_files] for i in range(0, len(recordings), shard_files)]
    _agree_on_plan(job, recordings, fingerprint)
    total = len(shards)
    left = _shards_left(out, shards)
    if left:
        tasks = [
            {
                "shard": i,
                "names": [recording.name for recording in shards[i]],
                "paths": [os.path.abspath(recording.path) for recording in shards[i]],
            }
            for i in left
        ]
        options = {"out": os.path.abspath(out), "total": total, "model": str(folder.resolve())}
        options |= {"device": job.device, "bitrate": job.bitrate}
        for _ in progress(_run(tasks, options, job)):
            pass
    return _finish(out, total, len(left))


def shard_name(shard: int, total: int) -> str:
    return f"codes-{shard:05d}-of-{total:05d}.parquet"


def failed_name(shard: int, total: int) -> str:
    return f"failed-{shard:05d}-of-{total:05d}.tsv"


def _agree_on_plan(job: RayJob, recordings, fingerprint: str) -> None:
    out, digest = job.out, hashlib.blake2b(digest_size=16)
    for recording in recordings:
        row = f"{recording.name}\0{os.path.abspath(recording.path)}\n"
        digest.update(row.encode(errors="surrogateescape"))
    plan = {
        "recordings": len(recordings),
        "of": digest.hexdigest(),
        "model": fingerprint,
        "shard_files": job.shard_files,
    }
    if job.bitrate is not None:  # plans of the first jobs do not say
        plan["bitrate"] = job.bitrate
    path = out / PLAN
    make_folder(out)
    try:
        before = json.loads(path.read_text()) if path.exists() else None
    except (OSError, ValueError, RecursionError):
        raise InputError(f"{path}: is damaged; name another folder") from None
    if before not in (None, plan):
        raise InputError(
            f"{out}: holds the codes of other files, of another model or rate, or in other shards; "
            "name another folder"
        )
    if before is None:
        foreign = next((one for one in out.iterdir() if _MADE.fullmatch(one.name)), None)
        if foreign is not None:
            raise InputError(f"{foreign}: stands there without a {PLAN}; name another folder")
        write_json(path, plan)


def _shards_left(out: Path, shards: Sequence[Sequence[Recording]]) -> list[int]:
    """Numbers of those that are not there, and of those that a recording is newer than. Raises
    InputError where such a one has codes of a recording that is gone, perhaps."""
    left, older = [], 0
    for number, recordings in enumerate(shards):
        path = out / shard_name(number, len(shards))
        if path.exists():
            if not any(is_older(path, recording.path) for recording in recordings):
                continue
            if gone := [one.path for one in recordings if not one.path.exists()]:
                raise InputError(
                    f"{path}: is older than recordings of it, and {gone[0]} is no longer there; "
                    "remove the shard to have it made of those that are"
                )
            older += 1
        left.append(number)
    if older:
        notify(f"{out}: {older} shards that are older than their recordings are made anew")
    return left


def _run(tasks: list[dict], options: dict, job: RayJob) -> Iterator:
    """The shards as they are finished, in any order."""
    os.environ.setdefault("RAY_DISABLE_FAILURE_SIGNAL_HANDLER", "1")  # it prints stacks at SIGTERM
    import ray

    _start(job.address, job.workers)
    try:
        on_gpu = options["device"] != "cpu" and ray.cluster_resources().get("GPU", 0) > 0
        units = int(ray.cluster_resources().get("GPU" if on_gpu else "CPU", 1))
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        # Ray Data brings a worker that dies back without limit, and gives it its shard again.
        shards = ray.data.from_items(tasks, override_num_blocks=len(tasks)).map_batches(
            _Encoder,
            fn_constructor_kwargs=options,
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=max(1, min(job.workers or units, len(tasks)))),
            **({"num_gpus": 1} if on_gpu else {"num_cpus": 1}),
        )
        for row in shards.iter_rows():
            yield int(row["shard"])
    except ray.exceptions.RayError as error:
        reason = next((line for line in str(error).splitlines()[::-1] if line.strip()), "")
        raise InputError(f"the Ray job failed ({reason}); the same command goes on") from None
    finally:
        ray.shutdown()


def _start(address: str | None, workers: int | None) -> None:
    """Join the cluster, or start a Ray of our own: a busy machine may need a second attempt."""
    import ray

    options = {"address": address or "local", "logging_level": "ERROR", "log_to_driver": False}
    if address is None:
        options |= {"num_cpus": workers, "include_dashboard": False}
    for left in reversed(range(1 if address else STARTS)):
        try:
            with _own_signals():
                ray.init(**options)
            return
        except Exception as error:  # of many kinds, plain Exception among them
            ray.shutdown()
            if not left:
                where, reason = address or "this machine", " ".join(str(error).split())[:200]
                raise InputError(f"Ray at {where} does not start: {reason}") from None


@contextmanager
def _own_signals() -> Iterator[None]:
    """Leave SIGTERM to whoever has it: Ray takes it for itself."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)


class _Encoder:
    """An actor: a model, and shards through it."""

    def __init__(self, out: str, total: int, model: str, device: str, bitrate: float | None):
        from vqspeech.bulk.processes import single_threaded_codec

        self.out, self.total, self.bitrate = Path(out), total, bitrate
        self.codec = single_threaded_codec(model, device)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        for shard, names, paths in zip(batch["shard"], batch["names"], batch["paths"], strict=True):
            self.encode(int(shard), list(names), list(paths))
        return {"shard": batch["shard"]}

    def encode(self, shard: int, names: list[str], paths: list[str]) -> None:
        """Write the shard and its list of failures, the shard last."""
        import pyarrow
        from pyarrow import parquet

        rows, failed, levels = [], [], self.codec.levels_at(self.bitrate)
        for name, path in zip(names, paths, strict=True):
            try:
                codes = self.codec.encode_file(path, voice=False, bitrate=self.bitrate)
            except InputError as error:
                failed.append(f"{name}\t{' '.join(str(error).split())}\n")
                continue
            given = codes.indices if codes.levels == 1 else list(codes.indices)
            rows.append((name, path, codes.samples, given))
        numbers = pyarrow.list_(pyarrow.uint16())
        schema = pyarrow.schema(
            [
                ("name", pyarrow.string()),
                ("path", pyarrow.string()),
                ("samples", pyarrow.int64()),
                ("codes", numbers if levels == 1 else pyarrow.list_(numbers)),
            ],
            metadata={"model": self.codec.fingerprint, "hop": str(self.codec.hop)},
        )
        columns = list(zip(*rows, strict=True)) or [[], [], [], []]
        table = pyarrow.table([list(column) for column in columns], schema=schema)
        reasons = self.out / failed_name(shard, self.total)
        if failed:
            write_text(reasons, "".join(failed))
        else:  # those of an older shard
            reasons.unlink(missing_ok=True)
        with whole_file(self.out / shard_name(shard, self.total)) as file:
            parquet.write_table(table, file)


def _finish(out: Path, total: int, written: int) -> Summary:
    """Gather what failed, count what is there."""
    from pyarrow import compute, parquet

    from vqspeech.audio.signal import SAMPLE_RATE

    failed, recordings, samples = [], 0, 0
    for shard in range(total):
        column = parquet.read_table(out / shard_name(shard, total), columns=["samples"])["samples"]
        recordings += len(column)
        samples += compute.sum(column).as_py() or 0
        path = out / failed_name(shard, total)
        failed += path.read_text().splitlines(keepends=True) if path.exists() else []
    write_text(out / FAILED, "name\treason\n" + "".join(failed))
    hours = samples / SAMPLE_RATE / 3600
    return Summary(written, total - written, recordings, len(failed), hours)
