"""Speakers of a model: what they may be, and which one is meant."""

import pytest

from vqspeech import InputError
from vqspeech.checkpoint.speakers import Speaker, find_row, near_misses, select

TABLE = [
    Speaker("anna", "f", 12.5),
    Speaker("bert", "m", 3.25),
    Speaker("p225", "f", 20.0),
    Speaker("other", "", 40.0),
]
NAMES = [speaker.name for speaker in TABLE]


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"gender": "female"}, "gender"),
        ({"gender": ["f"]}, "gender"),
        ({"minutes": -1.0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"minutes": "12"}, "minutes"),
        ({"f0": 1e4}, "f0"),
        ({"f0": None}, "f0"),
    ],
)
def test_impossible_speakers(row, word):
    with pytest.raises(InputError, match=word) as caught:
        Speaker(**{"name": "anna"} | row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("row", [None, "anna", [], {}, {"gender": "f"}])
def test_rows_without_a_name(row):
    with pytest.raises(InputError, match="without a name"):
        Speaker.from_dict(row)


@pytest.mark.parametrize("row", [{"name": "anna", "gender": "f", "minutes": 3.5}, {"f0": 201.5}])
def test_a_row_of_json_comes_back(row):
    row = {"name": "bert", "gender": "", "minutes": 0.0} | row
    assert Speaker.from_dict(row).to_dict() == row
    assert Speaker.from_dict(row | {"age": 30}).to_dict() == row


@pytest.mark.parametrize(
    ("wrote", "meant"), [("ANNA", "anna"), ("ana", "anna"), ("225", "p225"), ("brt ", "bert")]
)
def test_near_misses(wrote, meant):
    assert near_misses(NAMES, wrote)[0] == meant
    with pytest.raises(InputError, match=f"nearest names are {meant}"):
        find_row(TABLE, wrote)


def test_what_is_near_nothing_gets_some_names():
    assert near_misses(NAMES, "") == NAMES[:3]
    assert near_misses(NAMES, "zzz", 2) == NAMES[:2]


def test_select_filters_and_sorts():
    def names(*arguments):
        return [speaker.name for speaker in select(TABLE, *arguments)]

    assert names() == NAMES
    assert names("f", 0, "minutes") == ["p225", "anna"]
    assert names(None, 12.5, "name") == ["anna", "other", "p225"]
    with pytest.raises(InputError, match="at most 40.0 minutes"):
        select(TABLE, "m", 7.0)
