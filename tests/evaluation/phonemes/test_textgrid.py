import pytest
from textgrids import LONG

from vqspeech.errors import InputError
from vqspeech.evaluation.phonemes.textgrid import parse_textgrid

SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
1.5
<exists>
1
"IntervalTier"
"anna - phones"
0
1.5
2
0
0.5
""
0.5
1.5
"AH0"
"""


@pytest.mark.parametrize("text", [LONG, SHORT, LONG.replace("\n", "\r\n")])
def test_the_tier_of_phones_is_found(text):
    assert parse_textgrid(text) == [(0.0, 0.5, ""), (0.5, 1.5, "AH0")]


@pytest.mark.parametrize(
    "text, words",
    [
        ("", "ends where"),
        ("0 1 AH\n", "where a text in quotes belongs"),
        (LONG.replace('"TextGrid"', '"Sound"'), "is not a TextGrid"),
        (LONG.replace("<exists>", "<absent>"), "has no tiers"),
        (LONG.replace('"phones"', '"sounds"'), "words, clicks (points), sounds"),
        (LONG.replace("xmax = 0.5", "xmax = much"), "'\"\"' where a number belongs"),
        (LONG.replace("xmax = 0.5", "xmax = 1.2.3"), "'1.2.3' where a number belongs"),
        (LONG.replace("intervals: size = 2", "intervals: size = -2"), "where a count belongs"),
        (LONG.replace("intervals: size = 2", "intervals: size = 999999999"), "ends where"),
        (LONG.replace('"TextTier"', '"PitchTier"'), "unknown kind 'PitchTier'"),
        (LONG[:-10], "ends where a text in quotes belongs"),
    ],
)
def test_what_is_no_textgrid_is_refused(text, words):
    with pytest.raises(InputError) as refused:
        parse_textgrid(text)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
