"""A report as JSON, and back: everything but the samples. NaN becomes null."""

import json
import math
import os
from typing import Any

from vqspeech.errors import InputError
from vqspeech.evaluation.report.report import Report

NATS_OF_BITS = 16
"""Of the samples whose -log p is reported (`VQVAE.nats_per_step`)."""


def to_dict(report: Report) -> dict[str, Any]:
    """What stands in report.json; averages, gains and spreads stand there to be looked up only."""
    steps = report.about["samples_per_step"]
    content = {
        "about": report.about,
        "codes": report.codes,
        "bits_per_second": report.rates,
        "nats_of_bits": NATS_OF_BITS,
        "nats_per_step": report.nats,
        "nats_per_sample": {name: value / steps for name, value in report.nats.items()},
        "averages": _plain(report.averages()),
        "less_preview": _plain(report.gains()),
        "spread_over_seeds": _plain(report.spreads()),
        "utterances": report.rows,
        "skipped": [{"file": file, "reason": reason} for file, reason in report.skipped],
        "notes": report.notes,
    }
    return _without_nan(content)


def read_report(path: str | os.PathLike) -> Report:
    """The report in a report.json, without its samples. Raises InputError."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        rows = [
            row | {kind: _with_nan(row[kind]) for kind in ("scores", "by_seed") if kind in row}
            for row in content["utterances"]
        ]
        return Report(
            about=content["about"],
            codes=content["codes"],
            # Those of the first reports are of other samples, and compare with none.
            nats=content["nats_per_step"] if content.get("nats_of_bits") == NATS_OF_BITS else {},
            methods=tuple(content["averages"]),
            rows=rows,
            skipped=[(one["file"], one["reason"]) for one in content["skipped"]],
            rates=content["bits_per_second"],
            notes=content["notes"],
        )
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path}: is no report.json of `vqspeech evaluate` ({error!r}); evaluate again"
        ) from None


def _plain(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, dict]]:
    return {m: {name: one._asdict() for name, one in of.items()} for m, of in found.items()}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _with_nan(value: Any) -> Any:
    """Scores by method, or by method and seed: every null in them was a NaN."""
    if isinstance(value, dict):
        return {key: _with_nan(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_with_nan(one) for one in value]
    return math.nan if value is None else value
