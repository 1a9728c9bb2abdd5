"""Several processes: one codebook, one answer, no hang."""

import os
import socket

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file
from tiny_runs import CONFIG

from vqspeech.config import QuantizerConfig, from_dict
from vqspeech.nn.quantizer import VectorQuantizer
from vqspeech.training.loop import train
from vqspeech.training.run import Options

WORLD = 2
STEPS = 30


def batches():
    """Frames [WORLD, 6, 25] of every step."""
    generator = torch.Generator().manual_seed(5)
    return [torch.randn(WORLD, 6, 25, generator=generator) for _ in range(STEPS)]


def quantizer(revive_below):
    torch.manual_seed(1)
    options = {"codes": 16, "dim": 6, "decay": 0.7, "normalise": False}
    quantizer = VectorQuantizer(QuantizerConfig(**options, revive_below=revive_below))
    quantizer.initialised.fill_(revive_below == 0)
    return quantizer


def learn(quantizer, share):
    """State after every step on `share` of each batch, and the use of the codes in the last."""
    for batch in batches():
        out = quantizer(batch[share])
    return quantizer.state_dict() | {"usage": out.usage}


def worker(rank, port, corpus, folder):
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(WORLD)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"ACCELERATE_USE_CPU": "true"}
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=WORLD)
    share = slice(rank, rank + 1)
    save_file(learn(quantizer(0.0), share), folder / f"plain-{rank}")
    torch.manual_seed(100 + rank)  # revival may not hang on equal random numbers
    save_file(learn(quantizer(0.5), share), folder / f"revived-{rank}")
    options = Options(corpus, folder / "run", device="cpu", quiet=True, max_minutes=60)
    train(from_dict(CONFIG), options)


@pytest.fixture(scope="module")
def results(corpus, tmp_path_factory):
    """Folder of what two processes leave."""
    folder = tmp_path_factory.mktemp("workers")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mp.spawn(worker, (port, corpus, folder), nprocs=WORLD)
    return folder


@pytest.mark.slow
def test_statistics_are_those_of_one_process_with_the_whole_batch(results):
    whole = learn(quantizer(0.0), slice(None))
    for rank in range(WORLD):
        part = load_file(results / f"plain-{rank}")
        for name, value in whole.items():
            torch.testing.assert_close(part[name], value, rtol=1e-4, atol=1e-5)
    assert float(whole["usage"].sum()) == WORLD * 25


@pytest.mark.slow
def test_initialisation_and_revival_are_the_same_in_every_process(results):
    one, other = (load_file(results / f"revived-{rank}") for rank in range(WORLD))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert bool(one["initialised"])
    frames = torch.cat([batch[0].T for batch in batches()])
    distance = torch.cdist(one["codebook"], frames).amin(1)
    assert bool((distance < 1e-5).any()), "nothing was revived: the test tests nothing"


@pytest.mark.slow
def test_whole_training_with_two_processes(results):
    from vqspeech.checkpoint import load_checkpoint

    about = load_checkpoint(results / "run" / "model").about
    assert about.trained == {"codes": 12, "waveform": 9, "joint": 6}
