"""What the caller has set of PyTorch and NumPy has no effect, and is there afterwards."""

import asyncio
import contextlib
import os
import random
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from vqspeech import Codec, Codes
from vqspeech.nn.surroundings import (
    in_own_surroundings,
    one_thread,
    plain_constants,
    threads,
    undisturbed,
)
from vqspeech.synthesis.options import Synthesis


def everything(folder, codec=None) -> list[bytes]:
    """Bytes of what a codec makes of some noise."""
    codec = codec or Codec.from_pretrained(folder, device="cpu")
    wave = 0.1 * np.random.default_rng(1).standard_normal(9000).astype(np.float32)
    codes = codec.encode(wave)
    found = [codes.indices, codec.encode(wave, 22_050).indices]
    found += [one.indices for one in codec.encode_many([wave, wave[:3000]])]
    ways = Synthesis(), Synthesis(postfilter=False), Synthesis(weights="float32")
    found += [codec.decode(codes, "anna", how) for how in (*ways, Synthesis(preview=True))]
    found += [codec.convert(wave, 16_000, "bert"), codec.generate("anna", 0.2)]
    found.append(np.float64(codec.bits_per_code(codes, "anna")))
    with tempfile.TemporaryDirectory() as here:
        codec.save_vqs(codes, f"{here}/a.vqs", "anna")
        codec.decode_file(codes, f"{here}/a.wav", "anna")
        found += [
            np.frombuffer(Path(here, name).read_bytes(), np.uint8) for name in ("a.vqs", "a.wav")
        ]
    return [str(part.dtype).encode() + part.tobytes() for part in found]


@pytest.fixture(scope="module")
def model(tiny_prior_model):
    return tiny_prior_model


@pytest.fixture(scope="module")
def plain(model):
    return everything(model)


@contextlib.contextmanager
def setting(put, new, old):
    put(new)
    try:
        yield
    finally:
        put(old)


def state() -> list:
    numbers = torch.get_rng_state().tolist(), str(np.random.get_state()), random.getstate()
    settings = torch.get_default_dtype(), torch.get_num_threads(), np.geterr()
    modes = torch.is_grad_enabled(), torch.get_float32_matmul_precision()
    return [*numbers, *settings, *modes]


WORLDS = {
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "float64": lambda: setting(torch.set_default_dtype, torch.float64, torch.float32),
    "bfloat16": lambda: setting(torch.set_default_dtype, torch.bfloat16, torch.float32),
    "meta": lambda: setting(torch.set_default_device, "meta", None),
    "inference": torch.inference_mode,
    "no grad": torch.no_grad,
    "deterministic": lambda: setting(torch.use_deterministic_algorithms, True, False),
    "medium": lambda: setting(torch.set_float32_matmul_precision, "medium", "highest"),
    "errors": lambda: np.errstate(all="raise"),
    "other seeds": lambda: setting(torch.manual_seed, 5, 0),
}


@pytest.mark.parametrize("world", WORLDS)
def test_no_setting_changes_what_is_made_or_is_changed(model, plain, world):
    with WORLDS[world]():
        before = state()
        assert everything(model) == plain
        assert state() == before


def test_nor_what_a_decoder_of_residuals_draws(pitched_model):
    codec, found = Codec.from_pretrained(pitched_model, device="cpu"), []
    codes = Codes(np.arange(20) % 4, 20 * 320, 320)
    for world in ("no grad", "float64", "bfloat16"):
        with WORLDS[world]():
            found.append(codec.decode(codes, "anna"))
    assert np.array_equal(found[0], found[1]) and np.array_equal(found[0], found[2])


@pytest.mark.filterwarnings("error")
def test_warnings_as_errors(model, plain):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert everything(model) == plain


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_any_number_of_threads_gives_the_same(model, plain, count):
    with setting(torch.set_num_threads, count, torch.get_num_threads()):
        assert everything(model) == plain
        assert torch.get_num_threads() == count


def test_products_as_large_as_the_shipped_models_are_rounded_as_one_thread_does():
    codec, found = Codec.from_pretrained(device="cpu"), set()
    codes = Codes(np.arange(40, dtype=np.uint16) * 25, 40 * codec.hop - 7, codec.hop)
    for count in (1, 2, 4):
        with setting(torch.set_num_threads, count, torch.get_num_threads()):
            made = [codec.decode(codes, "libri-19"), codec.decode(codes, "libri-27", preview=True)]
            found.add(b"".join(wave.tobytes() for wave in made))
    assert len(found) == 1


def test_a_codec_is_used_by_many_threads(model, plain):
    codec = Codec.from_pretrained(model, device="cpu")
    before = torch.get_num_threads()
    with ThreadPoolExecutor(8) as pool:
        assert all(made == plain for made in pool.map(lambda _: everything(model, codec), range(8)))
    assert torch.get_num_threads() == before


def test_in_a_running_event_loop_and_from_another_folder(model, plain, tmp_path, monkeypatch):
    async def made():
        return everything(model)

    assert asyncio.run(made()) == plain
    monkeypatch.chdir(model.parent)
    codec = Codec.from_pretrained(model.name, device="cpu")
    monkeypatch.chdir(tmp_path)
    assert everything(model, codec) == plain


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_fork_after_the_parents_threads_have_worked(model, plain, tmp_path):
    codec = Codec.from_pretrained(model, device="cpu")
    with setting(torch.set_num_threads, 2, torch.get_num_threads()):
        torch.randn(512, 512).matmul(torch.randn(512, 512))  # by threads that the fork will lack
        everything(model, codec)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                (tmp_path / "same").write_text(str(everything(model, codec) == plain))
            os._exit(0)
        os.waitpid(child, 0)
    assert (tmp_path / "same").read_text() == "True"


def test_settings_of_the_process_come_back_when_the_last_has_left():
    with setting(torch.set_num_threads, 3, torch.get_num_threads()):
        with one_thread, one_thread:
            assert torch.get_num_threads() == 1
            assert threads() == 3
        assert torch.get_num_threads() == 3
        with one_thread:
            with one_thread:
                pass
            assert torch.get_num_threads() == 1, "in a fork OpenMP would wait for ever"
        assert torch.get_num_threads() == 3
    get, put = torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    with setting(put, "medium", "highest"), ThreadPoolExecutor(1) as other:
        with undisturbed():
            assert in_own_surroundings(get)() == "highest" == get()
            assert other.submit(in_own_surroundings(get)).result() == "highest" == get()
        assert get() == "medium"


def test_products_are_precise_in_whatever_way_their_precision_was_set():
    kind, x = torch.backends.mkldnn.matmul, torch.randn(256, 256)
    exact = x @ x
    with setting(lambda found: setattr(kind, "fp32_precision", found), "bf16", "none"):
        with undisturbed():
            assert kind.fp32_precision == "ieee" and torch.equal(x @ x, exact)
        assert kind.fp32_precision == "bf16"
    assert torch.get_float32_matmul_precision() == "highest"


def test_constants_are_plain():
    with setting(torch.set_default_dtype, torch.float64, torch.float32):
        with plain_constants():
            assert torch.zeros(1).dtype == torch.float32
        assert torch.zeros(1).dtype == torch.float64


def test_autocast_comes_back():
    with torch.autocast("cpu", torch.bfloat16):
        with undisturbed():
            assert not torch.is_autocast_enabled("cpu")
        assert torch.is_autocast_enabled("cpu")
