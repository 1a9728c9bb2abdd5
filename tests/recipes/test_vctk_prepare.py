"""Stage 0 on both layouts: manifests, the split, subsets; the report of stage 1."""

import csv
import random

import prepare
import pytest
import report
import split
from layouts import Recording, read_vctk

from vqspeech.data.corpus import find_utterances
from vqspeech.data.pack import pack
from vqspeech.errors import InputError

DRAWN = [1, 80, 124, 179, 205, 248, 296, 316, 320, 365, 372]


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def manifests(miniature, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "manifests"
    prepare.prepare(miniature[0], out)
    return out


def test_manifest_is_what_the_program_reads(manifests):
    rows = table(manifests / "manifest.tsv")
    assert [row["speaker"] for row in rows] == sorted(row["speaker"] for row in rows)
    for name in ("train", "eval-seen", "eval-unseen"):
        found = find_utterances(manifests, manifests / "manifest.tsv", [name])
        assert found and all(utterance.path.is_file() for utterance in found)
        assert len(found) == sum(row["split"] == name for row in rows)
    assert all(0.5 < float(row["seconds"]) < 5 for row in rows)


def test_no_speaker_and_no_prompt_is_shared(manifests):
    rows = table(manifests / "manifest.tsv")
    speakers = {name: {r["speaker"] for r in rows if r["split"] == name} for name in split.SPLITS}
    assert speakers["eval-unseen"] == {"p233", "p252"}
    assert not speakers["train"] & speakers["eval-unseen"]
    assert speakers["eval-seen"] <= speakers["train"]

    def prompts(*names):
        texts = {split.normalised(r["transcript"]) for r in rows if r["split"] in names}
        return texts - {""}

    assert len(prompts("eval-seen")) > 5
    assert not prompts("train") & prompts("eval-seen", "eval-unseen")


def test_again_does_nothing_unless_something_changed(miniature, tmp_path):
    out = tmp_path / "out"
    assert prepare.prepare(miniature[0], out).startswith("wrote")
    stamps = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    assert prepare.prepare(miniature[0], out).startswith("nothing to do")
    assert {path.name: path.stat().st_mtime_ns for path in out.iterdir()} == stamps
    assert prepare.prepare(miniature[0], out, wanted=(2, 9.0)).startswith("wrote")


@pytest.mark.parametrize("mine", ["notes.txt", "summary.json"])
def test_a_folder_of_others_is_not_replaced(miniature, tmp_path, mine):
    out = tmp_path / "out"
    out.mkdir()
    (out / mine).write_text("{}")
    for place in (out, out / mine, miniature[0]):
        with pytest.raises(InputError, match="holds something else, which would be lost"):
            prepare.prepare(miniature[0], place)
    assert (out / mine).read_text() == "{}"
    (out / mine).unlink()
    assert prepare.prepare(miniature[0], out).startswith("wrote"), "an empty one is"


def test_what_a_killed_run_left_is_cleared(miniature, tmp_path):
    left = tmp_path / ".out.partial"
    left.mkdir()
    (left / "junk").touch()
    prepare.prepare(miniature[0], tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_subset(miniature, tmp_path):
    prepare.prepare(miniature[0], tmp_path / "out", wanted=(2, 0.05))
    rows = table(tmp_path / "out" / "manifest.tsv")
    train = [row for row in rows if row["split"] == "train"]
    assert len({row["speaker"] for row in train}) == 2
    for speaker in {row["speaker"] for row in train}:
        seconds = [float(row["seconds"]) for row in train if row["speaker"] == speaker]
        assert sum(seconds[:-1]) < 3 <= sum(seconds)
    assert len({row["speaker"] for row in rows if row["split"] == "eval-unseen"}) == 1
    with pytest.raises(Exception, match="SPEAKERS"):
        prepare.subset("many")
    assert prepare.subset("8,5") == (8, 5.0)


def test_corrupt_files_are_listed_and_reported(tmp_path):
    import miniature

    corpus = miniature.make(tmp_path / "in", "0.92", utterances=6)
    folder = corpus / "wav48_silence_trimmed"
    junk = folder / "p225" / "p225_027_mic1.flac"
    junk.write_bytes(b"not audio")
    whole = (folder / "p226" / "p226_027_mic1.flac").read_bytes()
    cut = folder / "p226" / "p226_027_mic1.flac"
    cut.write_bytes(whole[: len(whole) // 2])  # its header is fine
    for file in list((folder / "s5").iterdir())[1:]:  # a speaker with one file
        file.unlink()
    out = tmp_path / "manifests"
    prepare.prepare(corpus, out)
    assert any(row["what"] == str(junk) for row in table(out / "dropped.tsv"))
    found = find_utterances(out, out / "manifest.tsv", ["train"])
    pack(found, tmp_path / "packed", 1, min_minutes=0.05, progress=False)
    line = report.write_report(out, tmp_path / "packed", tmp_path / "corpus.md")
    text = (tmp_path / "corpus.md").read_text()
    assert "of 6 speakers" in line or "of 5 speakers" in line
    assert str(junk) in text and str(cut) in text and "cut off" in text
    assert "| p225 |" in text


# The committed split


def test_held_out_speakers_are_the_draw_that_the_file_describes():
    rules = split.load_rules()
    numbers = [*range(225, 235), *range(236, 242), *range(243, 289), *range(292, 296)]
    numbers += [*range(297, 309), *range(310, 319), 323, 326, 329, 330, *range(333, 337)]
    numbers += [*range(339, 342), 343, 345, 347, 351, *range(360, 365), 374, 376]
    assert len(numbers) == 109
    names = [f"p{n}" for n in numbers if n not in (280, 315, 362, 376)]
    assert sorted(random.Random(rules.seed).sample(names, 10)) == list(rules.held_out)


def test_split_of_known_prompts_never_moves():
    rules = split.load_rules()
    drawn = [i for i in range(400) if split.is_drawn(rules, split.normalised(f"Sentence {i}."))]
    assert drawn == DRAWN


def test_text_decides_and_not_its_number_or_spelling():
    rules = split.load_rules()
    text = f"Sentence {DRAWN[0]}"
    recordings = [
        Recording("p225", 100, None, text + "."),
        Recording("p226", 200, None, text.lower() + "  !"),
        Recording("p233", 300, None, text),
        Recording("p233", 1, None, "Please call Stella."),
        Recording("p315", 100, None, None),
    ]
    expected = ["eval-seen", "eval-seen", "eval-unseen", "unused", "train"]
    assert split.assign(recordings, rules) == expected
    # Read by everybody as one of the first 24, it is for training, under any number.
    recordings.append(Recording("p227", 24, None, text))
    assert split.assign(recordings, rules)[:3] == ["train", "train", "unused"]


def test_corpus_without_texts_still_has_a_split(tmp_path):
    recordings = [Recording(s, n, tmp_path, None) for s in ("p225", "p233") for n in range(1, 300)]
    splits = split.assign(recordings, split.load_rules())
    assert set(splits) == set(split.SPLITS)


def test_bad_input_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["prepare.py", str(tmp_path), str(tmp_path / "out")])
    assert prepare.main() == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and "is no VCTK corpus" in lines[0]
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="mic 'mic3'"):
        read_vctk(tmp_path, "mic3")
