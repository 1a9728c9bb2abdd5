"""The line that says what the page does, and the tones that words stand in."""

import re

import pytest

pytest.importorskip("gradio")
from vqspeech import InputError
from vqspeech.demo import words
from vqspeech.demo.style import theme


def test_a_fault_is_taken_back_once_something_has_been_changed():
    assert "ready" in (words.mended(words.failed(InputError("no recording yet"))) or "")
    for status in (words.idle(), words.busy("vq-failed.wav", 0.5)):
        assert words.mended(status) is None


def test_what_does_not_run_is_not_stopped():
    assert "stopped" in (words.stopped(words.busy("reading", 0.5)) or "")
    for status in (words.idle(), words.failed(InputError("no recording yet"))):
        assert words.stopped(status) is None


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (Web Content Accessibility Guidelines 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", ["", "_dark"])
@pytest.mark.parametrize(
    ("text", "ground"),
    [
        ("body_text_color_subdued", "background_fill_primary"),
        ("block_info_text_color", "block_background_fill"),
        ("block_title_text_color", "block_title_background_fill"),
        ("block_label_text_color", "block_label_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill"),
        ("button_primary_text_color", "button_primary_background_fill_hover"),
        ("checkbox_label_text_color_selected", "checkbox_label_background_fill_selected"),
        ("link_text_color", "background_fill_primary"),
    ],
)
def test_words_stand_out(text, ground, dark):
    found = theme()

    def colour(name: str) -> str:
        value = getattr(found, name + dark, None) or getattr(found, name)
        while (reference := re.fullmatch(r"\*(\w+)", value)) is not None:
            name = reference[1]
            value = getattr(found, name + dark, None) or getattr(found, name)
        return {"white": "#ffffff", "black": "#000000"}.get(value, value)

    bright, dim = sorted((luminance(colour(text)), luminance(colour(ground))), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5, (colour(text), colour(ground))
