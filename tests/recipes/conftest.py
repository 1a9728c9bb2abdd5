"""The scripts of recipes/vctk/local, and a miniature corpus of either release."""

import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "recipes" / "vctk" / "local"))


@pytest.fixture(scope="session", params=["0.92", "0.80"])
def miniature(request, tmp_path_factory):
    """(folder, release) of a corpus of eight NumPy voices; not to be changed."""
    import miniature

    folder = tmp_path_factory.mktemp("vctk") / request.param
    return miniature.make(folder, request.param, utterances=6), request.param
