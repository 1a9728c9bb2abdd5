"""The VCTK corpus, releases 0.80 and 0.92, as it lies on disk with all its irregularities.

    0.80  VCTK-Corpus/{wav48/p225/p225_001.wav, txt/p225/p225_001.txt, speaker-info.txt}
    0.92  {wav48_silence_trimmed/p225/p225_001_mic1.flac, txt/..., speaker-info.txt}

What is left out is listed with its reason, never passed over.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vqspeech.errors import InputError

TABLE, TEXTS = "speaker-info.txt", "txt"
LAYOUTS = {"0.92": "wav48_silence_trimmed", "0.80": "wav48"}
"""Release: its folder of recordings."""
TOP_FOLDERS = ("", "VCTK-Corpus-0.92", "VCTK-Corpus")
"""Where under the path that a user names the corpus may stand."""
MICS = ("mic1", "mic2")
EXPECTED = " or ".join(f"{folder}/ (release {release})" for release, folder in LAYOUTS.items())

_SPEAKER = re.compile(r"p\d+|s\d+")
_FILES = {
    "0.92": re.compile(r"((?:p|s)\d+)_(\d+)_(mic[12])\.flac", re.IGNORECASE),
    "0.80": re.compile(r"((?:p|s)\d+)_(\d+)\.wav", re.IGNORECASE),
}
_TEXT = re.compile(r"((?:p|s)\d+)_(\d+)\.txt")
_MAX_TEXT_BYTES = 1 << 16


@dataclass(frozen=True)
class Layout:
    """Where a release of the corpus was found."""

    release: str
    root: Path

    @property
    def audio(self) -> Path:
        return self.root / LAYOUTS[self.release]


@dataclass(frozen=True)
class Speaker:
    """A row of `speaker-info.txt`; "" where it says nothing. `gender`: f or m."""

    name: str
    gender: str = ""
    age: str = ""
    accent: str = ""
    region: str = ""
    comment: str = ""


@dataclass(frozen=True)
class Recording:
    """One utterance by one microphone. `prompt`: its number (1 to 24: read by every speaker);
    `text`: what was read, None where the corpus has no text."""

    speaker: str
    prompt: int
    path: Path
    text: str | None

    @property
    def name(self) -> str:
        """As in `p225_001`, without the microphone."""
        return f"{self.speaker}_{self.prompt:03d}"


@dataclass
class Vctk:
    """What `read_vctk` found. dropped: (path or speaker, reason). notes: lines for a person."""

    layout: Layout
    speakers: dict[str, Speaker]
    recordings: list[Recording]
    dropped: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_layout(root: str | os.PathLike) -> Layout:
    """The release under `root` or under its usual top folder. Raises InputError if there is none,
    saying what was expected and what was found."""
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; name the one that holds {EXPECTED}")
    for top in TOP_FOLDERS:
        for release, folder in LAYOUTS.items():
            if (root / top / folder).is_dir():
                return Layout(release, root / top)
    found = sorted(os.listdir(root))
    listed = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    if any(name.endswith((".zip", ".tar.gz")) for name in found):
        listed += " (unpack the archive first)"
    raise InputError(
        f"{root}: is no VCTK corpus; expected {EXPECTED}, {TEXTS}/ and {TABLE} in it, found "
        f"{listed or 'nothing'}"
    )


def read_vctk(root: str | os.PathLike, mic: str = "mic1", partial: bool = False) -> Vctk:
    """Every recording of the corpus under `root`, sorted by speaker and prompt.

    mic: of 0.92 ("mic1", "mic2"); 0.80 has one. partial: go on where speakers of the table have no
    recordings, as in half an archive. Raises InputError: no VCTK, no speaker table, half an
    archive, two files for one utterance, nothing left.
    """
    if mic not in MICS:
        raise InputError(f"mic '{mic}' must be one of {', '.join(MICS)}")
    layout = find_layout(root)
    table = read_table(layout.root / TABLE)
    found = Vctk(layout, {}, [])
    if not (layout.root / TEXTS).is_dir():
        found.notes.append(f"no {TEXTS}/ folder: no transcripts, prompts are told by their numbers")
    for folder in _folders(layout.audio):
        recordings = _of_speaker(found, folder, mic)
        found.recordings += recordings
        if recordings:
            found.speakers[folder.name] = table.get(folder.name, Speaker(folder.name))
    _compare_with_table(found, table, partial)
    if not found.recordings:
        raise InputError(f"{layout.audio}: has no {mic} recordings; unpack the archive again")
    found.dropped.sort()
    return found


def read_table(path: Path) -> dict[str, Speaker]:
    """`speaker-info.txt` by speaker; bare numbers (0.80) get their p. Raises InputError."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); unpack the archive again"
        ) from None
    table: dict[str, Speaker] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.split()[0] == "ID":
            continue
        # Regions have several words, and a comment in brackets may follow: no columns to rely on.
        line, _, comment = line.partition("(")
        fields = [*line.split(None, 4), "", "", ""]
        name = f"p{fields[0]}" if fields[0].isdigit() else fields[0].lower()
        gender = fields[2].lower()
        if not _SPEAKER.fullmatch(name) or gender not in ("f", "m"):
            raise InputError(
                f"{path}: line {number} is not ID AGE GENDER ACCENTS REGION; unpack the archive "
                "again"
            )
        region = " ".join(fields[4].split())
        row = Speaker(name, gender, fields[1], fields[3], region, comment.strip(" )\t"))
        if table.setdefault(name, row) != row:
            raise InputError(f"{path}: line {number} contradicts an earlier line of {name}; fix it")
    if not table:
        raise InputError(f"{path}: names no speaker; unpack the archive again")
    return table


