"""What callers in Python give: taken where it can only be meant so, else refused in a line."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import torch

from vqspeech.arguments import for_each, plain_array, real, shown, switch, whole
from vqspeech.errors import InputError


@pytest.mark.parametrize(
    "value", [3, 3.0, np.int8(3), np.float32(3), np.array(3), torch.tensor(3), torch.tensor(3.0)]
)
def test_whole_numbers_of_any_type(value):
    found = whole("n", value, 1, 5)
    assert found == 3 and type(found) is int


@pytest.mark.parametrize(
    "value", [0, 6, 2.5, "3", None, True, np.bool_(True), [3], float("nan"), float("inf"), b"3"]
)
def test_what_is_no_whole_number(value):
    with pytest.raises(InputError, match=r"^n .*must be a whole number of Hz in 1\.\.5$"):
        whole("n", value, 1, 5, "Hz")


@pytest.mark.parametrize("value", [1, 1.0, np.float16(1), torch.tensor(1.0)])
def test_numbers_of_any_type(value):
    found = real("x", value, 0, 2)
    assert found == 1.0 and type(found) is float


@pytest.mark.parametrize(
    "value", [-0.1, 2.1, "1", None, True, [1.0], float("nan"), float("inf"), 1j, Decimal(1)]
)
def test_what_is_no_number(value):
    with pytest.raises(InputError, match="x .* must be a number in 0..2"):
        real("x", value, 0, 2)
    with pytest.raises(InputError, match="above 0 and at most 2"):
        real("x", 0, 0, 2, above=True)


def test_switches():
    assert switch("s", True) is True and switch("s", np.bool_(False)) is False
    for value in ("no", 1, 0, None, [True]):
        with pytest.raises(InputError, match="True or False"):
            switch("s", value)


def test_one_for_all_or_one_for_each():
    assert for_each("rates", 8000, 3) == [8000] * 3
    assert for_each("speakers", "anna", 4) == ["anna"] * 4  # not its letters
    assert for_each("speakers", Path("a.safetensors"), 1) == [Path("a.safetensors")]
    assert for_each("speakers", None, 2) == [None, None]
    assert for_each("rates", (1, 2), 2) == for_each("rates", np.array([1, 2]), 2) == [1, 2]
    with pytest.raises(InputError, match="3 rates for 2 recordings"):
        for_each("rates", [1, 2, 3], 2)


def test_arrays_of_anything_that_has_numbers():
    values = np.array([1.0, -2.0], np.float32)
    for given in (
        values,
        values.tolist(),
        memoryview(values),
        np.ma.array(values),
        torch.tensor(values, requires_grad=True),
        torch.tensor(values).bfloat16(),
        torch.tensor(values).half(),
    ):
        np.testing.assert_array_equal(plain_array("x", given), values)


@pytest.mark.parametrize(
    "given",
    [
        np.ma.masked_less(np.arange(3), 1),
        [[1.0, 2.0], [3.0]],
        torch.zeros(3).to_sparse(),
        torch.zeros(3, device="meta"),
    ],
    ids=["masked", "ragged", "sparse", "meta"],
)
def test_arrays_that_cannot_be_taken(given):
    with pytest.raises(InputError, match="^x ") as caught:
        plain_array("x", given)
    assert "\n" not in str(caught.value)


def test_a_wrong_value_is_shown_on_one_short_line():
    text = shown(np.zeros((30, 30)))
    assert "\n" not in text and len(text) < 70
