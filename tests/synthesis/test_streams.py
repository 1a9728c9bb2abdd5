"""Streams of codes: those of the whole, the samples of the whole, as soon as they can be known."""

import numpy as np
import pytest
import torch
from lively import noise, with_codes_in_use

from vqspeech import Codes, InputError
from vqspeech.audio.level import level_gain
from vqspeech.errors import InputWarning
from vqspeech.nn import quantizer
from vqspeech.synthesis import rendering


@pytest.fixture(scope="module", params=["tiny_model", "paired_model", "pitched_model"])
def codec(request):
    return with_codes_in_use(request.getfixturevalue(request.param))


def cut(wave, sizes):
    """`wave` in blocks of `sizes` in turn."""
    at, turn = 0, 0
    while at < len(wave):
        size = sizes[turn % len(sizes)]
        yield wave[at : at + size]
        at, turn = at + size, turn + 1


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100])
@pytest.mark.parametrize("sizes", [(1, 5), (0, 160), (4000, 333), (100_000,)])
def test_a_streams_codes_are_those_of_the_whole(codec, rate, sizes):
    wave = noise(3001 if sizes == (1, 5) else 60_003)
    whole = codec.encode(wave, rate)
    stream = codec.encode_stream(cut(wave, sizes), rate, level_gain(wave, rate))
    parts = list(stream)
    assert all(part.dtype == np.uint16 for part in parts)
    np.testing.assert_array_equal(np.concatenate(parts), whole.indices)
    assert stream.samples == whole.samples and next(stream, None) is None
    assert stream.samples == whole.samples


def test_without_a_gain_blocks_do_not_matter(codec):
    wave = noise(100_000) * np.repeat(np.float32([0.1, 1]), 50_000)
    one = codec.joined(codec.encode_stream([wave]))
    other = codec.joined(codec.encode_stream(cut(wave, (777, 3000))))
    np.testing.assert_array_equal(one.indices, other.indices)


def test_ties_are_decided_alike_in_every_company(codec, monkeypatch):
    """As if every frame were a tie: each code is decided by what its frame can see."""
    wave = noise(20_000)
    plain = codec.encode(wave)
    monkeypatch.setattr(quantizer, "TIE", 10.0)
    decided, decide = [], codec.model._decide
    monkeypatch.setattr(codec.model, "_decide", lambda *a: decided.append(a) or decide(*a))
    whole = codec.encode(wave)
    assert decided
    np.testing.assert_array_equal(whole.indices, plain.indices)
    stream = codec.encode_stream(cut(wave, (900,)), gain=level_gain(wave))
    np.testing.assert_array_equal(codec.joined(stream).indices, whole.indices)
    together = codec.encode_many([wave, noise(9000, seed=1)])
    np.testing.assert_array_equal(together[0].indices, whole.indices)


def test_codes_that_are_one_vector_are_no_tie(codec):
    book = codec.model.quantizer.books[0]
    z_e = torch.zeros(1, book.codebook.shape[1], 3)
    twin = book.codebook.detach().clone()
    twin[:] = twin[0]
    book_of_twins = quantizer.VectorQuantizer(book.config).eval()
    book_of_twins.codebook.data.copy_(twin)
    assert not book_of_twins.encode_with_ties(z_e)[1].any()


def test_codes_come_before_the_end(codec):
    """In the order in which the blocks are asked for, not by the clock."""
    given = []

    def blocks():
        for block in cut(noise(48_000), (160,)):
            given.append(len(block))
            yield block

    next(codec.encode_stream(blocks(), gain=1.0))
    assert sum(given) <= (codec.model.encoder.context_frames + 2) * 320 + 0.2 * 16_000


