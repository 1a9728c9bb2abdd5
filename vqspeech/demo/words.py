"""What the page says, as HTML and Markdown."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from vqspeech.codes.codes import Codes
from vqspeech.demo.studio import Studio
from vqspeech.errors import InputError

LARGEST_SEED = 2**31 - 1
LONGEST_CARD = 20_000
"""Characters of a model card that are shown."""
OWN = "its own voice"
CONSENT = (
    "Convert or imitate only voices whose owners agreed. A converted voice is not evidence that "
    "anybody said anything: say so when you pass one on."
)


def heading(studio: Studio) -> str:
    codec = studio.codec
    more = f" (or up to {codec.bit_rates[-1]:g})" if codec.levels > 1 else ""
    return (
        '<header class="vq-head"><h1>vqspeech</h1>'
        f"<p>Speech as {codec.frame_rate:g} codes a second out of {codec.codebook_size}, "
        f"{codec.bit_rate:g} bit/s{more}, and back in any of {len(codec.speakers)} voices.</p>"
        f'<p class="vq-consent">{CONSENT}</p></header>'
    )


def renderer(how: str) -> str:
    """The label of a way to make sound, as honest as it is short."""
    if how == "preview":
        return "Preview: Griffin-Lim, not the codec's own decoder; quick"
    return "WaveNet: the codec's decoder"


def automatic(studio: Studio) -> tuple[str, str]:
    """(what to show, value) of the voice that nobody has to choose."""
    how = "heard in the recording" if studio.hears else "found automatically"
    return (f"{OWN if studio.hears else 'the closest voice'}, {how}", "")


def codec_note(studio: Studio) -> str:
    codec = studio.codec
    voice = "The voice comes from the speaker chosen here."
    if studio.hears:
        values = codec.config.conditioning.speaker_dim
        voice = (
            f"The voice comes from {values} numbers that are heard once, in the first seconds, or "
            "from the speaker chosen here."
        )
    passes = f"{codec.bit_rate:g} bit/s are"
    if codec.levels > 1:
        passes = "These bits are"
    return (
        f'<p class="vq-note">{passes} all that passes from the recording to the decoder: what is '
        f"said and how, hardly who says it. {voice}</p>"
    )


def idle() -> str:
    return _status("", "ready")


def stopped(status: str) -> str | None:
    """What the line says once the work has been stopped; None: as it does, as there was none."""
    return _status("", "stopped") if _is(status, "vq-busy") else None


def busy(what: str, share: float) -> str:
    """A line with how far the work is, 0 to 1."""
    bar = f'<progress max="1" value="{share:.3f}"></progress>'
    return _status("vq-busy", f"{html.escape(what)} {bar} {100 * share:.0f} %")


def failed(error: InputError) -> str:
    return _status("vq-failed", html.escape(str(error)), role="alert")


def mended(status: str) -> str | None:
    """What the line says once something has been changed that it found fault with; None: as it
    does."""
    return idle() if _is(status, "vq-failed") else None


def done(studio: Studio, codes: Codes, how: str, what: str, remarks: Sequence[str] = ()) -> str:
    """What has been made; remarks: what is to be said of the recordings that it was made of."""
    made = "by the preview (Griffin-Lim)" if how == "preview" else "by the WaveNet"
    bits = codes.bits_per_second(studio.codec.codebook_size)
    each = f" of each of {codes.levels} levels" if codes.levels > 1 else ""
    return _status(
        "vq-done",
        f"{html.escape(what)}: {codes.seconds:.2f} s, {codes.frames} codes{each}, {bits:g} bit/s, "
        f"made into sound {made}" + "".join(f"<p>{html.escape(remark)}</p>" for remark in remarks),
    )


def _status(kind: str, text: str, role: str = "status") -> str:
    return f'<div class="vq-status {kind}" role="{role}">{text}</div>'


def _is(status: str, kind: str) -> bool:
    """Whether a line is of that kind, whatever names stand in it."""
    return status.startswith(f'<div class="vq-status {kind}"')


def seed(number: float | None) -> int:
    """What stands in the field as a seed. Raises InputError."""
    if number is None or not 0 <= number <= LARGEST_SEED or number != int(number):
        raise InputError(f"the seed must be a whole number from 0 to {LARGEST_SEED}")
    return int(number)


def next_seed(number: float | None) -> int:
    """One more; 0 after the largest, and where there is none."""
    return 0 if number is None or not 0 <= number < LARGEST_SEED else int(number) + 1


def sizes(rows: list[tuple[str, int, float]]) -> str:
    """A table of (what, bytes, bit/s), with bars."""
    most = max(size for _, size, _ in rows)
    lines = "".join(
        f"<tr><th>{html.escape(what)}</th><td>{size:,} bytes</td><td>{rate:,.0f} bit/s</td>"
        f'<td class="vq-bar"><i style="width:{max(0.3, 100 * size / most):.2f}%"></i></td></tr>'
        for what, size, rate in rows
    )
    return f'<table class="vq-sizes"><caption>The same sound as a file</caption>{lines}</table>'


def about(studio: Studio, card: Path) -> str:
    """The model card, and what to know before using this. Markdown."""
    try:
        text = card.read_text(encoding="utf-8", errors="replace")[:LONGEST_CARD]
    except OSError:
        text = "This model has no card: ask whoever made it what it was trained on."
    text = re.sub(r"^#", "###", text, flags=re.MULTILINE)
    limits = studio.limits
    return (
        f"## Consent and misuse\n\n{CONSENT} Imitating somebody to deceive, harass or get past a "
        "voice check is wrong, and in many places a crime. The trained voices are those of people "
        "who read for public corpora; nobody asked them about words put in their mouths."
        "\n\n"
        "## What happens to a recording\n\nIt stays on the computer that runs this page, is used "
        f"for nothing but your request, and is removed {limits.keep_minutes:g} minutes after it "
        f"was last used. At most {limits.seconds:g} s and {limits.megabytes:g} MB.\n\n"
        f"## The model\n\n{text}\n"
    )
