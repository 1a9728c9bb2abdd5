"""Several processes: one codebook, the losses of one process with the whole batch, no hang."""

import os
import shutil
import signal
import socket

import pytest
import tiny_whisper
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file
from tiny_runs import CONFIG, EVERYTHING, Runs, with_stage

from vqspeech.config.model import from_dict
from vqspeech.config.networks import QuantizerConfig
from vqspeech.nn.distributed import SharedBatchNorm, dropout
from vqspeech.nn.interleaving import InterleavedQuantizer
from vqspeech.training import stage
from vqspeech.training.loop import train
from vqspeech.training.run import Options
from vqspeech.training.state import load_position

WORLD = 2
STEPS = 30
HOW = {"device": "cpu", "mixed_precision": "no", "quiet": True}


def batches():
    """Frames [WORLD, 6, 26] of every step."""
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(WORLD, 6, 26, generator=generator) for _ in range(STEPS)]


def quantizer(revive_below):
    torch.manual_seed(1)
    options = {"codebook_size": 8, "codebooks": 2, "dim": 6, "ema_decay": 0.7, "normalise": False}
    quantizer = InterleavedQuantizer(QuantizerConfig(**options, revive_below=revive_below))
    for book in quantizer.books:
        book.initialised.fill_(revive_below == 0)
    return quantizer


def learn(quantizer, share):
    """State after all steps on `share` of each batch, the use of the codes in the last, draws."""
    draws = []
    for book in quantizer.books:
        draw = book._draw
        book._draw = lambda z, number, draw=draw: draws.append(number) or draw(z, number)
    for batch in batches():
        out = quantizer(batch[share])
    return quantizer.state_dict() | {"usage": out.usage, "draws": torch.tensor(draws)}


def normalise(share):
    """What the normalisation makes of a share of a batch, its gradient and its statistics."""
    norm = SharedBatchNorm(6)
    x = (3 * batches()[0] + 1).requires_grad_()
    out = norm(x[share])
    (out[:, :3].square() * torch.linspace(-1, 1, 26)).mean().backward()
    state = {name: value.clone() for name, value in norm.state_dict().items()}
    return state | {"out": out.detach().contiguous(), "gradient": x.grad[share].contiguous()}


def left_out(share):
    """What of a share of a batch dropout leaves."""
    torch.manual_seed(3)  # as in every step, the same in every process
    return {"x": dropout(batches()[0][share], 0.3, training=True)}


def join(rank, port):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"ACCELERATE_USE_CPU": "true"}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    stage.LOG_EVERY, stage.previews = 1, lambda run, stage: {}


def worker(rank, port, corpus, folder):
    join(rank, port)
    share = slice(rank, rank + 1)
    save_file(learn(quantizer(0.0), share), folder / f"plain-{rank}")
    torch.manual_seed(100 + rank)  # revival may not hang on equal random numbers
    save_file(learn(quantizer(0.5), share), folder / f"revived-{rank}")
    save_file(normalise(share), folder / f"norm-{rank}")
    save_file(left_out(share), folder / f"dropout-{rank}")
    train(from_dict(CONFIG), Options(corpus, folder / "run", max_minutes=60, **HOW))


def everything_worker(rank, port, corpus, folder):
    join(rank, port)
    train(from_dict(EVERYTHING), Options(corpus, folder / "run", **HOW))


def taught():
    """A model of two codebooks that hears degraded speech and has a teacher."""
    rough = dict.fromkeys(("noise", "babble", "reverberation", "narrow_band"), 0.5)
    weights = {"perceptual_weight": 0.5, "perceptual_layers": 2, "states_weight": 0.3}
    training = CONFIG["training"] | weights | {"degradation": rough}
    quantizer = CONFIG["quantizer"] | {"codebooks": 2}
    return from_dict(CONFIG | {"training": training, "quantizer": quantizer})


def taught_worker(rank, port, corpus, folder, teacher):
    join(rank, port)
    train(taught(), Options(corpus, folder / "run", teacher=teacher, **HOW))


