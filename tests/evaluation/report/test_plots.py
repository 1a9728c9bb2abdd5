import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from vqspeech.evaluation.report import plots
from vqspeech.evaluation.report.plots import Point, plot

POINTS = [
    Point("WaveNet", 450, 3.0, 0.1, own=True, less=241),
    Point("preview", 450, 2.5, own=True),
    Point("<Codec> 3200", 3200, 2.8, 0.05),
]


def places(svg, kind):
    circles = re.findall(rf'<circle class="{kind}" cx="([\d.]+)" cy="([\d.]+)"', svg)
    return [(float(x), float(y)) for x, y in circles]


def test_a_plot_is_well_formed_and_escapes_its_labels():
    svg = plot("a & b", POINTS, 2, 3.2)
    root = ElementTree.fromstring(svg)
    words = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"WaveNet", "preview", "<Codec> 3200", "original", "bit/s", "500", "2,000"} <= set(words)
    assert "WaveNet: 3.00 at 450 bit/s" in svg


def test_points_stand_where_their_figures_are():
    (first, second, third), (cheaper,) = (
        places(plot("t", POINTS, 2), kind) for kind in ("mark", "hollow")
    )
    assert first[0] == second[0] < third[0] and cheaper[0] < first[0] and cheaper[1] == first[1]
    assert first[1] < third[1] < second[1]  # higher is better, and up
    x = (first[0] - cheaper[0]) / (third[0] - first[0])
    assert x == pytest.approx(math.log(450 / 241) / math.log(3200 / 450), abs=0.01)


def test_everything_stays_inside():
    for spread in (0.0, 1e-6, 1.0, 1e4):
        points = [Point(f"codec {i}", 450, 1 + i * spread, own=i == 0) for i in range(6)]
        root = ElementTree.fromstring(plot("t", points, 2, -spread))
        for element in root.iter():
            for name, most in (("x", plots.WIDTH), ("cx", plots.WIDTH), ("cy", plots.HEIGHT)):
                assert 0 <= float(element.get(name, 1)) <= most


def test_labels_keep_apart():
    taken = []
    spots = {plots._label_place(180, 100, 50, taken) for _ in range(4)}
    assert len(spots) == 4


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 120), (2.31, 2.34), (0, 1e5), (0.0011, 0.0019)])
def test_ticks_are_round_and_few(low, high):
    ticks = plots._ticks(low, high)
    assert 2 <= len(ticks) <= 9
    assert all(low <= tick <= high for tick in ticks)
