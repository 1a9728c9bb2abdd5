import sys

import pytest

from vqspeech.errors import InputError
from vqspeech.evaluation import extras


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(InputError, match=r"pip install 'vqspeech\[eval\]'"):
        extras.require("pesq")
    with pytest.raises(InputError, match=r"vqspeech\[eval\].*missing: no_such_thing, pesq"):
        extras.check(["json", "pesq", "no_such_thing"])


def test_what_is_there_is_given():
    assert extras.require("json").dumps([1]) == "[1]"
    extras.check(["json"])
