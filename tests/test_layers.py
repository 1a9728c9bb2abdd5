"""Imports point down only, and no modules name each other in a circle.

Imports inside functions count, and those under `if TYPE_CHECKING` too: a circle that hides is one.
"""

from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1] / "vqspeech"

LAYERS = (
    {"__main__"},
    {"cli", "demo"},
    {"bulk"},
    {"codec"},
    {"synthesis", "training", "evaluation"},
    {"sampling", "data", "checkpoint"},
    {"nn"},
    {"codes"},
    {"config"},
    {"audio"},
    {"parallel", "files", "notices", "errors"},
)
"""Rooms and root modules from the top down; those of one layer may use each other."""

ROOT_MODULES = {"__init__", "__main__", "codec", "errors", "files", "notices", "parallel"}

Edge = tuple[str, str]


def edges(package: str) -> list[Edge]:
    """(importer, imported) of all imports within a package."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False, cache_dir=None)
    return [
        (importer, imported)
        for importer in sorted(graph.modules)
        for imported in sorted(graph.find_modules_directly_imported_by(importer))
    ]


def upward(found: list[Edge]) -> list[Edge]:
    """The imports of something that lies higher. The package itself holds the names that it gives
    to the world and lies on top, but for `__main__`; so what needs the version is on top too."""
    height = {name: -level for level, names in enumerate(LAYERS) for name in names}

    def layer(module: str) -> int:
        _, _, below = module.partition(".")
        return height[below.split(".")[0]] if below else height["cli"]

    return [(a, b) for a, b in found if layer(a) < layer(b)]


def circles(found: list[Edge]) -> list[list[str]]:
    """Sets of modules each of which reaches all others of its set by imports."""
    below: dict[str, set[str]] = {}
    for importer, imported in found:
        below.setdefault(importer, set()).add(imported)

    def reached(start: str) -> Iterator[str]:
        seen, left = set(), [start]
        while left:
            for module in below.get(left.pop(), ()):
                if module not in seen:
                    seen.add(module)
                    left.append(module)
                    yield module

    reach = {module: set(reached(module)) for module in below}
    groups = {
        tuple(sorted(other for other in around if module in reach.get(other, ())))
        for module, around in reach.items()
        if module in around
    }
    return [list(group) for group in sorted(groups)]


def test_imports_point_down():
    assert not upward(edges("vqspeech"))


def test_there_are_no_circles():
    assert not circles(edges("vqspeech"))


def test_beside_the_rooms_stand_six_modules():
    assert {path.stem for path in ROOT.glob("*.py")} <= ROOT_MODULES


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("nn/wavenet.py", "from {package}.codec import Codec"),
        ("audio/level.py", "def late():\n    from {package}.nn import wavenet"),
        ("codes/codes.py", "if TYPE_CHECKING:\n    from {package}.checkpoint import model"),
    ],
)
def test_a_forbidden_import_is_found(tmp_path, monkeypatch, module, line):
    package = "house_" + module[:2]  # a copy under another name: `vqspeech` is imported already
    for source in ROOT.rglob("*.py"):
        target = tmp_path / package / source.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text().replace("vqspeech.", f"{package}."))
    before = upward_in(package, tmp_path, monkeypatch)
    changed = tmp_path / package / module
    text = "from typing import TYPE_CHECKING\n" + line.format(package=package)
    changed.write_text(f"{changed.read_text()}\n{text}\n")
    [added] = set(upward(edges(package))) - set(before)
    assert added[0] == f"{package}.{module.removesuffix('.py').replace('/', '.')}"


def upward_in(package, folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    return upward(edges(package))


def test_a_circle_is_found():
    assert circles([("a", "b"), ("b", "c"), ("c", "a"), ("c", "d")]) == [["a", "b", "c"]]
    assert circles([("a", "b"), ("b", "c"), ("a", "c")]) == []