def _folders(audio: Path) -> Iterator[Path]:
    try:
        names = sorted(entry.name for entry in os.scandir(audio) if entry.is_dir())
    except OSError as error:
        raise InputError(f"{audio}: cannot be read ({error.strerror}); check it") from None
    yield from (audio / name for name in names if _SPEAKER.fullmatch(name))


def _of_speaker(found: Vctk, folder: Path, mic: str) -> list[Recording]:
    """The speaker's recordings by `mic`; what is left out goes to `found.dropped`."""
    release = found.layout.release
    here: dict[int, Path] = {}
    elsewhere: dict[int, str] = {}  # prompts that only the other microphone has
    for file in sorted(os.listdir(folder)):
        path = folder / file
        match = _FILES[release].fullmatch(file)
        if file.startswith("."):
            continue
        if match is None:
            found.dropped.append((str(path), "is not named like a recording of this release"))
        elif match[1].lower() != folder.name:
            found.dropped.append((str(path), f"is in the folder of {folder.name}"))
        elif release == "0.92" and match[3].lower() != mic:
            elsewhere[int(match[2])] = match[3].lower()
        elif int(match[2]) in here:
            raise InputError(
                f"{path}: is the same utterance as {here[int(match[2])]}; remove one of them"
            )
        else:
            here[int(match[2])] = path
    missing = sorted(set(elsewhere) - set(here))
    if missing and not here:
        reason = f"has no {mic} recordings in this release ({len(missing)} by the other microphone)"
        found.dropped.append((folder.name, reason))
    elif missing:
        names = ((f"{folder.name}_{prompt:03d}", f"has no {mic} recording") for prompt in missing)
        found.dropped += names
    elif not here:
        found.dropped.append((folder.name, "has an empty folder"))
    texts = found.layout.root / TEXTS / folder.name
    for name in _unspoken(texts, {*here, *elsewhere}):
        found.dropped.append((name, "has a text but no recording"))
    if here and texts.parent.is_dir() and not texts.is_dir():
        found.notes.append(f"{folder.name} has no transcripts; its audio is used all the same")
    return [
        Recording(folder.name, prompt, path, _text(texts / f"{folder.name}_{prompt:03d}.txt"))
        for prompt, path in sorted(here.items())
    ]


def _unspoken(texts: Path, spoken: set[int]) -> list[str]:
    """Utterances of a folder of texts that no microphone has recorded."""
    names = os.listdir(texts) if texts.is_dir() else ()
    matches = (_TEXT.fullmatch(name) for name in sorted(names))
    return [m[0][:-4] for m in matches if m and m[1] == texts.name and int(m[2]) not in spoken]


def _text(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return " ".join(file.read(_MAX_TEXT_BYTES).decode(errors="replace").split()) or None
    except OSError:
        return None


def _compare_with_table(found: Vctk, table: dict[str, Speaker], partial: bool) -> None:
    """Notes on speakers without a row; InputError on rows without any recording."""
    present = {folder.name for folder in _folders(found.layout.audio)}
    absent = sorted(set(table) - present)
    if absent and not partial:
        raise InputError(
            f"{found.layout.root}: {TABLE} names {len(table)} speakers, {len(absent)} of them have "
            f"no folder in {found.layout.audio.name} ({_some(absent)}): the archive is not "
            "unpacked whole; unpack it again, or say --partial to use what is there"
        )
    if absent:
        found.notes.append(f"{len(absent)} speakers of {TABLE} have no folder ({_some(absent)})")
    unknown = sorted(set(found.speakers) - set(table))
    if unknown:
        found.notes.append(f"{TABLE} has no row for {_some(unknown)}: gender unknown")


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
