"""What a report says, as facts and tables of text: Markdown and the page both print these."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from vqspeech.evaluation.methods import (
    ALONE,
    CONVERTING,
    HEADINGS,
    MODEL,
    SAMPLED,
    TRAINED,
    UNSEEN,
)
from vqspeech.evaluation.metrics.table import CONVERSION_METRICS, METRICS, Metric
from vqspeech.evaluation.rates import PACKED, PRIOR
from vqspeech.evaluation.report.report import OWN_VOICE, Report
from vqspeech.evaluation.report.summary import Average, Spread
from vqspeech.evaluation.strangers import HEARD_SECONDS
from vqspeech.evaluation.usage import in_words

NOTHING = "-"


class Table(NamedTuple):
    """Rows of cells under headings; the first cell of each says what it is about."""

    title: str
    headings: list[str]
    rows: list[list[str]]


def facts(report: Report) -> list[str]:
    """Lines on what was measured, and what holds for all methods together."""
    about, codes, rates = report.about, report.codes, report.rates
    machine = about["machine"]
    seeds = f"seed {about['seed']}"
    if about["seeds"] > 1:
        seeds = f"seeds {about['seed']} to {about['seed'] + about['seeds'] - 1}"
    lines = [
        f"Model {about['model']} ({about['fingerprint']}), vqspeech {about['vqspeech']}, "
        f"{seeds}, temperature {about['temperature']:g}, {about['date']}",
        f"{about['utterances']} utterances, {about['seconds_of_speech']:.0f} s of speech, "
        f"{about['speakers']} speakers",
        decoded_as(about),
        f"{codes['bits_per_second']:.0f} bit/s of plain codes "
        f"({codes['entropy_bits_per_second']:.0f} by their histogram), {found_by(about)}; "
        f"{in_words(codes)}",
    ]
    files = {PACKED: "packed", PRIOR: "with the prior"}
    measured = [
        f"{rates[name]['coded']:.0f} bit/s {how} (whole files: {rates[name]['file']:.0f})"
        for name, how in files.items()
        if name in rates
    ]
    if measured:
        lines.append(f"Measured in .vqs files: {', '.join(measured)}")
    if report.nats:
        right, shuffled = report.nats["right"], report.nats["shuffled"]
        samples = about["samples_per_step"]
        lines.append(
            f"{right / samples:.3f} nats a sample of 16 bits with the right codes, "
            f"{shuffled / samples:.3f} "
            f"with shuffled codes; a WaveNet step: {right:.3f}, {shuffled:.3f} "
            f"({report.nats['difference']:+.3f})"
        )
    lines.append(f"{machine['processor']}, {machine['cores']} cores, {machine['system']}")
    return lines


def decoded_as(about: Mapping[str, Any]) -> str:
    """How many utterances were decoded in which voices, in words."""
    unknown, parts = about["unknown_speaker_utterances"], []
    if known := about["utterances"] - unknown:
        parts.append(f"{known} utterance{'s' * (known > 1)} decoded by the speaker's name")
    if unknown:
        parts.append(f"{unknown} of speakers whom the model does not know {unknown_as(about)}")
    return ", ".join(parts)


def found_by(about: Mapping[str, Any]) -> str:
    """How codes were chosen, in words."""
    return "found by search" if about.get("searched") else "the nearest of each frame"


def unknown_as(about: Mapping[str, Any]) -> str:
    """What speakers were decoded as whom the model does not know, in words."""
    identity = about["unknown_speakers_decoded_as"]
    if identity == OWN_VOICE:
        refined = ", refined" if about.get("refined") else ""
        return (
            f"decoded in their own voices: as the speaker encoder hears them{refined}, and as a "
            ".vqs file keeps them"
        )
    return f"decoded as `{identity}`"


def tables(report: Report) -> list[Table]:
    """Reconstruction, WaveNet against Griffin-Lim, conversion, spread: those that have rows."""
    made = (reconstruction(report), gains(report), conversion(report), spread(report))
    return [table for table in made if table.rows]


def reconstruction(report: Report) -> Table:
    """Bits and metrics of every method that keeps the voice."""
    methods = [method for method in report.methods if method not in CONVERTING]
    table = _metrics("Reconstruction", report, methods, METRICS)
    return table._replace(rows=[*_rates(report, methods), *table.rows])


def gains(report: Report) -> Table:
    """How far the WaveNet is from Griffin-Lim, utterance by utterance."""
    found, rows = report.gains(), []
    for metric in METRICS:
        ones = [gain.get(metric.name) for gain in found.values()]
        if any(one and one.count for one in ones):
            shown = [_cell(one, metric.digits + 1, len(report.rows), "+") for one in ones]
            rows.append([label(metric), *shown])
    title = "The WaveNet against Griffin-Lim from the same codes"
    return Table(title, _headings(found), rows)


def conversion(report: Report) -> Table:
    methods = [method for method in report.methods if method in CONVERTING]
    return _metrics("Conversion", report, methods, CONVERSION_METRICS)


def spread(report: Report) -> Table:
    """How far apart the seeds' averages are."""
    found, rows = report.spreads(), []
    for metric in dict.fromkeys((*METRICS, *CONVERSION_METRICS)):
        ones = [of.get(metric.name) for of in found.values()]
        if any(one and math.isfinite(one.low) for one in ones):
            # A digit more than the table's: a spread is small if all is well.
            rows.append([metric.label, *(_range(one, metric.digits + 1) for one in ones)])
    return Table("Spread over seeds", _headings(found), rows)


