"""The Ray job: shards, restart, what cannot be read, a worker that is killed."""

import os
import shutil
import signal
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from vqspeech.bulk import ray_job
from vqspeech.bulk.ray_job import PLAN, RayJob, Recording, encode_with_ray, shard_name
from vqspeech.codec import Codec
from vqspeech.errors import InputError


@pytest.fixture
def recordings(make_audio):
    found = [make_audio(f"in/{i:02d}.wav", 0.2 + 0.01 * i, seed=i) for i in range(11)]
    found[4].write_bytes(b"not audio")
    return [Recording(path.stem, path) for path in found]


def test_without_ray(recordings, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_job, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'vqspeech\[ray\]'"):
        encode_with_ray(recordings, RayJob(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_another_job_in_the_folder(recordings, tiny_model, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "out"
    job = RayJob(out, shard_files=4)
    ray_job._agree_on_plan(job, recordings, "a model")
    ray_job._agree_on_plan(job, recordings, "a model")
    for other in (
        (job, recordings[:-1], "a model"),
        (job, recordings, "another"),
        (replace(job, shard_files=5), recordings, "a model"),
        (replace(job, bitrate=500), recordings, "a model"),
    ):
        with pytest.raises(InputError, match="holds the codes of other files, of another model"):
            ray_job._agree_on_plan(*other)
    (out / PLAN).write_text("{")
    with pytest.raises(InputError, match="plan.json: is damaged"):
        ray_job._agree_on_plan(job, recordings, "a model")
    with pytest.raises(InputError, match="cannot be made"):
        ray_job._agree_on_plan(replace(job, out=recordings[0].path), recordings, "a model")


def test_shards_older_than_a_recording_are_left_to_do(recordings, tmp_path, capsys):
    shards = [recordings[i : i + 4] for i in range(0, 11, 4)]
    assert ray_job._shards_left(tmp_path, shards) == [0, 1, 2]
    paths = [tmp_path / shard_name(i, 3) for i in range(3)]
    for path in paths:
        path.touch()
    os.utime(recordings[0].path, ns=(0, paths[0].stat().st_mtime_ns))  # equal: it is done
    recordings[1].path.unlink()
    assert ray_job._shards_left(tmp_path, shards) == [] and not capsys.readouterr().err
    os.utime(recordings[4].path, ns=(0, paths[1].stat().st_mtime_ns + 1))
    paths[2].unlink()
    assert ray_job._shards_left(tmp_path, shards) == [1, 2]
    assert "1 shards that are older than their recordings" in capsys.readouterr().err
    recordings[5].path.unlink()
    with pytest.raises(InputError, match=r"00001-of-00003.*05.wav is no longer there; remove"):
        ray_job._shards_left(tmp_path, shards)


def test_a_rate_that_the_model_has_not_is_refused_before_the_work(recordings, tiny_model, tmp_path):
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="bitrate 300 is none that this model has: 100 bit/s"):
        encode_with_ray(recordings, RayJob(tmp_path / "out", str(tiny_model), bitrate=300))
    assert not (tmp_path / "out").exists()


def workers_of(parent):
    """Process ids of the actors that encode, children of children of `parent`."""
    import psutil

    return [
        process.pid
        for process in psutil.Process(parent).children(recursive=True)
        if any("MapWorker" in word for word in process.cmdline())
    ]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_shards_with_a_worker_killed_halfway_and_a_restart(
    recordings, tiny_model, tmp_path, monkeypatch
):
    pytest.importorskip("ray")
    pytest.importorskip("psutil")
    monkeypatch.setenv("RAY_DISABLE_IMPORT_WARNING", "1")
    out, killed = tmp_path / "out", []

    def kill_first(shards):
        """Kill every worker when the first shard is there and others are not."""
        for number, shard in enumerate(shards):
            if number == 0:
                for pid in workers_of(os.getpid()):
                    os.kill(pid, signal.SIGKILL)
                    killed.append(pid)
            yield shard

    def kill_while_it_starts():
        """... and one before any is."""
        for _ in range(600):
            pids = workers_of(os.getpid())
            if pids:
                os.kill(pids[0], signal.SIGKILL)
                killed.append(pids[0])
                return
            time.sleep(0.1)

    assassin = threading.Thread(target=kill_while_it_starts)
    assassin.start()
    job = RayJob(out, str(tiny_model), "cpu", workers=1, shard_files=2)
    summary = encode_with_ray(recordings, job, progress=kill_first)
    assassin.join()
    assert killed, "nobody was killed: the test tests nothing"
    assert (summary.written, summary.found, summary.recordings, summary.failed) == (6, 0, 10, 1)
    assert (out / "failed.tsv").read_text().splitlines()[1].startswith("04\t")
    assert not list(out.glob(".*"))
    check(out, recordings, tiny_model)

    # A restart makes what is missing, and nothing else.
    stamps = {path.name: path.stat().st_mtime_ns for path in out.glob("codes-*")}
    (out / shard_name(3, 6)).unlink()
    again = encode_with_ray(recordings, job)
    assert (again.written, again.found, again.recordings) == (1, 5, 10)
    for name, stamp in stamps.items():
        assert ((out / name).stat().st_mtime_ns == stamp) == (name != shard_name(3, 6))
    check(out, recordings, tiny_model)

    # A recording that is mended is encoded, too, and its shard alone is made anew.
    shutil.copy(recordings[5].path, recordings[4].path)
    mended = encode_with_ray(recordings, job)
    assert (mended.written, mended.found, mended.recordings, mended.failed) == (1, 5, 11, 0)
    assert (out / "failed.tsv").read_text() == "name\treason\n"
    check(out, recordings, tiny_model, unread=())
    shutil.rmtree(out)


def check(out, recordings, model, unread=("04",)):
    """Every readable recording is there once, in order, with its codes."""
    from pyarrow import parquet

    codec = Codec.from_pretrained(model, device="cpu")
    paths = {recording.name: recording.path for recording in recordings}
    names = []
    for shard in range(6):
        table = parquet.read_table(out / shard_name(shard, 6))
        assert table.schema.metadata[b"model"].decode() == codec.fingerprint
        for row in table.to_pylist():
            names.append(row["name"])
            codes = codec.encode_file(paths[row["name"]])
            assert row["samples"] == codes.samples
            assert np.array_equal(row["codes"], codes.indices)
    assert names == sorted(set(paths) - set(unread))


@pytest.mark.parametrize("name", ["/etc/x", "../x", "a//b", "a\0b", "x" * 300])
def test_names_that_would_lead_out_of_a_folder(recordings, tiny_model, tmp_path, name):
    pytest.importorskip("ray")
    job = RayJob(tmp_path / "out", str(tiny_model), "cpu")
    with pytest.raises(InputError, match="cannot name an output"):
        encode_with_ray([*recordings, Recording(name, recordings[0].path)], job)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", [shard_name(0, 3), "failed.tsv", "failed-00000-of-00003.tsv"])
def test_shards_of_others_are_neither_taken_nor_replaced(recordings, tmp_path, name):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / name).write_text("mine")
    with pytest.raises(InputError, match="stands there without a plan.json"):
        ray_job._agree_on_plan(RayJob(tmp_path / "out"), recordings, "a model")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]
