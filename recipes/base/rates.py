"""Quality over bit rate, out of reports of one model on the same recordings at several rates."""

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from vqspeech.errors import InputError
from vqspeech.evaluation import codecs
from vqspeech.evaluation.methods import HEADINGS, METHODS, MODEL, ORIGINAL, PREVIEW, SHORT, WAVENET
from vqspeech.evaluation.metrics.table import METRICS, Metric
from vqspeech.evaluation.rates import PACKED, PRIOR
from vqspeech.evaluation.report import plots, tables
from vqspeech.evaluation.report.json_form import read_report
from vqspeech.evaluation.report.report import Report
from vqspeech.evaluation.report.summary import Average
from vqspeech.evaluation.report.tables import Table


class Rated(NamedTuple):
    """A report and its averages, which take a while."""

    report: Report
    averages: dict[str, dict[str, Average]]

    def figure(self, method: str, metric: Metric) -> Average | None:
        """What a method has of a figure; None if nothing."""
        found = self.averages.get(method, {}).get(metric.name)
        return found if found and found.count else None

    def bits(self, name: str, kind: str) -> str:
        """bit/s, `coded` or of the whole `file`."""
        spent = self.report.rates.get(name)
        return f"{spent[kind]:.0f}" if spent else tables.NOTHING


Rates = dict[float, Rated]
"""By bit/s of plain codes, the lowest first; none where there is but one rate."""
DECODERS = (WAVENET, PREVIEW)
BITS = (
    ("bit/s, codes ↓", PACKED, "coded"),
    ("bit/s, whole file ↓", PACKED, "file"),
    ("bit/s with the prior, whole file ↓", PRIOR, "file"),
)
DRAWN = ("whisper_words_kept", "words_kept", "speaker_similarity", "dnsmos_ovrl", "estoi", "pesq")
"""What the picture has room for, of the figures that there are."""
SHOWN = ("whisper_words_kept", "words_kept", "speaker_similarity", "mel_distance", "estoi")
"""What the README has room for."""
COLUMNS, WIDTH, HEIGHT, TITLE, GROUP = 3, 380, 280, 30, 34
COLOURS = {
    "--paper": "#ffffff",
    "--ink": "#1d1b22",
    "--soft": "#6a6672",
    "--line": "#dedbe2",
    "--ours": "#a02a63",
    "--theirs": "#2f6f8f",
}
"""Of the picture, which stands in no page that has its own."""


def by_rate(path: Path, lowest: Report) -> Rates:
    """`lowest`, the report at `path`, and those of higher rates, which lie in folders of the same
    name and -RATE behind it. Raises InputError for those of another model or other recordings."""
    found = {}
    for other in sorted(path.parent.parent.glob(f"{path.parent.name}-*/{path.name}")):
        rate = other.parent.name.removeprefix(f"{path.parent.name}-")
        if not rate.isdigit():
            continue
        report = with_again(other, beside(other, path, lowest))
        found[report.codes["bits_per_second"]] = Rated(report, report.averages())
    if found:
        found[lowest.codes["bits_per_second"]] = Rated(lowest, lowest.averages())
    return dict(sorted(found.items()))


def beside(other: Path, path: Path, report: Report) -> Report:
    """The report at `other`, which is of the same model and recordings as `report`, at `path`.
    Raises InputError if it is not."""
    found = read_report(other)
    if found.about["fingerprint"] != report.about["fingerprint"]:
        raise InputError(f"{other}: is of another model than {path}; evaluate it again")
    if _spoken(found) != _spoken(report):
        raise InputError(f"{other}: has other recordings than {path}; evaluate it again")
    return found


def with_again(path: Path, report: Report) -> Report:
    """The report at `path` with what was measured again of its model and recordings, in a folder
    beside its own. Raises InputError."""
    again = path.parent.with_name(f"{path.parent.name}-again") / path.name
    if not again.exists():
        return report
    found = beside(again, path, report)
    for row, other in zip(report.rows, found.rows, strict=True):
        for kind in ("scores", "by_seed"):  # another codec may have failed in either
            kept = {m: one for m, one in row.get(kind, {}).items() if m not in found.methods}
            new = {m: one for m, one in other.get(kind, {}).items() if m in found.methods}
            row[kind] = kept | new
    asked = {*report.methods, *found.methods}
    told = f"Measured again on {found.about['date'][:10]}: {', '.join(found.methods)}."
    methods = tuple(method for method in METHODS if method in asked)
    about = dict(report.about)
    if set(MODEL) & set(found.methods):
        for kind in ("refined", "searched"):
            about[kind] = found.about.get(kind, False)
    return replace(report, about=about, methods=methods, notes=[*report.notes, told])


def _spoken(report: Report) -> list:
    return [(row.get("speaker"), row.get("utterance")) for row in report.rows]


