"""Pictures of speech for the page: spectrogram with pitch curve, codes as a strip of colours.

HTML that scales with the screen and takes the page's own colours: images hold only data, all text
is text. No plotting library.
"""

import html
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vqspeech.audio import pitch
from vqspeech.audio.level import is_scorable
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.report.pictures import image, spectrogram

LOWEST_HZ, HIGHEST_HZ = pitch.FMIN_HZ, pitch.FMAX_HZ

CSS = """
.vq-panel { margin: 0 0 0.7rem; }
.vq-panel figcaption { display: flex; flex-wrap: wrap; justify-content: space-between;
  gap: 0 1rem; font-weight: 600; padding: 0.15rem 0; overflow-wrap: anywhere; }
.vq-panel figcaption span { font-weight: 400; opacity: 0.75;
  font-size: 0.85rem; }
.vq-plot { position: relative; height: 150px; border-radius: 6px; overflow: hidden; }
.vq-plot img, .vq-plot svg { position: absolute; inset: 0; width: 100%; height: 100%;
  max-width: none; margin: 0; object-fit: fill; }
.vq-codes { height: 34px; }
.vq-codes img { image-rendering: pixelated; }
.vq-plot b { position: absolute; left: 6px; color: #fff; font-weight: 500; font-size: 0.72rem;
  text-shadow: 0 0 3px #000, 0 0 3px #000; }
.vq-top { top: 3px; } .vq-bottom { bottom: 3px; }
.vq-plot polyline { fill: none; vector-effect: non-scaling-stroke; stroke-linejoin: round;
  stroke-linecap: round; }
.vq-under polyline { stroke: #000; stroke-width: 5; opacity: 0.65; }
.vq-pitch polyline { stroke: #5eead4; stroke-width: 2.4; }
.vq-ticks { position: relative; height: 1.2rem; font-size: 0.75rem;
  opacity: 0.75; }
.vq-ticks i { position: absolute; font-style: normal; }
@media (max-width: 640px) { .vq-plot { height: 110px; } .vq-codes { height: 28px; } }
"""


class Panel(NamedTuple):
    """One recording to draw: float32 [T] at 16 kHz, under a title."""

    title: str
    wave: np.ndarray


def picture(panels: Sequence[Panel], indices: np.ndarray, colours: np.ndarray) -> str:
    """HTML: the panels one above the other, then the codes [F] or [levels, F], of which the first
    level is drawn, in `colours` (uint8 [F, 3])."""
    levels = np.atleast_2d(indices)
    seconds = max(len(panel.wave) for panel in panels) / SAMPLE_RATE
    parts = [_panel(panel) for panel in panels]
    strip = image(colours[None], "PNG")
    first = f" of the first of {len(levels)} levels" if len(levels) > 1 else ""
    parts.append(
        f'<figure class="vq-panel"><figcaption>codes{first}<span>{levels.shape[1]} codes, '
        f"{len(np.unique(levels[0]))} different; alike sounds, alike colours</span></figcaption>"
        f'<div class="vq-plot vq-codes"><img alt="a colour for each code" src="{strip}"></div>'
        f"{_ticks(seconds)}</figure>"
    )
    return f'<div class="vq-picture">{"".join(parts)}</div>'


def _panel(panel: Panel) -> str:
    median, curve = _pitch(panel.wave)
    about = f"median pitch {median:.0f} Hz" if median else "no pitch found"
    title = html.escape(panel.title)
    return (
        f'<figure class="vq-panel"><figcaption>{title}<span>{about}</span></figcaption>'
        f'<div class="vq-plot"><img alt="spectrogram of {title}, 0 to 8 kHz" '
        f'src="{image(spectrogram(panel.wave), "WEBP")}">'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">{curve}</svg>'
        f'<b class="vq-top">8 kHz</b><b class="vq-bottom">0</b></div></figure>'
    )


def _ticks(seconds: float) -> str:
    step = next(s for s in (0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 1e9) if seconds / s <= 8)
    marks = np.arange(0, seconds - 0.3 * step, step)
    texts = (f'<i style="left:{100 * m / seconds:.2f}%">{m:g} s</i>' for m in marks)
    return f'<div class="vq-ticks">{"".join(texts)}</div>'


def _pitch(wave: np.ndarray) -> tuple[float | None, str]:
    """(median F0 in Hz, SVG curves over 100 x 100 on a log scale) of `wave` [T]."""
    track = pitch.track(wave, quick=True) if is_scorable(wave) else None
    if track is None or not track.voiced.any():
        return None, ""
    span = np.log(HIGHEST_HZ / LOWEST_HZ)
    places = np.linspace(0, 100, len(track.f0))
    runs, run = [], []
    for x, f0 in zip(places, track.f0, strict=True):
        if np.isfinite(f0):
            run.append(f"{x:.2f},{100 * (1 - np.log(f0 / LOWEST_HZ) / span):.1f}")
        elif run:
            runs.append(run)
            run = []
    lines = (" ".join(points) for points in [*runs, run] if len(points) > 1)
    curves = "".join(f'<polyline points="{line}"/>' for line in lines)
    median = float(np.median(track.f0[track.voiced]))
    return median, f'<g class="vq-under">{curves}</g><g class="vq-pitch">{curves}</g>'


def code_colours(codebook: np.ndarray) -> np.ndarray:
    """A colour (uint8 [K, 3]) for each vector of `codebook` [K, D]: near vectors, near colours.

    The three main directions of the codebook become red, green and blue, each by rank.
    """
    centred = codebook - codebook.mean(0)
    parts = np.linalg.svd(centred, full_matrices=False)[0][:, :3]
    parts = np.pad(parts, ((0, 0), (0, 3 - parts.shape[1])))
    ranks = parts.argsort(0).argsort(0) / max(1, len(parts) - 1)
    return (40 + 200 * ranks).astype(np.uint8)
