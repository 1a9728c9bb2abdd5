import copy

import pytest
import torch
from torch import nn

from vqspeech.training.average import WeightAverage


def model_of(value):
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with torch.no_grad():
        for tensor in model.state_dict().values():
            tensor.fill_(value)
    return model


def test_decay_starts_low_and_ends_at_the_one_asked_for():
    model, average = model_of(0.0), WeightAverage(model_of(0.0), 0.5)
    wanted = 0.0
    for step in range(1, 40):
        value = float(step % 7)
        with torch.no_grad():
            model[0].weight.fill_(value)
        average.update(model)
        decay = min(0.5, (1 + step) / (10 + step))
        wanted = decay * wanted + (1 - decay) * value
        torch.testing.assert_close(average.weights["0.weight"], torch.full((2, 2), wanted))
    assert average.updates == 39


def test_random_initial_weights_leave_at_once():
    model, average = model_of(1.0), WeightAverage(model_of(1000.0), 0.9999)
    for _ in range(20):
        average.update(model)
    assert float(average.weights["0.weight"][0, 0]) < 1.1


def test_buffers_are_averaged_and_whole_numbers_left_alone():
    average = WeightAverage(model_of(0.0), 0.0)
    average.update(model_of(4.0))
    assert bool((average.weights["1.running_mean"] > 0).all())
    assert "1.num_batches_tracked" not in average.weights
    target = model_of(9.0)
    average.copy_to(target)
    assert int(target[1].num_batches_tracked) == 9
    assert torch.equal(target[1].running_mean, average.weights["1.running_mean"])


def test_constant_weights_stay_as_they_are_to_the_bit():
    model = model_of(0.1234567)
    average = WeightAverage(model, 0.999)
    for _ in range(50):
        average.update(model)
    assert torch.equal(average.weights["0.weight"], model[0].weight)


@pytest.mark.parametrize("fails", [False, True])
def test_applied_gives_everything_back(fails):
    model = model_of(5.0).train()
    model[1].eval()  # a part that is frozen stays frozen
    average = WeightAverage(model_of(2.0), 0.9)
    before = copy.deepcopy(model.state_dict())
    try:
        with average.applied(model):
            assert float(model[0].weight[0, 0].detach()) == 2.0
            assert not any(module.training for module in model.modules())
            if fails:
                raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert [model.training, model[0].training, model[1].training] == [True, True, False]
    assert float(average.weights["0.weight"][0, 0]) == 2.0