def rate_tables(found: Rates) -> Iterator[Table]:
    """For each of the model's decoders: every figure at every rate, beside other codecs'."""
    for decoder in DECODERS if found else ():
        first, *_ = found.values()
        ours = {rate: one for rate, one in found.items() if decoder in one.report.methods}
        if len(ours) < 2:
            continue
        others = [m for m in first.report.methods if m == ORIGINAL or m in codecs.BY_NAME]
        headings = [*(f"{rate:g} bit/s" for rate in ours), *(HEADINGS[m] for m in others)]
        rows = []
        for text, name, kind in BITS:
            cells = [one.bits(name, kind) for one in ours.values()]
            cells += [first.bits(m, kind) if name == PACKED else tables.NOTHING for m in others]
            rows.append([text, *cells])
        for metric in METRICS:
            cells = [one.figure(decoder, metric) for one in ours.values()]
            cells += [first.figure(method, metric) for method in others]
            if any(cells):
                rows.append([tables.label(metric), *(_cell(cell, metric) for cell in cells)])
        yield Table(f"By bit rate: {HEADINGS[decoder]}", ["", *headings], rows)


def readme_rates(seen: Rates, unseen: Rates) -> Table:
    """The small table: each figure of known speakers, then of unknown ones, by the WaveNet."""
    rates = [rate for rate in seen if rate in unseen]
    rows = []
    for metric in METRICS:
        if metric.name not in SHOWN:
            continue
        cells = []
        for rate in rates:
            pair = [found[rate].figure(WAVENET, metric) for found in (seen, unseen)]
            cells.append(" / ".join(_plain(one, metric) for one in pair))
        if any(cell != f"{tables.NOTHING} / {tables.NOTHING}" for cell in cells):
            rows.append([tables.label(metric), *cells])
    title = f"known / unknown speakers, {HEADINGS[WAVENET]}"
    return Table("", [title, *(f"{rate:g} bit/s" for rate in rates)], rows)


def rates_picture(seen: Rates, unseen: Rates) -> str:
    """SVG that stands alone: a row of plots for each kind of speakers. Raises InputError where
    there is one rate only."""
    if not seen or not unseen:
        raise InputError("there are no reports of higher rates beside these; see evaluate.sh")
    parts, top = [], 0
    for title, found in (("Known speakers", seen), ("Unknown speakers", unseen)):
        parts.append(f'<text class="group" x="10" y="{top + 22}">{title}</text>')
        top += GROUP
        drawn = [(metric, *_points(found, metric)) for metric in METRICS if metric.name in DRAWN]
        drawn = [one for one in drawn if len(one[1]) > 1]
        for number, (metric, points, level) in enumerate(drawn):
            x, y = number % COLUMNS * WIDTH, top + number // COLUMNS * HEIGHT
            name = tables.label(metric)
            parts.append(f'<text class="title" x="{x + 10}" y="{y + 20}">{name}</text>')
            svg = plots.plot(metric.label, points, metric.digits, level, joined=True)
            place = f'x="{x}" y="{y + TITLE}" width="{WIDTH - 16}" height="{HEIGHT - TITLE - 10}"'
            parts.append(svg.replace("<svg", f"<svg {place}", 1))
        top += -(-len(drawn) // COLUMNS) * HEIGHT
    style = "".join(f"{name}: {colour}; " for name, colour in COLOURS.items())
    size = COLUMNS * WIDTH, top
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'width="{size[0]}" height="{size[1]}" font-family="system-ui, sans-serif">'
        f"<style>:root {{ {style}}} .title, .group {{ fill: #1d1b22; font-weight: 600; }} "
        f".title {{ font-size: 11px; }} .group {{ font-size: 17px; }}"
        f'{plots.CSS}</style><rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(parts)}</svg>\n"
    )


def _points(found: Rates, metric: Metric) -> tuple[list[plots.Point], float]:
    """(the model's rates and the other codecs, as far as they have this figure; the originals')."""
    first, *_ = found.values()
    points = []
    for rate, rated in found.items():
        if one := rated.figure(WAVENET, metric):
            label = SHORT[WAVENET] if rated is first else f"{rate:g}"
            points.append(plots.Point(label, rate, one.mean, one.margin, True))
    for method in codecs.BY_NAME:
        one, spent = first.figure(method, metric), first.report.rates.get(method)
        if one and spent:
            points.append(plots.Point(HEADINGS[method], spent["coded"], one.mean, one.margin))
    original = first.figure(ORIGINAL, metric)
    return points, original.mean if original else math.nan


def _plain(one: Average | None, metric: Metric) -> str:
    return f"{one.mean:.{metric.digits}f}" if one else tables.NOTHING


def _cell(one: Average | None, metric: Metric) -> str:
    known = one is not None and math.isfinite(one.margin)
    return _plain(one, metric) + (f" ± {one.margin:.{metric.digits}f}" if known else "")
