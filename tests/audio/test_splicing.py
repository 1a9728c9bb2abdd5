import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vqspeech.audio.splicing import Splice, replaced

FILE = bytes(range(40))


@given(st.integers(0, 30), st.binary(min_size=1, max_size=6), st.integers(1, 7))
def test_replaced_bytes(offset, replacement, size):
    splice = Splice(io.BytesIO(FILE), replaced(0, 40, {offset: replacement}))
    expected = FILE[:offset] + replacement + FILE[offset + len(replacement) :]
    assert b"".join(iter(lambda: splice.read(size), b"")) == expected
    splice.seek(0)
    assert splice.read() == expected


@given(st.lists(st.one_of(st.binary(max_size=5), st.builds(range, st.integers(0, 40)))), st.data())
def test_any_pieces_from_anywhere(pieces, data):
    expected = b"".join(p if isinstance(p, bytes) else FILE[p.start : p.stop] for p in pieces)
    splice = Splice(io.BytesIO(FILE), pieces)
    assert splice.seek(0, 2) == len(expected)
    for _ in range(5):
        whence = data.draw(st.integers(0, 2))
        offset = data.draw(st.integers(-50, 50) | st.integers(-(1 << 63), (1 << 63) - 1))
        at = splice.seek(offset, whence)  # libsndfile may ask for any offset of a broken file
        assert at == splice.tell() >= 0
        size = data.draw(st.integers(0, 50))
        assert splice.read(size) == expected[at : at + size]


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("closed"), KeyboardInterrupt()])
def test_errors_are_kept_not_raised(error):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise error

    splice = Splice(Broken(FILE), [b"abc", range(10)])
    assert splice.readinto(bytearray(8)) == 3
    assert splice.error is error
