"""The integer prior: its tables, its agreement with the network, its sameness everywhere."""

import hashlib
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import torch

from vqspeech.config.networks import QuantizerConfig
from vqspeech.config.training import PriorConfig
from vqspeech.errors import InputError
from vqspeech.nn.prior import Prior
from vqspeech.sampling import fixed_point, rangecoder
from vqspeech.sampling.fixed_point_tables import power_table, tanh_table
from vqspeech.sampling.prior_weights import new_state, pack_prior

CODES, SPEAKERS = 20, 2


def make_prior(width=10, codebooks=1):
    torch.manual_seed(3)
    config = PriorConfig(residual_channels=width, skip_channels=12, layers=4, cycle=2)
    prior = Prior(
        config, QuantizerConfig(codebook_size=CODES, codebooks=codebooks), SPEAKERS
    ).eval()
    with torch.no_grad():
        prior.output.weight.mul_(40)
    return prior


@pytest.fixture(scope="module", params=[1, 2])
def prior(request):
    return make_prior(codebooks=request.param)


@pytest.fixture(scope="module")
def net(prior):
    return pack_prior(prior)


def some_codes(frames, seed=0):
    return np.random.default_rng(seed).integers(CODES, size=frames)


def forced(net, codes, row, inside=False):
    out = np.empty((len(codes), CODES), np.int64)
    fixed_point.force(net, new_state(net, inside), net.conditioning[row], codes, out)
    return out


def test_tables():
    i = np.arange(8 * 128 + 1)
    assert np.abs(tanh_table()[:-1] - np.tanh(i / 128) * 2**20).max() < 0.51
    assert np.abs(power_table() - 2.0 ** (30 - np.arange(1025) / 1024)).max() < 0.51


@pytest.mark.parametrize("row", [0, SPEAKERS])
@pytest.mark.parametrize("inside", [False, True])
def test_the_probabilities_of_the_network(prior, net, row, inside):
    codes = some_codes(60)
    found = forced(net, codes, row, inside)
    assert found.min() >= 1 and (found.sum(1) == 1 << fixed_point.FREQUENCY_BITS).all()
    with torch.no_grad():
        arguments = torch.tensor(codes)[None], torch.tensor([row]), torch.tensor([inside])
        expected = torch.softmax(prior(*arguments).double(), -1)[0].numpy()
    assert np.ptp(expected) > 0.4, "a test of near-uniform probabilities would show nothing"
    assert np.abs(found / 2**24 - expected).max() < 4e-3


def test_absurd_activations_stay_in_range():
    prior = make_prior()
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.copy_(torch.sign(parameter) * 60)
    found = forced(pack_prior(prior), some_codes(40), 0)
    assert found.min() >= 1 and (found.sum(1) == 1 << fixed_point.FREQUENCY_BITS).all()


@pytest.mark.parametrize("value", [64.0, float("nan"), float("inf")])
def test_weights_that_have_no_fixed_point(value):
    prior = make_prior()
    with torch.no_grad():
        prior.hidden.weight[0, 0] = value
    with pytest.raises(InputError, match="weight"):
        pack_prior(prior)


def drawn(net, frames=400, inverse=fixed_point.PLAIN, kept=1 << 24):
    out = np.empty(frames, np.int64)
    randoms = np.random.default_rng(0).integers(1 << 31, size=frames)
    drawing = fixed_point.Drawing(inverse, kept)
    fixed_point.sample(net, new_state(net), net.conditioning[0], drawing, randoms, out)
    return out


def test_greedy_and_nucleus(net):
    greedy = drawn(net, inverse=0)
    assert np.array_equal(greedy, forced(net, greedy, 0).argmax(1))
    kept = 1 << 23  # half of the probability
    codes = drawn(net, kept=kept)
    for code, found in zip(codes, forced(net, codes, 0), strict=True):
        likelier = found[found > found[code]].sum()
        assert likelier < kept


