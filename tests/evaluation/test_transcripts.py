import pytest

from vqspeech.data.corpus import find_utterances
from vqspeech.errors import InputError
from vqspeech.evaluation.transcripts import read_transcripts


def test_the_paths_are_those_of_the_corpus(tmp_path):
    manifest = tmp_path / "manifest.tsv"
    rows = ['anna\ta/1.wav\t SAID "SO \n', "anna\ta/2.wav\t\n", "bert\tb/1.wav\tNO\n"]
    manifest.write_text("speaker\tfile\ttranscript\n" + "".join(rows))
    found = read_transcripts(manifest)
    one, two, three = find_utterances(tmp_path, manifest)
    assert found == {one.path: 'SAID "SO', three.path: "NO"}
    assert two.path not in found


def test_commas_and_quotes(tmp_path):
    manifest = tmp_path / "m.csv"
    manifest.write_text('file,transcript\na.wav,"yes, he did"\n')
    assert list(read_transcripts(manifest).values()) == ["yes, he did"]


def test_a_manifest_without_transcripts(tmp_path):
    (tmp_path / "m.tsv").write_text("speaker\tfile\nanna\ta.wav\n")
    assert read_transcripts(tmp_path / "m.tsv") == {}


TWO = b"file\ttranscript\na.wav\tYES\na.wav\tYES\na.wav\tNO\n"


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", TWO])
def test_unreadable_manifests_are_refused(tmp_path, content):
    path = tmp_path / "m.tsv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"m\.tsv"):
        read_transcripts(path)
