"""Codes are told by their first bytes, and by their name only where these say nothing."""

import pytest

from vqspeech.codes.kinds import NPY, VQS, kind_by, kind_of


@pytest.mark.parametrize(
    ("content", "name", "kind"),
    [
        (b"VQS\1rest", "x.bin", VQS),
        (b"VQS\1rest", "x.npy", VQS),
        (b"\x93NUMPY\1\0", "x", NPY),
        (b"\x93NUMPY\1\0", "x.vqs", NPY),
        (b"damaged", "x.VQS", VQS),
        (b"", "x.NPY", NPY),
        (b"RIFF", "x.wav", ""),
    ],
)
def test_kinds(tmp_path, content, name, kind):
    assert kind_of(tmp_path / name) == kind_by(b"", name), "not there: its name is all there is"
    (tmp_path / name).write_bytes(content)
    assert kind_of(tmp_path / name) == kind_of(f"{tmp_path}/{name}") == kind
    assert kind_by(content, name) == kind
    assert kind_of(tmp_path) == kind_of("a\0b") == "", "a folder, and what is no name"
