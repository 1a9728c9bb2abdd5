"""Learning rates over a stage, and which optimiser moves what."""

from dataclasses import replace

import pytest
import torch
from networks import decoder_of

from vqspeech.config.training import StageConfig
from vqspeech.training.optimizer import learning_rate, optimizers, set_learning_rate

STAGE = StageConfig("joint", 900, learning_rate=1e-3, final_learning_rate=1e-4, warmup=100)


def test_warm_up_is_linear_and_never_zero():
    assert learning_rate(STAGE, 0) == pytest.approx(1e-5)
    assert learning_rate(STAGE, 49) == pytest.approx(5e-4)
    assert learning_rate(STAGE, 99) == pytest.approx(1e-3)


def test_constant_for_two_thirds():
    assert {learning_rate(STAGE, step) for step in range(100, 600)} == {1e-3}


def test_then_linear_to_the_final_rate():
    assert learning_rate(STAGE, 750) == pytest.approx(5.5e-4)
    assert learning_rate(STAGE, 899) == pytest.approx(1e-4, rel=0.05)
    assert learning_rate(STAGE, 900) == learning_rate(STAGE, 5000) == pytest.approx(1e-4)
    falling = [learning_rate(STAGE, step) for step in range(600, 901)]
    assert falling == sorted(falling, reverse=True)


def test_without_warm_up():
    assert learning_rate(StageConfig("joint", 900, warmup=0, learning_rate=1e-3), 0) == 1e-3


def test_one_step_stage():
    assert 0 < learning_rate(StageConfig("joint", 1), 0) <= 1e-3


def test_without_muon_adam_moves_everything():
    decoder = decoder_of(4, harmonics=2)
    parameters = list(decoder.parameters())
    [only] = optimizers(parameters, decoder, STAGE, 0.0)
    assert isinstance(only, torch.optim.AdamW)
    assert only.param_groups[0]["params"] == parameters


def test_muon_moves_the_matrices_of_the_wavenet_at_its_own_rate():
    decoder, other = decoder_of(4, harmonics=2), torch.nn.Linear(3, 2)
    stage = StageConfig("joint", 900, learning_rate=1e-3, warmup=100, muon=3.0)
    mine = [p for p in decoder.parameters() if p is not decoder.output.weight]  # one is frozen
    adam, muon = optimizers([*mine, *other.parameters()], decoder, stage, 0.1)
    moved = muon.param_groups[0]["params"]
    wanted = [layer.weight for layer in decoder.modules() if isinstance(layer, torch.nn.Linear)]
    assert {*map(id, moved)} == {id(p) for p in wanted if p is not decoder.output.weight}
    rest = {id(p) for p in adam.param_groups[0]["params"]}
    assert rest == {id(p) for p in [*mine, *other.parameters()]} - {*map(id, moved)}
    rates = [set_learning_rate(optimizer, stage, 49) for optimizer in (adam, muon)]
    assert rates == [pytest.approx(5e-4)] * 2
    found = [optimizer.param_groups[0]["lr"] for optimizer in (adam, muon)]
    assert found == [pytest.approx(5e-4), pytest.approx(1.5e-3)]


@pytest.mark.parametrize("muon", [0.0, 3.0])
def test_conditioning_goes_at_its_own_pace_under_a_wavenet(muon):
    decoder, told = decoder_of(4, harmonics=2), torch.nn.Linear(3, 2)
    both = [*told.parameters(), *decoder.parameters()]
    stage = StageConfig("waveform", 900, learning_rate=1e-3, warmup=0, muon=muon, conditioning=0.1)
    found = optimizers(both, decoder, stage, 0.0)
    for optimizer in found:
        set_learning_rate(optimizer, stage, 0)
    groups = [group for optimizer in found for group in optimizer.param_groups]
    rates = {id(p): group["lr"] for group in groups for p in group["params"]}
    assert len(rates) == len(both)
    assert [rates[id(p)] for p in told.parameters()] == [pytest.approx(1e-4)] * 2
    matrices = {id(p) for p in decoder.parameters() if p.ndim == 2}
    for p in decoder.parameters():
        assert rates[id(p)] == pytest.approx(3e-3 if muon and id(p) in matrices else 1e-3)
    other = optimizers(both, decoder, replace(stage, conditioning=1.0), 0.0)[0]
    assert len(other.param_groups) == 1


def test_a_step_of_muon_is_as_large_as_one_of_adam():
    """In each entry, whatever the gradient's size."""
    decoder = decoder_of(4, width=32, channels=32)
    stage = StageConfig("joint", 900, warmup=0, learning_rate=1e-3, muon=1.0)
    weight = decoder.stack.gates[0].weight
    muon = optimizers([weight, decoder.hidden.bias], decoder, stage, 0.0)[-1]
    set_learning_rate(muon, stage, 0)
    before = weight.detach().clone()
    weight.grad = 1e-4 * torch.randn_like(weight)
    muon.step()
    moved = (weight.detach() - before).square().mean().sqrt()
    assert 1e-4 < float(moved) < 4e-4
