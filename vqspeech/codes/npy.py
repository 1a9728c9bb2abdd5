"""Reading plain `.npy` files of codes. NumPy only.

A `.npy` file of codes is a 1-D `uint16` array, one index a frame, that `numpy.load` reads as it is.
It is read here without `numpy.load`: a file may be hostile, so its header is checked against the
size of the file before memory is taken, and nothing is ever unpickled.
"""

import io
import os
import warnings
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from vqspeech.audio.signal import samples_for
from vqspeech.codes.codes import MAX_FRAMES, Codes, check_range
from vqspeech.errors import InputError
from vqspeech.files import opened_or_given

MAX_HEADER_BYTES = 10_000
"""A `.npy` header of one plain array takes 128."""

BLOCK_VALUES = 1 << 20
"""Indices converted at once, so that wide integers cannot take memory."""

HEADER_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
"""By version of the format. Version 3 is only ever written for records with named fields."""


def load_npy(
    path: str | os.PathLike | BinaryIO, hop: int, codebook_size: int, model: str | None = None
) -> Codes:
    """Read a 1-D `.npy` file (a binary file object too) of any integer type as codes of a model.

    hop (samples a code), codebook_size and model (its name) are the model's: the file has none of
    them. `samples` of the result is frames * hop. Raises InputError for a file that is missing,
    not a regular file, empty, not `.npy`, pickled, of another shape or type, cut off, longer than
    its header says, or that holds a code which the model has not.
    """
    with opened_or_given(path, "a codes file") as (name, file, size):
        indices = _read(name, file, size, codebook_size)
    return Codes(indices, samples_for(len(indices), hop), hop, model)


def _read(path: str, file: BinaryIO, size: int, codebook_size: int) -> np.ndarray:
    frames, dtype, start = _read_header(path, file, size)
    if frames > MAX_FRAMES:
        raise InputError(f"{path}: has more than {MAX_FRAMES} codes; cut it into shorter files")
    file.seek(start)
    out = np.empty(frames, np.uint16)
    for first in range(0, frames, BLOCK_VALUES):
        count = min(BLOCK_VALUES, frames - first)
        data = file.read(count * dtype.itemsize)
        if len(data) < count * dtype.itemsize:
            raise InputError(f"{path}: became shorter while it was read; try again")
        block = np.frombuffer(data, dtype)
        check_range(path, block, codebook_size, first)
        out[first : first + count] = block
    return out


def _read_header(path: str, file: BinaryIO, size: int) -> tuple[int, np.dtype, int]:
    """(frames, type, offset of the data), believed only if the file has exactly that size."""
    # From a small copy of the file's start: a header that claims gigabytes finds its end at once.
    head = io.BytesIO(file.read(MAX_HEADER_BYTES + 16))
    if not head.getvalue().startswith(npy_format.MAGIC_PREFIX):
        raise InputError(f"{path}: is not a .npy file{_guess(head.getvalue())}")
    try:
        version = npy_format.read_magic(head)
        if version == (3, 0):
            raise _not_codes(path, "records")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about files that Python 2 wrote, which are welcome
            shape, _, dtype = HEADER_READERS[version](head, max_header_size=MAX_HEADER_BYTES)
    except InputError:
        raise
    except Exception:  # what a hostile header can make NumPy's parser raise is not documented
        raise InputError(
            f"{path}: has a damaged or oversized .npy header; encode or copy it again"
        ) from None
    if dtype.hasobject:
        raise InputError(
            f"{path}: holds pickled Python objects, which are never loaded; "
            "save it with numpy.save(path, codes.astype(numpy.uint16))"
        )
    if dtype.kind not in "iu":
        raise _not_codes(path, f"{dtype} values" if dtype.kind in "fcb" else "other data")
    if len(shape) != 1:
        raise InputError(
            f"{path}: has {len(shape)} dimensions, codes have one; "
            "save each recording's codes in a file of its own"
        )
    frames, start = shape[0], head.tell()
    if frames == 0:
        raise InputError(f"{path}: has no codes; encode the recording again")
    missing = start + frames * dtype.itemsize - size
    if frames < 0 or missing > 0:
        # The declared number is not printed: it may have thousands of digits.
        raise InputError(
            f"{path}: is cut off or damaged (its header declares other than the {size - start} "
            "bytes of codes that it has); encode or copy it again"
        )
    if missing < 0:
        raise InputError(
            f"{path}: has {-missing} bytes after its {frames} codes; encode or copy it again"
        )
    return frames, dtype, start


def _guess(start: bytes) -> str:
    """What a file that is not `.npy` may be, and what to do."""
    if start.startswith(b"PK"):
        return " but a .npz or zip archive; save one array with numpy.save"
    if start.startswith(b"\x80"):
        return " but a pickle, which is never loaded; save the codes with numpy.save"
    return "; make one with `vqspeech encode`"


def _not_codes(path: str, what: str) -> InputError:
    return InputError(
        f"{path}: holds {what}, codes are whole numbers; "
        "save it with numpy.save(path, codes.astype(numpy.uint16))"
    )