def side_by_side(work, corpus, folder, *more):
    """Run `work` in two processes; the folder of what they leave."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(work, (port, corpus, folder, *more), nprocs=WORLD)
    return folder


@pytest.fixture(scope="module")
def results(corpus, tmp_path_factory):
    """Folder of what two processes leave."""
    return side_by_side(worker, corpus, tmp_path_factory.mktemp("workers"))


@pytest.mark.slow
def test_statistics_are_those_of_one_process_with_the_whole_batch(results):
    whole = learn(quantizer(0.0), slice(None))
    for rank in range(WORLD):
        part = load_file(results / f"plain-{rank}")
        for name, value in whole.items():
            torch.testing.assert_close(part[name], value, rtol=1e-4, atol=1e-5)
    assert float(whole["usage"].sum()) == WORLD * 26


@pytest.mark.slow
def test_initialisation_and_revival_are_the_same_in_every_process(results):
    one, other = (load_file(results / f"revived-{rank}") for rank in range(WORLD))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert bool(one["books.1.initialised"])
    assert len(one["draws"]) > 1, "nothing was revived: the test tests nothing"


@pytest.mark.slow
def test_initialisation_and_revival_are_those_of_one_process(results):
    torch.manual_seed(100)  # as the first process has it
    whole = learn(quantizer(0.5), slice(None))
    part = load_file(results / "revived-0")
    for name, value in whole.items():
        torch.testing.assert_close(part[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_normalisation_is_that_of_one_process(results):
    whole = normalise(slice(None))
    parts = [load_file(results / f"norm-{rank}") for rank in range(WORLD)]
    out = torch.cat([part["out"] for part in parts])
    torch.testing.assert_close(out, whole["out"], rtol=1e-4, atol=1e-5)
    # Each process's loss is a mean over its share: the sum of their gradients is WORLD times one's.
    gradient = torch.cat([part["gradient"] for part in parts])
    torch.testing.assert_close(gradient, WORLD * whole["gradient"], rtol=1e-3, atol=1e-6)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        for part in parts:
            torch.testing.assert_close(part[name], whole[name], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_dropout_is_that_of_one_process(results):
    whole = left_out(slice(None))["x"]
    parts = torch.cat([load_file(results / f"dropout-{rank}")["x"] for rank in range(WORLD)])
    torch.testing.assert_close(parts, whole)
    assert (whole == 0).any() and not torch.equal(whole[0] == 0, whole[1] == 0)


@pytest.mark.slow
def test_losses_and_codebook_are_those_of_one_process_with_the_doubled_batch(results, runs, config):
    """In all stages, jitter and revival included."""
    for part in config.training.stages:
        config = with_stage(config, part.name, batch=WORLD * part.batch)
    alone = runs.train(config)
    one, two = Runs.log(alone), Runs.log(results / "run")
    steps = [key for key in one if key[0] == "train"]
    assert len(steps) == 27 and set(two) >= set(steps)
    for key in steps:
        assert two[key] == pytest.approx(one[key], rel=1e-4, abs=1e-5), key
    one, two = Runs.weights(alone), Runs.weights(results / "run")
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_a_teacher_and_degradation_are_those_of_one_process(corpus, runs, tmp_path):
    """In all stages: its scale, both terms, the noise and whose voices babble."""
    folder = shutil.copytree(corpus, tmp_path / "packed")
    teacher = str(tiny_whisper.folder_of(tmp_path / "teacher"))
    side_by_side(taught_worker, folder, tmp_path, teacher)
    config = taught()
    for part in config.training.stages:
        config = with_stage(config, part.name, batch=WORLD * part.batch)
    alone = runs.train(config, "alone", teacher=teacher)
    one, two = Runs.log(alone), Runs.log(tmp_path / "run")
    steps = [key for key in one if key[0] == "train"]
    assert len(steps) == 27 and set(two) >= set(steps)
    for key in steps:
        assert two[key] == pytest.approx(one[key], rel=1e-3, abs=1e-4), key
    assert "states" in one["train", "joint", 6] and "perceptual" in one["train", "codes", 12]


@pytest.mark.slow
def test_whole_training_with_two_processes(results):
    from vqspeech.checkpoint.model import load_checkpoint

    about = load_checkpoint(results / "run" / "model").about
    assert about.trained == {"codes": 12, "waveform": 9, "joint": 6}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["corpus", "spoken"])
def test_all_there_is_to_learn_with_two_processes(kind, request, tmp_path):
    """With phonemes, and without: then nothing waits for the gradients of what reads them."""
    folder = shutil.copytree(request.getfixturevalue(kind), tmp_path / "packed")
    side_by_side(everything_worker, folder, tmp_path)
    log = Runs.log(tmp_path / "run")
    figures = log["valid", "joint", 6]
    assert ("phonemes" in figures) == (kind == "spoken") and figures["pitch"] < 5


def ended_worker(rank, port, corpus, folder):
    """One of them is sent a signal amid a step."""
    join(rank, port)
    step = stage.StageRun.step

    def with_signal(training, batch):
        if rank == 1 and training.position.step == 4:
            signal.raise_signal(signal.SIGINT)
        step(training, batch)

    stage.StageRun.step = with_signal
    try:
        train(from_dict(CONFIG), Options(corpus, folder / "run", **HOW))
    except KeyboardInterrupt:
        (folder / f"ended-{rank}").touch()


@pytest.mark.slow
def test_a_signal_to_one_process_is_heeded_by_all_after_the_same_step(corpus, tmp_path):
    side_by_side(ended_worker, corpus, tmp_path)
    assert load_position(tmp_path / "run").trained == {"codes": 5}
    assert [(tmp_path / f"ended-{rank}").exists() for rank in range(WORLD)] == [False, True]
