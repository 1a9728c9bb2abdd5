"""Reading plain `.npy` files of codes. NumPy only.

A `.npy` file of codes is a `uint16` array that `numpy.load` reads as it is: [F], one index a frame,
or, of several levels, [levels, F].
It is read here without `numpy.load`: a file may be hostile, so its header is checked against the
size of the file before memory is taken, and nothing is ever unpickled.
"""

import io
import os
import warnings
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from vqspeech.audio.signal import samples_for
from vqspeech.codes.codes import MAX_FRAMES, MOST_LEVELS, Codes, check_range
from vqspeech.errors import InputError
from vqspeech.files import opened_or_given

MAX_HEADER_BYTES = 10_000
"""A `.npy` header of one plain array takes 128."""

BLOCK_VALUES = 1 << 20
"""Indices converted at once, so that wide integers cannot take memory."""

SOUNDS = (b"RIFF", b"RF64", b"FORM", b"fLaC", b"OggS", b"ID3", b".snd")
"""What recordings begin with, most of them."""

HEADER_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
"""By version of the format. Version 3 is only ever written for records with named fields."""


def load_npy(
    path: str | os.PathLike | BinaryIO, hop: int, codebook_size: int, model: str | None = None
) -> Codes:
    """Read a `.npy` file (a binary file object too) of any integer type, [F] or [levels, F], as
    codes of a model.

    hop (samples a code), codebook_size and model (its name) are the model's: the file has none of
    them. `samples` of the result is frames * hop. Raises InputError for a file that is missing,
    not a regular file, empty, not `.npy`, pickled, of another shape or type, cut off, longer than
    its header says, or that holds a code which the model has not.
    """
    with opened_or_given(path, "a codes file") as (name, file, size):
        indices = _read(name, file, size, codebook_size)
    frames = indices.shape[-1]
    return Codes(indices, samples_for(frames, hop), hop, model, size=codebook_size)


def npy_levels(path: str | os.PathLike) -> int:
    """Levels of a file of codes, as its header says; the codes are not read. Raises InputError as
    `load_npy` does for that."""
    with opened_or_given(path, "a codes file") as (name, file, size):
        return max(1, _read_header(name, file, size).levels)


class _Layout(NamedTuple):
    """What a header says: levels (0: the array has one dimension), frames, type of the values, in
    whose order they stand, and where they begin."""

    levels: int
    frames: int
    dtype: np.dtype
    by_frame: bool
    start: int

    @property
    def values(self) -> int:
        return max(1, self.levels) * self.frames


def _read(path: str, file: BinaryIO, size: int, codebook_size: int) -> np.ndarray:
    """Indices uint16 [F] or [levels, F]."""
    found = _read_header(path, file, size)
    if found.frames > MAX_FRAMES:
        raise InputError(f"{path}: has more than {MAX_FRAMES} codes; cut it into shorter files")
    file.seek(found.start)
    out = np.empty(found.values, np.uint16)
    for first in range(0, found.values, BLOCK_VALUES):
        count = min(BLOCK_VALUES, found.values - first)
        data = file.read(count * found.dtype.itemsize)
        if len(data) < count * found.dtype.itemsize:
            raise InputError(f"{path}: became shorter while it was read; try again")
        block = np.frombuffer(data, found.dtype)
        if not found.levels:
            check_range(path, block, codebook_size, first)
        elif block.min() < 0 or block.max() >= codebook_size:  # which frame is not known yet
            raise InputError(
                f"{path}: has codes beyond the model's, 0 to {codebook_size - 1}; "
                "use the model that made the file"
            )
        out[first : first + count] = block
    if not found.levels:
        return out
    shape = found.levels, found.frames
    return out.reshape(shape, order="F" if found.by_frame else "C")


def _read_header(path: str, file: BinaryIO, size: int) -> _Layout:
    """What the header says, believed only if the file has exactly that size."""
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
            shape, by_frame, dtype = HEADER_READERS[version](head, max_header_size=MAX_HEADER_BYTES)
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
    if len(shape) not in (1, 2):
        raise InputError(
            f"{path}: has {len(shape)} dimensions, codes have one, or two of several levels; "
            "save each recording's codes in a file of its own"
        )
    levels, frames = (0, *shape)[-2:]
    if len(shape) == 2 and not 0 < levels <= MOST_LEVELS:
        turned = levels > MOST_LEVELS >= frames > 0
        turned = " (are they turned? codes are [levels, frames])" if turned else ""
        raise InputError(
            f"{path}: has {_number(levels)} levels, codes have 1 to {MOST_LEVELS}{turned}; "
            "save them as [levels, frames]"
        )
    found = _Layout(levels, frames, dtype, by_frame, head.tell())
    if frames == 0:
        raise InputError(f"{path}: has no codes; encode the recording again")
    missing = found.start + found.values * dtype.itemsize - size
    if frames < 0 or missing > 0:
        # The declared number is not printed: it may have thousands of digits.
        raise InputError(
            f"{path}: is cut off or damaged (its header declares other than the "
            f"{size - found.start} bytes of codes that it has); encode or copy it again"
        )
    if missing < 0:
        raise InputError(
            f"{path}: has {-missing} bytes after its {frames} codes; encode or copy it again"
        )
    return found


def _number(value: int) -> str:
    """A number of a header, which may have thousands of digits."""
    return str(value) if 0 <= value < 10**6 else "impossibly many"


def _guess(start: bytes) -> str:
    """What a file that is not `.npy` may be, and what to do."""
    if start.startswith(b"PK"):
        return " but a .npz or zip archive; save one array with numpy.save"
    if start.startswith(b"\x80"):
        return " but a pickle, which is never loaded; save the codes with numpy.save"
    if start.startswith(SOUNDS):
        return " but a recording; make codes of it with `vqspeech encode`"
    return "; make one with `vqspeech encode`"


def _not_codes(path: str, what: str) -> InputError:
    return InputError(
        f"{path}: holds {what}, codes are whole numbers; "
        "save it with numpy.save(path, codes.astype(numpy.uint16))"
    )