def notes(report: Report) -> list[str]:
    """How to read the tables, and what was done otherwise than asked."""
    about = report.about
    lines = [
        "Means over utterances (words: over all words) ± half of the 95 % confidence interval; "
        "in brackets the number of utterances where the figure is defined, if not all."
    ]
    if report.gains():
        lines.append(
            "WaveNet against Griffin-Lim: means of the differences of each utterance, of those "
            "where both have the figure."
        )
    if set(report.methods) & set(ALONE):
        lines.append(
            "WaveNet alone: as it was sampled. The post-filter gives the same samples the spectral "
            "envelope that the codes predict."
        )
    if about["seeds"] > 1:
        drawn = ", ".join(f"`{method}`" for method in report.methods if method in SAMPLED)
        lines.append(
            f"Sampled with {about['seeds']} seeds: {drawn}; means over them. The spread goes from "
            "the lowest to the highest mean that one seed alone gives."
        )
    if any(name not in (PACKED, PRIOR) for name in report.rates):
        lines.append(
            "bit/s: of the codes alone, and of whole files with headers, checksums, containers and "
            "bits that fill up bytes. Other codecs work at the nominal speech level, and their "
            "delay is removed."
        )
    if about["targets"] and set(report.methods) & set(TRAINED):
        targets = ", ".join(about["targets"])
        lines.append(f"Every utterance was converted to one of {targets}, in turn.")
    if about.get("unseen_targets") and set(report.methods) & set(UNSEEN):
        targets = ", ".join(about["unseen_targets"])
        lines.append(
            f"To unseen voices: every utterance was converted to one of {targets}, in turn, of "
            f"whom the model hears {HEARD_SECONDS:g} s. Nearness is to other speech of theirs."
        )
    if about["cut_to_first_minute"]:
        lines.append(f"{about['cut_to_first_minute']} recordings: first minute only.")
    return lines + report.notes + [f"Skipped: {reason}" for _, reason in report.skipped]


def label(metric: Metric) -> str:
    """Its name, with an arrow to where better is."""
    return f"{metric.label} {'↑' if metric.higher_is_better else '↓'}"


def _headings(methods: Iterable[str]) -> list[str]:
    return ["", *(HEADINGS.get(method, method) for method in methods)]


def _metrics(
    title: str, report: Report, methods: Sequence[str], metrics: Sequence[Metric]
) -> Table:
    found, rows = report.averages(), []
    for metric in metrics:
        cells = [found[method].get(metric.name) for method in methods]
        if any(cell and cell.count for cell in cells):
            shown = [_cell(cell, metric.digits, len(report.rows)) for cell in cells]
            rows.append([label(metric), *shown])
    return Table(title, _headings(methods), rows)


def _cell(cell: Average | None, digits: int, utterances: int, sign: str = "") -> str:
    if cell is None or not cell.count:
        return NOTHING
    text = f"{cell.mean:{sign}.{digits}f}"
    if math.isfinite(cell.margin):
        text += f" ± {cell.margin:.{digits}f}"
    return text if cell.count == utterances else f"{text} ({cell.count})"


def _rates(report: Report, methods: Sequence[str]) -> list[list[str]]:
    """Rows of bit/s; the model's decoders share those of its codes."""
    kinds = (
        ("bit/s, codes ↓", "coded", None),
        ("bit/s, whole file ↓", "file", None),
        ("bit/s with the prior, codes ↓", "coded", PRIOR),
        ("bit/s with the prior, whole file ↓", "file", PRIOR),
    )
    rows = []
    for text, kind, name in kinds:
        cells = []
        for method in methods:
            own = PACKED if method in MODEL else method
            key = own if name is None or method not in MODEL else name
            known = key in report.rates and (name is None or method in MODEL)
            cells.append(f"{report.rates[key][kind]:.0f}" if known else NOTHING)
        if any(cell != NOTHING for cell in cells):
            rows.append([text, *cells])
    return rows


def _range(one: Spread | None, digits: int) -> str:
    if one is None or not math.isfinite(one.low):
        return NOTHING
    return f"{one.high - one.low:.{digits}f} ({one.low:.{digits}f} to {one.high:.{digits}f})"
