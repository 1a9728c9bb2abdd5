import json

import pytest
import torch
from safetensors.torch import save_file

from vqspeech.errors import InputError
from vqspeech.training.state import STATE_FILE, Position, load_position, load_weights


def write(folder, position, **tensors):
    about = {} if position is None else {"position": json.dumps(position)}
    save_file(tensors or {"x": torch.zeros(1)}, folder / STATE_FILE, about)


def test_position_survives(tmp_path):
    write(tmp_path, {"stage": "joint", "step": 7, "average_updates": 7, "before": {"codes": 3}})
    position = load_position(tmp_path)
    assert position == Position("joint", 7, 7, 0.0, {"codes": 3})
    assert position.trained == {"codes": 3, "joint": 7}


def test_no_state_is_no_position(tmp_path):
    assert load_position(tmp_path) is None


@pytest.mark.parametrize(
    "position",
    [
        None,
        [],
        {},
        {"stage": "codes", "steps": 3},
        {"stage": "codes", "step": "3"},
        {"stage": "codes", "step": -1},
        {"stage": "codes", "step": 1.5},
        {"stage": "codes", "step": 1, "seconds": float("nan")},
        {"stage": "codes", "step": 1, "before": [1]},
        {"stage": "codes", "step": 1, "before": {"codes": None}},
    ],
)
def test_impossible_positions(tmp_path, position):
    write(tmp_path, position)
    with pytest.raises(InputError, match=f"{STATE_FILE}: cannot be resumed") as caught:
        load_position(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "tensors",
    [
        {"model.weight": torch.zeros(2, 2)},
        {"model.weight": torch.zeros(3, 2), "model.bias": torch.zeros(2)},
        {"model.weight": torch.zeros(2, 2), "model.bias": torch.zeros(2), "model.x": torch.ones(1)},
    ],
)
def test_weights_that_do_not_fit(tmp_path, tensors):
    write(tmp_path, {"stage": "codes", "step": 1}, **tensors)
    with pytest.raises(InputError, match="does not fit the configuration or the corpus") as caught:
        load_weights(tmp_path, torch.nn.Linear(2, 2), [])
    assert "\n" not in str(caught.value)


def test_weights_as_they_stood_and_as_they_are_handed_on(tmp_path):
    layer = torch.nn.Linear(2, 2)
    stood = {"model.weight": torch.ones(2, 2), "model.bias": torch.ones(2)}
    write(tmp_path, {"stage": "codes"}, **stood, **{"average.weight": torch.full((2, 2), 5.0)})
    load_weights(tmp_path, layer, [])
    assert layer.weight.tolist() == [[1, 1], [1, 1]] and layer.bias.tolist() == [1, 1]
    load_weights(tmp_path, layer, [], averaged=True)
    assert layer.weight.tolist() == [[5, 5], [5, 5]] and layer.bias.tolist() == [1, 1]
