"""A report as Markdown: tables, a row a metric and a column a method, between facts and notes."""

from collections.abc import Sequence

from vqspeech.evaluation.report import tables
from vqspeech.evaluation.report.report import Report


def markdown(report: Report) -> str:
    lines = ["# Evaluation", "", *(f"- {fact}" for fact in tables.facts(report))]
    for table in tables.tables(report):
        lines += ["", f"## {table.title}", "", *table_lines(table)]
    for note in tables.notes(report):
        lines += ["", note]
    return "\n".join(lines) + "\n"


def table_lines(table: tables.Table) -> list[str]:
    """Headings, a rule, rows; without the title."""
    rule = "|---|" + "---:|" * (len(table.headings) - 1)
    return [_row(table.headings), rule, *map(_row, table.rows)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |", 1)
