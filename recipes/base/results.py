"""Results for the docs, out of the reports on both splits: never by hand.

    python recipes/base/results.py SEEN/report.json UNSEEN/report.json > docs/results.md
    python recipes/base/results.py SEEN/report.json UNSEEN/report.json --plot docs/rates.svg
    python recipes/base/results.py SEEN/report.json UNSEEN/report.json --readme

The reports are those of `bash recipes/base/evaluate.sh --speech DIR`, of one model: speakers that
it was trained on, and speakers that it never heard. Reports in SEEN-1000/, UNSEEN-1000/ and so on,
of the same recordings at higher rates, become tables of quality over bit rate; what was measured
again, in SEEN-again/, SEEN-1000-again/ and so on, stands in the place of what SEEN and SEEN-1000
have of the same methods. --readme prints the small tables of the README, with the lines that they
stand between there.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rates import Rates, by_rate, rate_tables, rates_picture, readme_rates, with_again
from shared import finish

from vqspeech.errors import InputError
from vqspeech.evaluation.methods import HEADINGS, MODEL, ORIGINAL, UNFILTERED
from vqspeech.evaluation.metrics.table import METRICS
from vqspeech.evaluation.rates import PACKED, PRIOR
from vqspeech.evaluation.report import tables
from vqspeech.evaluation.report.json_form import read_report
from vqspeech.evaluation.report.markdown import table_lines
from vqspeech.evaluation.report.report import Report
from vqspeech.evaluation.report.tables import Table
from vqspeech.files import write_text

KNOWN, UNKNOWN = "Speakers of the corpus", "Speakers that are not in the corpus"
PICTURE = "rates.svg"
"""What --plot writes for the page, beside it."""
BEGIN, END = "<!-- results.py: begin -->", "<!-- results.py: end -->"
"""What the table stands between in the README."""
SHORT_METHODS = (ORIGINAL, *MODEL, "codec2-3200", "opus-6000")
SHORT_METRICS = (
    "dnsmos_ovrl",
    "words_kept",
    "whisper_words_right",
    "whisper_words_kept",
    "speaker_similarity",
    "f0_correlation",
    "mel_distance",
    "estoi",
)
"""What the README has room for."""


def results(seen: Report, unseen: Report, higher: Sequence[Rates] = ({}, {})) -> str:
    """The page of results, in Markdown: facts, then every table of both splits. higher: by bit
    rate, the reports of the one split and of the other."""
    about = seen.about
    shared = [note for note in tables.notes(seen) if note in tables.notes(unseen)]
    lines = [
        "# Results",
        "",
        f"The model `{about['model']}` ({about['fingerprint']}) on recordings that it was not "
        "trained on, free-running: nothing here was decoded with the help of the original.",
        "",
        "Written by `python recipes/base/results.py`, from what `bash recipes/base/evaluate.sh "
        "--speech DIR` measured (`--limit`, `--seeds`, `--methods`, `--metrics`: how much of it) "
        f"with {_versions(about['machine'])}.",
    ]
    if any(higher):
        lines += ["", f"![Quality over bit rate]({PICTURE})"]
    parts = {KNOWN: seen, UNKNOWN: unseen}
    for title, report in parts.items():
        lines += ["", f"## {title}", "", *(f"- {fact}" for fact in tables.facts(report))]
        found = [*tables.tables(report), *rate_tables(higher[title == UNKNOWN])]
        for table in found:
            lines += ["", f"### {table.title}", "", *table_lines(table)]
        for note in tables.notes(report):
            lines += [] if note in shared else ["", note]
    lines += ["", "## How to read this"]
    for note in shared:
        lines += ["", note]
    return "\n".join(lines) + "\n"


def readme(seen: Report, unseen: Report, higher: Sequence[Rates] = ({}, {})) -> str:
    """The small tables: each figure of known speakers, then of unknown ones."""
    both = (seen, unseen)
    methods = [method for method in SHORT_METHODS if all(method in r.methods for r in both)]
    rows = [
        ["bit/s", *(_pair(_rate(r, method, PACKED) for r in both) for method in methods)],
        ["bit/s, prior", *(_pair(_rate(r, method, PRIOR) for r in both) for method in methods)],
    ]
    found = [report.averages() for report in both]
    for metric in METRICS:
        if metric.name in SHORT_METRICS:
            cells = [_pair(_mean(one[method], metric) for one in found) for method in methods]
            rows.append([tables.label(metric), *cells])
    rows = [row for row in rows if set(row[1:]) != {tables.NOTHING}]
    table = Table("", ["known / unknown speakers", *(HEADINGS[m] for m in methods)], rows)
    about, counts = seen.about, " and ".join(str(r.about["utterances"]) for r in both)
    told = (
        f"Model `{about['model']}` ({about['fingerprint']}), {counts} utterances, codes "
        f"{tables.found_by(about)}, {about['seeds']} seed{'s' * (about['seeds'] > 1)}, "
        f"{about['date'][:10]}."
    )
    for which, report in zip(("first", "second"), both, strict=True):
        if unknown := report.about["unknown_speaker_utterances"]:
            told += (
                f" {unknown} of the {which} are of speakers whom it does not know, "
                f"{tables.unknown_as(report.about)}."
            )
    several = readme_rates(*higher)
    more = ["", *table_lines(several)] if several.rows else []
    return "\n".join([BEGIN, *table_lines(table), *more, "", told, END]) + "\n"


def _versions(machine: dict) -> str:
    """The packages that the figures hang on."""
    known = ("processor", "cores", "system")
    return ", ".join(f"{name} {value}" for name, value in machine.items() if name not in known)


def _rate(report: Report, method: str, kind: str) -> str:
    own = kind if method in MODEL else method if kind == PACKED else None
    return f"{report.rates[own]['coded']:.0f}" if own in report.rates else tables.NOTHING


def _mean(averages: dict, metric) -> str:
    one = averages.get(metric.name)
    return f"{one.mean:.{metric.digits}f}" if one and one.count else tables.NOTHING


def _pair(cells) -> str:
    first, second = cells
    return first if first == second else f"{first} / {second}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seen", metavar="SEEN", help="report.json of speakers of the training")
    parser.add_argument("unseen", metavar="UNSEEN", help="report.json of other speakers")
    parser.add_argument("--readme", action="store_true", help="only the table of the README")
    parser.add_argument("--plot", metavar="SVG", help="write quality over bit rate there instead")
    args = parser.parse_args()
    paths = Path(args.seen), Path(args.unseen)
    seen, unseen = (with_again(path, read_report(path)) for path in paths)
    if seen.about["fingerprint"] != unseen.about["fingerprint"]:
        raise InputError(f"{args.unseen}: is of another model than {args.seen}; evaluate it again")
    for path, report in ((args.seen, seen), (args.unseen, unseen)):
        if UNFILTERED not in report.methods:
            print(f"results.py: {path} has no {UNFILTERED}, the honest row", file=sys.stderr)
    higher = [by_rate(Path(args.seen), seen), by_rate(Path(args.unseen), unseen)]
    if args.plot:
        write_text(args.plot, rates_picture(*higher))
        return
    print((readme if args.readme else results)(seen, unseen, higher), end="")


if __name__ == "__main__":
    finish(main)