def test_draws_follow_the_probabilities(net):
    codes = drawn(net, 3000)
    found = forced(net, codes, 0) / 2**24
    surprise = -np.log(found[np.arange(len(codes)), codes]).mean()
    entropy = -(found * np.log(found)).sum(1).mean()
    assert surprise == pytest.approx(entropy, abs=0.06)
    cold = drawn(net, 3000, inverse=2 * fixed_point.PLAIN)
    assert len(set(pairwise(cold))) < len(set(pairwise(codes)))


def coded(net, codes, row=0, inside=False):
    out = np.zeros(len(codes) * rangecoder.BYTES_A_CODE + 16, np.uint8)
    size = rangecoder.encode(net, new_state(net, inside), net.conditioning[row], codes, out)
    return out[:size].copy()


def uncoded(net, data, frames, row=0, inside=False):
    out = np.empty(frames, np.int64)
    rangecoder.decode(net, new_state(net, inside), net.conditioning[row], data, out)
    return out


@pytest.mark.parametrize("frames", [0, 1, 2, 3, 50, 1000])
def test_range_coding(net, frames):
    for codes in (some_codes(frames), np.full(frames, 3), drawn(net, frames)):
        data = coded(net, codes)
        assert np.array_equal(uncoded(net, data, frames), codes)
        bits = 24 - np.log2(forced(net, codes, 0)[np.arange(frames), codes]).sum() / max(1, frames)
        assert 8 * len(data) <= bits * frames + 10


def test_many_short_ends(net):
    """Carries and trailing zeros: every end of a stream has its own."""
    for seed in range(300):
        codes = some_codes(seed % 7, seed)
        assert np.array_equal(uncoded(net, coded(net, codes), len(codes)), codes)


def test_any_bytes_decode_to_something(net):
    for seed in range(30):
        data = np.random.default_rng(seed).integers(256, size=seed * 3).astype(np.uint8)
        data[: seed // 2] = 255
        found = uncoded(net, data, 50)
        assert found.min() >= 0 and found.max() < CODES


def digest():
    """Hash of what the kernels make of a small case."""
    net = pack_prior(make_prior(width=6))
    codes = some_codes(25)
    parts = [coded(net, codes, 1), forced(net, codes, 1), drawn(net, 25, 90_000, 15_000_000)]
    parts.append(uncoded(net, parts[0], 25, 1))
    return hashlib.blake2b(b"".join(p.astype("<i8").tobytes() for p in parts)).hexdigest()


def scrambled_prior():
    """Weights that any version of any library makes the same: multiples of 2^-16."""
    prior = make_prior(width=6)
    with torch.no_grad():
        for i, parameter in enumerate(prior.parameters()):
            n = np.arange(parameter.numel()) + 1000 * i
            values = (n * 40503 % 65521 - 32760) / 2**15
            parameter.copy_(torch.tensor(values.reshape(parameter.shape)))
    return prior


def test_the_arithmetic_does_not_move():
    """Files that were range-coded before a change of the kernels must decode after it."""
    net = pack_prior(scrambled_prior())
    data = coded(net, np.arange(40) * 7 % CODES, 1)
    found = forced(net, np.arange(40) * 7 % CODES, 1, True)
    assert np.ptp(found) > 1 << 22
    name = hashlib.blake2b(data.tobytes() + found.astype("<i8").tobytes(), digest_size=8)
    assert name.hexdigest() == "3b37f4a68c2880d2"


def same_elsewhere(tmp_path, **environment):
    code = "import test_fixed_point; print(test_fixed_point.digest())"
    environment = os.environ | environment | {"NUMBA_CACHE_DIR": str(tmp_path)}
    environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == digest()


def test_interpreted_kernels_give_the_same_bytes(tmp_path):
    same_elsewhere(tmp_path, NUMBA_DISABLE_JIT="1", OMP_NUM_THREADS="1")


@pytest.mark.slow
@pytest.mark.parametrize(
    "environment",
    [
        {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
        {"OMP_NUM_THREADS": "3", "NUMBA_NUM_THREADS": "3"},
        {"NUMBA_OPT": "0"},
    ],
)
def test_other_processors_and_threads_give_the_same_bytes(tmp_path, environment):
    same_elsewhere(tmp_path, **environment)
