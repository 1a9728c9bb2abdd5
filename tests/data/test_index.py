import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from voices import corpus

from vqspeech.data.corpus import Utterance
from vqspeech.data.index import choose_splits
from vqspeech.data.pack import pack
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError


def utterances(counts):
    return [
        Utterance(f"s{row}", f"u{i}", Path("x")) for row, n in enumerate(counts) for i in range(n)
    ]


@given(st.lists(st.integers(1, 12), min_size=1, max_size=8), st.floats(0, 1))
def test_every_speaker_keeps_an_utterance_for_training(counts, fraction):
    found = utterances(counts)
    splits = choose_splits(found, fraction)
    trained = {u.speaker for u, split in zip(found, splits, strict=True) if split == "train"}
    assert trained == {u.speaker for u in found}
    assert ("valid" in splits) == (fraction > 0 and max(counts) > 1)


def test_the_fraction_is_about_right_and_choices_do_not_move():
    found = utterances([100] * 50)
    splits = choose_splits(found, 0.05)
    assert 0.03 < splits.count("valid") / len(found) < 0.07
    assert choose_splits(found[:2000], 0.05) == splits[:2000]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    root = tmp_path_factory.mktemp("packed")
    pack(corpus(root / "in", {"abe": 2, "zoe": 2}, 0.3), root / "out", 1, 0.3, 0, progress=False)
    return root / "out"


HUGE = 2**62
DAMAGE = {
    "other version": lambda i: i.update(version=99),
    "other rate": lambda i: i.update(sample_rate=8000),
    "other level": lambda i: i.update(level_db=-20),
    "no speakers key": lambda i: i.pop("speakers"),
    "no speakers": lambda i: i.update(speakers=[]),
    "speaker twice": lambda i: i["speakers"][1].update(name="abe"),
    "nameless speaker": lambda i: i["speakers"][1].update(name=None),
    "speakers as text": lambda i: i.update(speakers=["abe", "zoe"]),
    "gender list": lambda i: i["speakers"][0].update(gender=[]),
    "minutes text": lambda i: i["speakers"][0].update(minutes="many"),
    "source number": lambda i: i.update(source=3),
    "shared text": lambda i: i.update(shared="x"),
    "shard missing": lambda i: i["shards"].append(0),
    "shard larger": lambda i: i["shards"].__setitem__(0, i["shards"][0] + 1),
    "shards number": lambda i: i.update(shards=1),
    "no utterances": lambda i: i.update(
        utterances={key: [] for key in ("speaker", "name", "split", "shard", "offset", "samples")}
    ),
    "short column": lambda i: i["utterances"]["name"].pop(),
    "no column": lambda i: i["utterances"].pop("name"),
    "name number": lambda i: i["utterances"]["name"].__setitem__(0, 1),
    "split unknown": lambda i: i["utterances"]["split"].__setitem__(0, "test"),
    "split list": lambda i: i["utterances"]["split"].__setitem__(0, []),
    "speaker row": lambda i: i["utterances"]["speaker"].__setitem__(0, 2),
    "negative row": lambda i: i["utterances"]["speaker"].__setitem__(0, -1),
    "shard row": lambda i: i["utterances"]["shard"].__setitem__(0, 1),
    "float offset": lambda i: i["utterances"]["offset"].__setitem__(0, 0.0),
    "boolean offset": lambda i: i["utterances"]["offset"].__setitem__(0, False),
    "no samples": lambda i: i["utterances"]["samples"].__setitem__(0, 0),
    "beyond the end": lambda i: i["utterances"]["offset"].__setitem__(3, 1 << 40),
    "overflowing sum": lambda i: (
        i["utterances"]["offset"].__setitem__(0, HUGE),
        i["utterances"]["samples"].__setitem__(0, HUGE),
    ),
    "beyond 64 bits": lambda i: i["utterances"]["samples"].__setitem__(0, 2**70),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_index_is_refused(packed, tmp_path, name):
    index = json.loads((packed / "index.json").read_text())
    DAMAGE[name](index)
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "audio-00000.bin").symlink_to(packed / "audio-00000.bin")
    with pytest.raises(InputError, match="prepare the corpus again") as caught:
        PackedCorpus(tmp_path)
    assert str(tmp_path / "index.json") in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("written", "gender"), [("female", "f"), ("M", "m"), ("x", ""), ("", "")])
def test_an_older_index_has_genders_as_manifests_had_them(packed, tmp_path, written, gender):
    index = json.loads((packed / "index.json").read_text())
    index["speakers"][0]["gender"] = written
    (tmp_path / "index.json").write_text(json.dumps(index))
    (tmp_path / "audio-00000.bin").symlink_to(packed / "audio-00000.bin")
    assert PackedCorpus(tmp_path).speaker_table[0].gender == gender


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"3", b"null", b"[" * 100_000, b"{}"])
def test_not_an_index(tmp_path, content):
    (tmp_path / "index.json").write_bytes(content)
    with pytest.raises(InputError, match="prepare the corpus again"):
        PackedCorpus(tmp_path)


def test_no_index(tmp_path):
    with pytest.raises(InputError, match="not a prepared corpus"):
        PackedCorpus(tmp_path)
