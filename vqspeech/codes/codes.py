"""Codes: what the encoder makes and the decoder needs. Plain `.npy` files in and out. NumPy only.

A `.npy` file of codes is a 1-D `uint16` array, one index a frame, that `numpy.load` reads as it is.
It is read here without `numpy.load`: a file may be hostile, so its header is checked against the
size of the file before memory is taken, and nothing is ever unpickled.
"""

import io
import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy_format

from vqspeech.audio.signal import SAMPLE_RATE, frames_for, samples_for
from vqspeech.errors import InputError
from vqspeech.files import output_file

MAX_CODEBOOK = 1 << 16
"""Codes that a uint16 can name."""

MAX_FRAMES = 1 << 28
"""Longest file of codes: 62 days at 50 codes/s, 512 MB of uint16."""

MAX_HEADER_BYTES = 10_000
"""A `.npy` header of one plain array takes 128."""

BLOCK_VALUES = 1 << 20
"""Indices converted at once, so that wide integers cannot take memory."""

HEADER_READERS = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
"""By version of the format. Version 3 is only ever written for records with named fields."""


@dataclass(frozen=True, eq=False)
class Codes:
    """Code indices of one recording.

    indices: uint16 [F] (other whole numbers are converted). samples: length of the recording at
    16 kHz, so F = ceil(samples / hop). hop: samples a code. model: name of the model that made
    them, None if unknown. Raises InputError if these do not fit together.
    """

    indices: np.ndarray
    samples: int
    hop: int
    model: str | None = None

    def __post_init__(self):
        indices = np.asarray(self.indices)
        if indices.ndim != 1 or indices.dtype.kind not in "iu":
            raise InputError(
                f"codes must be whole numbers [F], not {indices.dtype} {list(indices.shape)}; "
                "give one recording's indices"
            )
        if self.hop < 1 or not len(indices) or frames_for(self.samples, self.hop) != len(indices):
            raise InputError(
                f"{len(indices)} codes of {self.hop} samples do not make {self.samples} samples; "
                "give ceil(samples / hop) codes, at least one"
            )
        _check_range("codes", indices, MAX_CODEBOOK)
        object.__setattr__(self, "indices", indices.astype(np.uint16))

    @property
    def rate(self) -> int:
        """Sampling rate of the speech in Hz: 16,000 for every model."""
        return SAMPLE_RATE

    @property
    def frames(self) -> int:
        """Number of codes."""
        return len(self.indices)

    @property
    def seconds(self) -> float:
        """Duration of the recording."""
        return self.samples / self.rate

    def bits_per_second(self, codebook_size: int) -> float:
        """bit/s of plain indices into `codebook_size` codes: log2, rounded up, for each frame."""
        return self.rate / self.hop * (codebook_size - 1).bit_length()

    def save_npy(self, path: str | os.PathLike) -> None:
        """Write the indices to `path` (.npy), whole or not at all.

        The file knows frames only: `samples` is lost unless it is a multiple of `hop`. Raises
        InputError as `check_npy_target` does, and if the disk is full.
        """
        target = check_npy_target(path)
        with output_file(path, target) as file:
            npy_format.write_array(file, self.indices, allow_pickle=False)


def check_npy_target(path: str | os.PathLike) -> Path:
    """The real path that `save_npy` would write; raises InputError as `check_target` does."""
    return check_target(path, ".npy")


def check_target(path: str | os.PathLike, suffix: str) -> Path:
    """The real path of a file of codes to be written, links followed.

    Raises InputError for another extension than `suffix`, a missing folder, a folder or device
    there.
    """
    if Path(path).suffix.lower() != suffix:
        raise InputError(f"{path}: codes go into a {suffix} file; name the output {suffix}")
    target = Path(os.path.realpath(path))
    if os.path.isdir(target):
        raise InputError(f"{path}: is a folder; name a file")
    if os.path.exists(target) and not os.path.isfile(target):
        raise InputError(f"{path}: is not a regular file; name another output")
    if not os.path.isdir(target.parent):
        raise InputError(f"{path}: folder {target.parent} does not exist; create it")
    return target


def load_npy(
    path: str | os.PathLike, hop: int, codebook_size: int, model: str | None = None
) -> Codes:
    """Read a 1-D `.npy` file of any integer type as codes of a model.

    hop (samples a code), codebook_size and model (its name) are the model's: the file has none of
    them. `samples` of the result is frames * hop. Raises InputError for a file that is missing,
    not a regular file, empty, not `.npy`, pickled, of another shape or type, cut off, longer than
    its header says, or that holds a code which the model has not.
    """
    path = os.fspath(path)
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            raise InputError(f"{path}: is a folder, not a codes file; name a .npy file")
        if not stat.S_ISREG(mode):
            raise InputError(f"{path}: is not a regular file; save the codes to a file first")
        with open(path, "rb") as file:
            indices = _read(path, file, codebook_size)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the path") from None
    except PermissionError:
        raise InputError(f"{path}: no permission to read it; change its permissions") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    return Codes(indices, samples_for(len(indices), hop), hop, model)


def _read(path: str, file: BinaryIO, codebook_size: int) -> np.ndarray:
    size = os.fstat(file.fileno()).st_size
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
        _check_range(path, block, codebook_size, first)
        out[first : first + count] = block
    return out


def _read_header(path: str, file: BinaryIO, size: int) -> tuple[int, np.dtype, int]:
    """(frames, type, offset of the data), believed only if the file has exactly that size."""
    if size == 0:
        raise InputError(f"{path}: is empty (0 bytes); encode or copy it again")
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


def _check_range(name: str, indices: np.ndarray, codebook_size: int, first: int = 0) -> None:
    """Require every index to lie in the codebook; `first` is the frame of indices[0]."""
    low, high = int(indices.min()), int(indices.max())
    if low >= 0 and high < codebook_size:
        return
    bad = low if low < 0 else high
    frame = first + int(np.argmax(indices == bad))
    raise InputError(
        f"{name}: frame {frame} has code {bad}, the model's codes are 0 to {codebook_size - 1}; "
        "use the model that made the file"
    )
