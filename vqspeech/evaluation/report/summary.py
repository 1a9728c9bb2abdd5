"""Averages over utterances that skip what is undefined, and how sure they are."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vqspeech.evaluation.metrics.table import CONVERSION_METRICS, METRICS, Metric

_RESAMPLES = 1000
_NORMAL_95 = 1.96


class Average(NamedTuple):
    """mean: NaN if no utterance has the figure. margin: half of the 95 % confidence interval over
    the choice of utterances (bootstrap); NaN below two. count: utterances with the figure."""

    mean: float
    margin: float
    count: int


def average(values: Sequence[float], weights: Sequence[float] | None = None) -> Average:
    """The (weighted) mean of the values that are not NaN. Percentages of words are weighted by the
    words of each utterance: they are then the share of all words."""
    x = np.asarray(values, np.float64)
    w = np.ones_like(x) if weights is None else np.asarray(weights, np.float64)
    known = np.isfinite(x) & (w > 0)
    x, w = x[known], w[known]
    if not len(x):
        return Average(math.nan, math.nan, 0)
    mean = float(np.average(x, weights=w))
    if len(x) < 2:
        return Average(mean, math.nan, 1)
    pick = np.random.default_rng(0).integers(len(x), size=(_RESAMPLES, len(x)))
    means = (x[pick] * w[pick]).sum(1) / w[pick].sum(1)
    return Average(mean, float(_NORMAL_95 * means.std()), len(x))


def averages(scores: Sequence[dict[str, float]]) -> dict[str, Average]:
    """Average of every metric that the dicts of `metrics.score` (one an utterance) hold."""
    known = dict.fromkeys((*METRICS, *CONVERSION_METRICS))
    metrics = [metric for metric in known if any(metric.name in one for one in scores)]
    found = {metric.name: _of(metric, scores) for metric in metrics}
    found["delay_ms"] = average([one.get("delay_ms", math.nan) for one in scores])
    return found


def _of(metric: Metric, scores: Sequence[dict[str, float]]) -> Average:
    values = [one.get(metric.name, math.nan) for one in scores]
    if metric.weight is None:
        return average(values)
    return average(values, [one.get(metric.weight, 0) for one in scores])


def differences(
    scores: Sequence[dict[str, float]], others: Sequence[dict[str, float]]
) -> dict[str, Average]:
    """Averages of how much higher each metric is in `scores` than in `others`, utterance by
    utterance, of those where both define it: surer than a difference of two averages."""
    less = []
    for one, other in zip(scores, others, strict=True):
        both = [metric for metric in METRICS if metric.name in one and metric.name in other]
        found = {metric.name: one[metric.name] - other[metric.name] for metric in both}
        weights = {metric.weight for metric in both if metric.weight is not None}
        less.append(found | {name: one.get(name, 0) for name in weights})
    return {name: one for name, one in averages(less).items() if name != "delay_ms"}


class Spread(NamedTuple):
    """The lowest and the highest of the averages that single seeds give; NaN if there is none."""

    low: float
    high: float


def over_seeds(scores: Sequence[dict[str, float]]) -> dict[str, float]:
    """One utterance's figures with each seed, to their means over the seeds that define them."""
    found = {}
    for name in scores[0]:
        values = [one[name] for one in scores if math.isfinite(one[name])]
        found[name] = float(np.mean(values)) if values else math.nan
    return found


def spreads(by_seed: Sequence[Sequence[dict[str, float]]]) -> dict[str, Spread]:
    """by_seed: for every utterance, the scores with each of the seeds. By metric: its spread."""
    means = [averages(scores) for scores in zip(*by_seed, strict=True)]
    found = {}
    for name in means[0] if means else ():
        values = [one[name].mean for one in means if name in one and one[name].count]
        low, high = (min(values), max(values)) if values else (math.nan, math.nan)
        found[name] = Spread(low, high)
    return found