def test_blocks_of_a_stream_are_of_any_kind(codec):
    wave = (noise(9000) * 2.0**31).astype(np.int32)
    wave[3000:6000] >>= 16  # a pause
    gain = level_gain(wave / np.float32(2**31))
    whole = codec.encode(wave, voice=False)
    blocks = [wave[:3000], torch.from_numpy(wave[3000:6000]), torch.zeros(0), wave[6000:]]
    stream = codec.encode_stream(blocks, gain=gain)
    found = codec.joined(stream)
    with pytest.warns(InputWarning, match="reach only .* of 2.31; give it as int16"):
        list(codec.encode_stream([block >> 16 for block in (wave[:3000], wave[6000:])], gain=gain))
    np.testing.assert_array_equal(found.indices, whole.indices)
    with pytest.raises(InputError, match="read already"):
        codec.joined(stream)
    with pytest.raises(InputError, match="encode_stream"):
        codec.joined(found)
    for one in (wave, torch.zeros(3000, 2), "in.wav", None):
        with pytest.raises(InputError, match="give a list or an iterator"):
            codec.encode_stream(one)


@pytest.mark.parametrize("gain", [0, -1.0, float("nan"), float("inf")])
def test_impossible_gains(codec, gain):
    with pytest.raises(InputError, match="gain"):
        codec.encode_stream([noise(100)], gain=gain)


@pytest.mark.parametrize("blocks", [[], [np.zeros(0, "f4")]])
def test_a_stream_of_nothing(codec, blocks):
    with pytest.raises(InputError, match="no samples"):
        list(codec.encode_stream(blocks))


def test_a_bad_block_is_refused_when_it_comes(codec):
    stream = codec.encode_stream([noise(30_000), np.array([np.nan], "f4")], gain=1.0)
    assert len(next(stream))
    with pytest.raises(InputError, match="NaN"):
        list(stream)


SHAPES = {
    "numbers": lambda indices: map(int, indices),
    "lists": lambda indices: (part.tolist() for part in np.array_split(indices, 5)),
    "arrays": lambda indices: np.array_split(indices.astype(np.int64), 9),
    "one array": lambda indices: indices,
    "with empty ones": lambda indices: [indices[:3], [], indices[3:]],
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("options", [{}, {"postfilter": False}, {"preview": True}], ids=str)
def test_a_streams_samples_are_those_of_the_whole(codec, monkeypatch, shape, options):
    monkeypatch.setattr(rendering, "PREVIEW_SECONDS", 0.3)
    codes = codec.encode(noise(320 * 60))
    whole = codec.decode(codes, "anna", seed=2, **options)
    blocks = list(codec.decode_stream(SHAPES[shape](codes.indices), "anna", seed=2, **options))
    assert all(block.dtype == np.float32 for block in blocks)
    np.testing.assert_array_equal(np.concatenate(blocks), whole)


@pytest.mark.parametrize("preview", [False, True])
@pytest.mark.parametrize("samples", [1, 320, 321, 20_007])
def test_from_a_recording_to_a_recording(codec, samples, preview):
    wave = noise(samples)
    whole = codec.decode(codec.encode(wave), "anna", preview=preview)
    stream = codec.encode_stream([wave], gain=level_gain(wave))
    blocks = codec.decode_stream(stream, "anna", preview=preview)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), whole)


@pytest.mark.parametrize(("options", "seconds"), [({}, 2.0), ({"postfilter": False}, 0.7)])
def test_samples_come_before_the_end(codec, options, seconds):
    given = []

    def codes():
        for code in np.tile([0, 1, 2, 3], 50):
            given.append(code)
            yield code

    next(codec.decode_stream(codes(), "anna", **options))
    assert len(given) * 320 / 16_000 <= seconds


@pytest.mark.parametrize(
    ("codes", "word"),
    [
        ([], "no codes"),
        ([[0, 1], [4]], "frame 2 has code 4"),
        ([[0, -1]], "code -1"),
        ([0.5], "whole numbers"),
        ([[[[0]]]], "whole numbers"),
        (["x"], "whole numbers"),
        ([[[0, 1], [2]]], "part of the stream cannot be taken as an array"),
        (Codes([0], 320, 320, "feed"), "made by model feed"),
        (7, "iterator"),
    ],
)
def test_what_is_no_stream_of_codes(codec, codes, word):
    with pytest.raises(InputError, match=word):
        list(codec.decode_stream(codes, "anna"))


def test_a_wrong_voice_is_refused_before_a_code_is_asked_for(codec):
    def codes():
        raise AssertionError
        yield

    with pytest.raises(InputError, match="nobody"):
        codec.decode_stream(codes(), "nobody")
