"""Speakers of a model: what they may be, and which one is meant."""

import pytest

from vqspeech import InputError
from vqspeech.checkpoint.speakers import Speaker, find_row, gender_of, near_misses, select
from vqspeech.config.tables import build

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
        ({"gender": "female"}, "gender"),
        ({"minutes": -1.0}, "minutes"),
        ({"minutes": float("nan")}, "minutes"),
        ({"f0": 1e4}, "f0"),
    ],
)
def test_impossible_speakers(row, word):
    with pytest.raises(InputError, match=word) as caught:
        Speaker(**{"name": "anna\n"} | row)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "word"),
    [
        (None, "table"),
        ("anna", "table"),
        ({}, "name"),
        ({"gender": "f"}, "name"),
        ({"name": None}, "name"),
        ({"name": "anna", "gender": ["f"]}, "gender"),
        ({"name": "anna", "minutes": "12"}, "minutes"),
        ({"name": "anna", "f0": None}, "f0"),
        ({"name": "anna", "age": 30}, "age"),
    ],
)
def test_rows_that_are_no_speakers(row, word):
    with pytest.raises(InputError, match=word):
        build(Speaker, row, "speakers")


@pytest.mark.parametrize("row", [{"name": "anna", "gender": "f", "minutes": 3.5}, {"f0": 201.5}])
def test_a_row_of_json_comes_back(row):
    row = {"name": "bert", "gender": "", "minutes": 0.0} | row
    assert build(Speaker, row, "speakers").to_dict() == row


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


@pytest.mark.parametrize(
    ("gender", "words"),
    {
        "f": "f F Female w Woman girl weiblich female_feminine",
        "m": "m MALE Man boy Männlich male_masculine",
        "": "x Mrs missing multiple mixed mujer Fred unknown other fm",
    }.items(),
)
def test_what_people_write_for_a_gender(gender, words):
    assert [gender_of(word) for word in words.split()] == [gender] * len(words.split())
    assert gender_of("") == ""
