"""Recordings as callers give them."""

import numpy as np
import pytest
import torch
from lively import noise

from vqspeech.errors import InputError, InputWarning
from vqspeech.synthesis import waves
from vqspeech.synthesis.waves import as_mono, as_monos, as_rate

WAVE = noise(3000)


def close(given, tolerance=0.0):
    found = as_mono(given)
    assert found.dtype == np.float32 and found.ndim == 1
    np.testing.assert_allclose(found, WAVE, atol=tolerance)


def test_channels_first_and_last():
    for given in (
        WAVE,
        WAVE[None],
        np.stack([WAVE, WAVE]),
        WAVE[:, None],
        np.stack([WAVE] * 6, 1),
        torch.from_numpy(WAVE)[None],
        torch.from_numpy(WAVE).expand(2, -1),
    ):
        close(given, 1e-7)
    left_only = np.stack([WAVE, np.zeros_like(WAVE)])
    np.testing.assert_array_equal(as_mono(left_only), as_mono(left_only.T))
    assert len(as_mono(np.ones((1, 1)))) == 1


@pytest.mark.parametrize(
    "shape", [(3, 3000), (16, 3000), (100, 200), (3000, 64), (2, 2), (1, 5), (1, 1, 3000), (0, 2)]
)
def test_shapes_that_may_be_meant_otherwise(shape):
    with pytest.raises(InputError, match=r"recording .*\["):
        as_mono(np.zeros(shape, np.float32))


def test_layouts_in_memory():
    close(WAVE[::-1].copy()[::-1])
    close(np.repeat(WAVE, 2)[::2])
    close(np.asfortranarray(np.stack([WAVE, WAVE], 1)), 1e-7)
    close(WAVE.astype(">f4"))
    fixed = WAVE.copy()
    fixed.flags.writeable = False
    close(fixed)
    as_mono(fixed)[0] = 1.0  # the caller's own samples are never changed
    kept = WAVE.copy()
    as_mono(kept)[:] = 0
    np.testing.assert_array_equal(kept, WAVE)


def test_types():
    for kind, tolerance in (("f8", 0), ("f2", 1e-3), (np.longdouble, 0)):
        close(WAVE.astype(kind), tolerance)
    close(torch.tensor(WAVE, requires_grad=True))
    close(torch.from_numpy(WAVE).bfloat16(), 2e-3)
    close(WAVE.tolist())
    short = np.round(WAVE * 32768).astype(np.int16)
    for given in (short, short.astype(">i2"), short.astype(np.int32) << 16, torch.tensor(short)):
        close(given, 2e-5)
    close(np.round(WAVE * 128 + 128).astype(np.uint8), 5e-3)
    assert not as_mono(np.zeros(10, np.int32)).any()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.round(WAVE * 32768).astype(np.int32), "give it as int16"),
        (np.zeros(100, np.int64), "not int64"),
        (np.zeros(100, np.uint16), "not uint16"),
        (np.zeros(100, bool), "not bool"),
        (WAVE.astype(complex), "not complex128"),
        (np.array([1.0, None]), "not object"),
        ((WAVE, 16_000), "two arguments"),
        ((torch.from_numpy(WAVE)[None], 16_000), "two arguments"),
        ("in.wav", "encode_file"),
        (b"\0\0", "numpy.frombuffer"),
        (None, "not None"),
        (3.0, "not 3.0"),
        (np.array([1e300, 0.0]), "NaN or infinite"),
        (np.array([0.0, np.nan]), "NaN or infinite"),
        (np.array([[0.0, np.inf]] * 9), "NaN or infinite"),
        (np.ma.masked_greater(WAVE, 0.1), "masked"),
    ],
    ids=lambda given: "" if not isinstance(given, str) else given,
)
def test_what_is_no_recording(given, words):
    with pytest.raises(InputError, match=words) as caught:
        as_mono(given)
    assert "\n" not in str(caught.value)


def test_rates():
    assert as_rate(44100.0) == as_rate(np.int32(44100)) == as_rate(torch.tensor(44100)) == 44100
    for rate in (0, -1, 1, 10**9, "16000", None, 16000.5, (WAVE, 16000)):
        with pytest.raises(InputError, match="rate .* whole number of Hz in 1000..1000000"):
            as_rate(rate)


@pytest.mark.parametrize("turned", [False, True])
def test_parts_of_a_recording(turned):
    """Of any sizes: they are what they are in the whole."""
    whole = (WAVE[:, None] * np.array([2**29, -(2**30)])).astype(np.int32)
    whole[40:] >>= 20  # as quiet as no int32 would be, were it all
    given = [part.T if turned else part for part in np.split(whole, [40, 40, 45, 46, 48])]
    given.insert(1, torch.zeros(0))
    found = list(as_monos(given))
    assert [len(part) for part in found] == [40, 5, 1, 2, len(WAVE) - 48]
    np.testing.assert_array_equal(np.concatenate(found), as_mono(whole))


@pytest.mark.parametrize("turned", [False, True])
def test_first_parts_that_are_short_wait_for_one_that_is_not(turned):
    """Each of them, alone, might have its channels on either axis."""
    whole = WAVE[:, None] * np.float32([0.5, 0.25])
    given = [part.T if turned else part for part in np.split(whole, [1, 2, 4, 5, 200])]
    taken = []
    found = as_monos(taken.append(len(taken)) or part for part in given)
    assert [len(next(found)) for _ in range(5)] == [1, 1, 2, 1, 195] and len(taken) == 5
    np.testing.assert_array_equal(np.concatenate(list(as_monos(given))), as_mono(whole))


def test_parts_that_are_all_short(monkeypatch):
    """Nobody knows what they are; a stream of them is not collected for ever."""
    monkeypatch.setattr(waves, "MOST_HELD", 5)
    taken = []
    for number in (3, 100):
        parts = (taken.append(i) or np.zeros((2, 2), np.float32) for i in range(number))
        with pytest.raises(InputError, match=r"not \[2, 2\]"):
            list(as_monos(parts))
    assert len(taken) == 3 + 6
    for size in (1, 2):
        found = as_monos([np.zeros((size, 1)), np.zeros((100, 1))])
        assert [len(part) for part in found] == [size, 100]


@pytest.mark.parametrize("given", [np.stack([WAVE, -WAVE]), np.stack([WAVE, -0.9 * WAVE], 1)])
def test_channels_that_cancel_each_other_out_are_warned_of(given):
    with pytest.warns(InputWarning, match="channels cancel"):
        as_mono(given)
    with pytest.warns(InputWarning, match="channels cancel") as caught:
        list(as_monos([given.T[:2000], given.T[2000:]] if len(given) == 2 else [given]))
    assert len(caught) == 1


@pytest.mark.filterwarnings("error")
def test_channels_that_have_nothing_in_common_do_not():
    as_mono(np.random.default_rng(0).standard_normal((3000, 32)) / 10)
    as_mono(np.zeros((3000, 2)))
    as_mono(np.stack([WAVE, np.zeros_like(WAVE)]))
