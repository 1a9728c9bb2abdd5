"""Which phoneme is said when: alignments in memory, and the files that aligners write.

`.TextGrid` (Praat, Montreal Forced Aligner); `.phn` (TIMIT: a line "start end label", in samples at
16 kHz); `.lab` (the same line in seconds, or in HTK's units of 100 ns where all times are whole).
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.data.corpus import Utterance
from vqspeech.errors import InputError
from vqspeech.evaluation.phonemes.textgrid import Interval, parse_textgrid
from vqspeech.files import below, make_folder, write_text
from vqspeech.nn.phonemes import SILENCE

SUFFIXES = (".TextGrid", ".textgrid", ".phn", ".PHN", ".lab")

MAX_BYTES = 16 * 2**20
"""Of an alignment file; an hour of phonemes takes 4 MB as a TextGrid."""

_SILENCES = {"", "sil", "sp", "spn", "pau", "epi", "h#", "#h", "silence", "<eps>", "<sil>", "<p:>"}
_STRESSED = re.compile(r"([A-Z]{2})[0-2]")
_HTK_UNITS = 1e7
_OVERLAP_SECONDS = 1e-4
"""Rounding of the times in a file: less than this is no overlap."""


class Alignment:
    """Intervals of one recording. starts, ends: float64 [N], seconds, sorted. labels: N phonemes.

    Silences of all spellings are `SILENCE`, and the stress of ARPAbet vowels is dropped (AH0 is
    AH). Raises InputError, without a file's name, for intervals that are none or overlap.
    """

    def __init__(self, intervals: Iterable[Interval]):
        kept = sorted((start, end, phoneme(label)) for start, end, label in intervals)
        times = np.array([one[:2] for one in kept], np.float64).reshape(-1, 2)
        if not len(times):
            raise InputError("has no intervals")
        self.starts, self.ends = times.T
        self.labels = tuple(label for _, _, label in kept)
        if not np.isfinite(times).all() or self.starts[0] < 0 or (self.ends < self.starts).any():
            raise InputError("has an interval that begins before 0 or ends before it begins")
        if (self.ends[:-1] > self.starts[1:] + _OVERLAP_SECONDS).any():
            at = self.starts[1:][self.ends[:-1] > self.starts[1:] + _OVERLAP_SECONDS][0]
            raise InputError(f"has intervals that overlap at {at:g} s")

    def at(self, times: np.ndarray) -> list[str | None]:
        """The phoneme at each of `times` [F] in seconds; None where no interval covers it."""
        index = np.searchsorted(self.starts, times, side="right") - 1
        covered = (index >= 0) & (times < self.ends[index])
        return [self.labels[i] if known else None for i, known in zip(index, covered, strict=True)]


def phoneme(label: str) -> str:
    """A label as this room compares it: one name for silences, no stress."""
    label = label.strip()
    if label.lower() in _SILENCES or (label.startswith("+") and label.endswith("+")):
        return SILENCE
    stressed = _STRESSED.fullmatch(label)
    return stressed[1] if stressed else label


def read_alignment(path: str | os.PathLike) -> Alignment:
    """The alignment in a file of one of SUFFIXES. Raises InputError that names the file."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputError(f"is larger than {MAX_BYTES >> 20} MB")
        # Praat writes UTF-16 where a label needs it.
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = content.decode("utf-16" if wide else "utf-8-sig")
        if path.suffix.lower() == ".textgrid":
            return Alignment(parse_textgrid(text))
        return Alignment(_lines(text, in_samples=path.suffix.lower() == ".phn"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is neither UTF-8 nor UTF-16 text; save it as UTF-8") from None
    except InputError as error:
        raise InputError(f"{path}: {error}; align it again, or remove the file") from None


def _lines(text: str, in_samples: bool) -> list[Interval]:
    rows = [line.split() for line in text.splitlines() if line.strip()]
    whole = all(time.isdigit() for row in rows for time in row[:2])
    if in_samples and not whole:
        raise InputError("has times that are no whole numbers of samples, as a .phn file has")
    unit = SAMPLE_RATE if in_samples else _HTK_UNITS if whole else 1.0
    found = []
    for number, row in enumerate(rows, 1):
        try:
            start, end, label = float(row[0]), float(row[1]), row[2]
        except (ValueError, IndexError):
            raise InputError(f"line {number} is not `start end label`") from None
        found.append((start / unit, end / unit, label))
    return found


UNREADABLE = "the recording cannot be read"
"""One of the reasons for leaving an utterance out."""


class NotAligned(Exception):  # noqa: N818 (an outcome to count, no error)
    """An utterance without an alignment; the text is the reason, one for all of its kind."""


class AlignmentFolder:
    """A folder of alignment files. Raises InputError if there is none."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self.about = f"alignments in {folder}"
        if not self.folder.is_dir():
            raise InputError(f"{folder}: no such folder of alignments; check the path")

    def __call__(self, utterance: Utterance) -> Alignment:
        """The alignment in folder/speaker/name, folder/name or folder/(the audio file's name), with
        the first of SUFFIXES that is there. Raises NotAligned without one, InputError for a broken
        one."""
        places = (Path(utterance.speaker, utterance.name), utterance.name, utterance.path.stem)
        for place in places:
            for suffix in SUFFIXES:
                path = self.folder / f"{place}{suffix}"
                if path.is_file():
                    return read_alignment(path)
        raise NotAligned(f"no <speaker>/<utterance>.TextGrid, .phn or .lab in {self.folder}")


def saved_alignment(folder: Path, utterance: Utterance) -> Path:
    """Where `save_alignment` writes. Raises InputError for a name that leads out of `folder`."""
    return below(folder, utterance.speaker, utterance.name, suffix=".lab")


def save_alignment(alignment: Alignment, folder: Path, utterance: Utterance) -> None:
    """Write folder/speaker/name.lab, in seconds, for AlignmentFolder. Raises InputError."""
    rows = zip(alignment.starts, alignment.ends, alignment.labels, strict=True)
    text = "".join(f"{start:.4f} {end:.4f} {label}\n" for start, end, label in rows)
    path = saved_alignment(folder, utterance)
    make_folder(path.parent)
    write_text(path, text)
