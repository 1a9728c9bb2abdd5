"""A report as one page that needs nothing else: plots, spectrograms, players, tables."""

import html
import io
import math
import re
from collections.abc import Sequence

import numpy as np

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation import codecs
from vqspeech.evaluation.methods import CONVERTING, HEADINGS, MODEL, ORIGINAL, SHORT
from vqspeech.evaluation.metrics.table import METRICS, Metric
from vqspeech.evaluation.rates import PACKED, PRIOR
from vqspeech.evaluation.report import plots, tables
from vqspeech.evaluation.report.pictures import data_address, image, spectrogram
from vqspeech.evaluation.report.report import Report, Sample
from vqspeech.evaluation.report.tables import Table

EXCERPT_SECONDS = 6.0
"""Of each recording that can be heard: a page of a few megabytes."""

CSS = """
:root { color-scheme: light dark; --paper: #fbfaf8; --card: #ffffff; --ink: #1d1b22;
  --soft: #6a6672; --line: #dedbe2; --ours: #a02a63; --theirs: #2f6f8f; }
@media (prefers-color-scheme: dark) { :root { --paper: #15141a; --card: #1e1c25; --ink: #ece9f1;
  --soft: #a29dac; --line: #37343f; --ours: #ff8fbd; --theirs: #7cc4e6; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 1.2rem; background: var(--paper);
  color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; margin: 0.2rem 0 0.6rem; }
h2 { font-size: 1.2rem; margin: 2rem 0 0.6rem; }
h3 { font-size: 0.95rem; margin: 0; }
ul { padding-left: 1.1rem; margin: 0.4rem 0; }
p, li { overflow-wrap: anywhere; }
.soft, .notes, .facts { color: var(--soft); font-size: 0.9rem; }
.grid { display: grid; gap: 0.9rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 0.6rem 0.7rem; margin: 0; --paper: var(--card); }
.card.own { border-color: var(--ours); }
.said { margin: 0 0 0.6rem; }
.card img { display: block; width: 100%; height: 110px; border-radius: 4px; margin: 0.4rem 0; }
.card audio { display: block; width: 100%; height: 36px; }
figcaption { display: flex; justify-content: space-between; gap: 0.6rem; }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; font-size: 0.85rem; width: 100%;
  font-variant-numeric: tabular-nums; background: var(--card); }
th, td { padding: 0.35rem 0.7rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
tr:last-child > * { border-bottom: 0; }
tr > :first-child { text-align: left; position: sticky; left: 0; background: var(--card);
  font-weight: 500; }
@media (max-width: 640px) { body { padding: 0.8rem; }
  tr > :first-child { white-space: normal; min-width: 8.5rem; max-width: 9.5rem; } }
"""


def page(report: Report) -> str:
    """HTML with everything inside: no address in it leads anywhere."""
    facts = "".join(f"<li>{_text(fact)}</li>" for fact in tables.facts(report))
    notes = "".join(f"<p>{_text(note)}</p>" for note in tables.notes(report))
    title = f"vqspeech evaluation: {html.escape(report.about['model'])}"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{CSS}{plots.CSS}</style></head><body>"
        f'<h1>{title}</h1><ul class="facts">{facts}</ul>'
        f"{_plots(report)}{_samples(report)}{''.join(map(_table, tables.tables(report)))}"
        f'<h2>How to read this</h2><div class="notes">{notes}</div></body></html>\n'
    )


def _plots(report: Report) -> str:
    """A plot for each metric that two codecs of known bit rate have; nothing for one alone."""
    drawn = []
    for metric in METRICS:
        points, level = _points(report, metric)
        if len(points) > 1:
            picture = plots.plot(metric.label, points, metric.digits, level)
            name = html.escape(tables.label(metric))
            drawn.append(f'<figure class="card"><h3>{name}</h3>{picture}</figure>')
    if not drawn:
        return ""
    prior = " Hollow: the same codes with the prior." if PRIOR in report.rates else ""
    return (
        "<h2>Quality over bit rate</h2>"
        '<p class="soft">Bars: 95 % intervals. The arrow points to where better is. '
        f'Bits of the codes alone.{prior}</p><div class="grid">{"".join(drawn)}</div>'
    )


def _points(report: Report, metric: Metric) -> tuple[list[plots.Point], float]:
    """(the codecs that have this metric, its value for the originals or NaN)."""
    found, rates, points = report.averages(), report.rates, []
    for method in report.methods:
        one = found[method].get(metric.name)
        own = method in MODEL
        rate = rates.get(PACKED if own else method)
        if one and one.count and rate and method not in CONVERTING:
            less = rates.get(PRIOR, {}).get("coded") if own else None
            name = SHORT[method] if own else HEADINGS[method]
            points.append(plots.Point(name, rate["coded"], one.mean, one.margin, own, less))
    original = found.get(ORIGINAL, {}).get(metric.name)
    return points, original.mean if original and original.count else math.nan


def _samples(report: Report) -> str:
    if not report.samples:
        return ""
    parts = ["<h2>Hear and see</h2>"]
    parts.append(
        f'<p class="soft">The first {EXCERPT_SECONDS:g} s, lossless, at the level of the '
        "recording. Spectrograms: 0 to 8 kHz.</p>"
    )
    for sample in report.samples:
        cards = "".join(
            _card(sample, method, wave, report)
            for method, wave in sample.waves.items()
            if len(wave) and np.isfinite(wave).all()
        )
        said = f": {sample.transcript}" if sample.transcript else ""
        heading = html.escape(f"{sample.utterance} ({sample.speaker}){said}")
        parts.append(f'<p class="said"><b>{heading}</b></p><div class="grid">{cards}</div><br>')
    return "".join(parts)


def _card(sample: Sample, method: str, wave: np.ndarray, report: Report) -> str:
    wave = wave[: round(EXCERPT_SECONDS * SAMPLE_RATE)]
    rate = report.rates.get(method if method in codecs.BY_NAME else PACKED, {}).get("coded")
    about = "" if method == ORIGINAL or not rate else f"{rate:.0f} bit/s"
    if method in CONVERTING:
        about = f"to {sample.targets.get(method)}"
    name = html.escape(HEADINGS[method])
    own = " own" if method in (*MODEL, *CONVERTING) else ""
    return (
        f'<figure class="card{own}"><figcaption><b>{name}</b>'
        f'<span class="soft">{html.escape(about)}</span></figcaption>'
        f'<img alt="spectrogram: {name}" src="{image(spectrogram(wave), "WEBP")}">'
        f'<audio controls preload="none" aria-label="{name}" src="{_audio(wave)}"></audio></figure>'
    )


def _audio(wave: np.ndarray) -> str:
    """A data address of FLAC: what codecs did is not to be coded once more."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.clip(wave, -1, 1), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return data_address("audio/flac", file.getvalue())


def _table(table: Table) -> str:
    head = _row("th", table.headings)
    body = "".join(_row("td", cells) for cells in table.rows)
    name = html.escape(table.title)
    return f'<h2>{name}</h2><div class="scroll"><table>{head}{body}</table></div>'


def _row(kind: str, cells: Sequence[str]) -> str:
    cells = [re.sub(" (?=[↑↓])", "\N{NO-BREAK SPACE}", cell) for cell in cells]
    return "<tr>" + "".join(f"<{kind}>{html.escape(cell)}</{kind}>" for cell in cells) + "</tr>"


def _text(line: str) -> str:
    """A fact or note as HTML; what stands in backticks is code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(line))
