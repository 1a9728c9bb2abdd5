import pytest

from vqspeech.data.corpus import Utterance, find_utterances
from vqspeech.data.manifest import read_rows
from vqspeech.errors import InputError


def tree(root, *files):
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def names(utterances):
    return [(u.speaker, u.name) for u in utterances]


def test_speaker_folders_sorted_and_hidden_ones_skipped(tmp_path):
    tree(
        tmp_path,
        "zoe/b.wav",
        "zoe/a.FLAC",
        "abe/book/2.mp3",
        "abe/book/10.Ogg",
        "abe/1.opus",
        "abe/.hidden.wav",
        "abe/._1.opus",
        ".git/x.wav",
        "abe/.old/x.wav",
        "abe/notes.txt",
        "loose.wav",
    )
    found = find_utterances(tmp_path)
    assert names(found) == [
        ("abe", "1"),
        ("abe", "book/10"),
        ("abe", "book/2"),
        ("zoe", "a"),
        ("zoe", "b"),
    ]
    assert found[3] == Utterance("zoe", "a", tmp_path / "zoe" / "a.FLAC", "")


def test_folder_errors(tmp_path):
    with pytest.raises(InputError, match="no such folder.*ROOT/<speaker>"):
        find_utterances(tmp_path / "no")
    tree(tmp_path, "a.wav", "b.wav", "texts/a.txt")
    with pytest.raises(InputError, match=r"found 1 folders without audio and 2 audio files"):
        find_utterances(tmp_path)
    with pytest.raises(InputError, match="splits need a manifest"):
        find_utterances(tmp_path, splits="train")
    tree(tmp_path, "abe/1.wav", "abe/1.flac")
    with pytest.raises(InputError, match="two utterances named 1"):
        find_utterances(tmp_path)


TSV = """\
split\tspeaker\tutterance\tfile\tgender\ttranscript
train\tzoe\tu2\tt/u2.opus\tf\tA "LONE QUOTE
train\tabe\tu1\tt/u1.opus\tm\tHELLO
test\tabe\tu0\te/u0.flac\t\tHELLO
"""


@pytest.fixture
def manifest(tmp_path):
    path = tmp_path / "manifest.tsv"
    path.write_text(TSV, encoding="utf-8")
    return path


def test_manifest(manifest, tmp_path):
    assert names(find_utterances("", manifest)) == [("abe", "u0"), ("abe", "u1"), ("zoe", "u2")]
    found = find_utterances("", manifest, "train")
    assert found[0] == Utterance("abe", "u1", tmp_path / "t/u1.opus", "m", "train")
    assert len(found) == 2
    assert len(find_utterances("", manifest, "train, test")) == 3
    assert names(find_utterances("", manifest, ["test"])) == [("abe", "u0")]


@pytest.mark.parametrize(
    ("written", "gender"), [("m", "m"), ("Female", "f"), ("x", ""), ("Mrs", ""), ("", "")]
)
def test_an_odd_gender_of_a_manifest_is_unknown_and_said(tmp_path, written, gender):
    manifest, said = tmp_path / "m.tsv", []
    manifest.write_text(f"speaker\tfile\tgender\nabe\t1.wav\t{written}\n")
    assert find_utterances("", manifest, say=said.append)[0].gender == gender
    line = f"{manifest}: 1 row has a gender that is not understood, as {written!r}; write f or m"
    assert said == ([line] if written and not gender else [])


def test_odd_genders_are_counted_in_one_line(tmp_path):
    manifest, said = tmp_path / "m.tsv", []
    rows = [f"abe\t{i}.wav\t{written}\n" for i, written in enumerate(("m", "mixed", "", "Mrs"))]
    manifest.write_text("speaker\tfile\tgender\n" + "".join(rows))
    find_utterances("", manifest, say=said.append)
    assert said == [
        f"{manifest}: 2 rows have a gender that is not understood, as 'mixed'; write f or m"
    ]


def test_csv_with_the_least_columns(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text('\ufefffile,speaker\n"a, b.wav",abe\n', encoding="utf-8")
    assert find_utterances("", path) == [Utterance("abe", "a, b", tmp_path / "a, b.wav", "")]


@pytest.mark.parametrize(
    ("content", "splits", "message"),
    [
        (b"speaker\tpath\na\tb\n", None, "no column file.*names: speaker, path"),
        (b"", None, "is empty"),
        (b"speaker\tfile\na\tb.wav\n", "train", "no column split"),
        (TSV.encode(), "train,valid", "no split 'valid'; choose from test, train"),
        (b"speaker\tfile\n", None, "names no audio files"),
        (b"speaker\tfile\n\tb.wav\n", None, "line 2 has no speaker; complete"),
        (b"speaker\tfile\n\n\na\n", None, "line 4 has no file; complete"),
        (b"speaker\tfile\na\tb.wav\na\tb.wav\n", None, "two utterances named b"),
        (b"\xff\x00\x00", None, "save it as UTF-8"),
        (b"speaker\tfile\na\tb\xff.wav\n", None, "not a UTF-8"),
        ("speaker\tfile\na\tb.wav\n".encode("utf-16"), None, "in UTF-16.* save it as UTF-8"),
        ("speaker\tfile\na\tb.wav\n".encode("utf-16-be"), None, "in UTF-16.* save it as UTF-8"),
        (b"sep=,\r\nspeaker,file\r\na,b.wav\r\n", None, "a line sep=,, .*remove that line"),
        (b"sep=;\r\nspeaker;file\r\na;b.wav\r\n", None, "a line sep=;, .*remove that line"),
        (b'"SEP=\t"\nspeaker\tfile\na\tb.wav\n', None, "remove that line"),
        (b"speaker,file\n" + b"x" * 200_000, None, "not a UTF-8 TSV or CSV"),
        (b'speaker,file,said\na,b.wav,"Lone\nc,d.wav,x\n', None, "CSV file .unexpected end"),
        (b'speaker,file,said\na,b.wav,"Two\nc,d.wav,"x\n', None, "CSV file .',' expected"),
        (
            b"speaker,said,file\na,x,b.wav,\nc,Yes, sir,d.wav\n",
            None,
            "line 3 has more fields.*quotes",
        ),
        (b"speaker,file,split, speaker\na,b.wav,x,c\n", None, r"m\.tsv: has two columns speaker;"),
        (b"speaker\tfile\na\tb.wav\tc.wav\n", None, "line 2 has more fields .*tabs"),
    ],
)
def test_manifest_errors(tmp_path, content, splits, message):
    path = tmp_path / "m.tsv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        find_utterances("", path, splits)


def test_a_manifest_from_a_spreadsheet(tmp_path):
    manifest = tmp_path / "m.csv"
    lines = ["\ufeffspeaker, split,file", "abe,train,a.wav", "abe , train,b.wav", ",,", " ,,"]
    lines = [f"{line},," for line in lines]  # columns of no name
    manifest.write_bytes("\r\n".join(lines).encode())
    found = find_utterances("", manifest, "train")
    assert names(found) == [("abe", "a"), ("abe", "b")], "one speaker, and no more"
    manifest.write_bytes(b"speaker,file\r\nabe, c.wav\r\n")
    assert find_utterances("", manifest)[0].path == tmp_path / " c.wav", "as the file is called"


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ('"Yes, ""I"" do"', 'Yes, "I" do'),
        ('"a, b"', "a, b"),
        ('""', ""),
        ('""""', '"'),
        ('"', '"'),
        ('"""', '"""'),
        ('"Lone', '"Lone'),
        ('he said "yes"', 'he said "yes"'),
        ('"Yes" or "no"', '"Yes" or "no"'),
        ('""Yes"" ', '""Yes""'),
    ],
)
def test_quotes_that_a_spreadsheet_puts_around_a_cell_between_tabs(tmp_path, cell, text):
    path = tmp_path / "m.tsv"
    path.write_text(f'"speaker"\tfile\ttranscript\n"Smith, Anna"\t"a, b.wav"\t{cell}\n')
    [row], columns = read_rows(path)
    assert columns == ["speaker", "file", "transcript"]
    assert row == {"speaker": "Smith, Anna", "file": "a, b.wav", "transcript": text}


@pytest.mark.parametrize("transcript", ["hello", "well, hello"])
def test_a_manifest_with_semicolons(tmp_path, transcript):
    manifest = tmp_path / "m.csv"
    manifest.write_text(f"speaker;file;transcript\nabe;a.wav;{transcript}\n")
    with pytest.raises(InputError, match=r"m\.csv: has semicolons .*save it with commas or tabs"):
        find_utterances("", manifest)


def test_missing_manifest(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        find_utterances("", tmp_path / "no.tsv")


def test_what_is_left_out_of_a_corpus_is_said(tmp_path):
    tree(tmp_path, "abe/1.wav", "abe/1.txt", "abe/.2.wav", "loose.flac", "README", ".git/x")
    said = []
    assert names(find_utterances(tmp_path, say=said.append)) == [("abe", "1")]
    assert said == [
        f"{tmp_path}: left out 1 in no speaker's folder (loose.flac), "
        "2 of other kinds (README, 1.txt), 2 hidden (.git, .2.wav)"
    ]


def test_linked_speakers_and_linked_folders_are_read(tmp_path):
    tree(tmp_path, "away/1.wav", "in/abe/2.sph", "in/abe/3.m4a")
    (tmp_path / "in/zoe").symlink_to(tmp_path / "away")
    (tmp_path / "in/abe/more").symlink_to(tmp_path / "away")
    (tmp_path / "in/abe/loop").symlink_to(".")
    found = find_utterances(tmp_path / "in")
    assert names(found) == [("abe", "2"), ("abe", "3"), ("abe", "more/1"), ("zoe", "1")]


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("wav/a.b.flac", "wav/a.b"),
        ("./wav/a.flac", "wav/a"),
        ("{root}/wav/a.flac", "wav/a"),
        ("../wav/a.flac", "wav/a"),
        ("{root}/lists/a.flac", "lists/a"),
        ("/data/../data/x/a.flac", "data/x/a"),
    ],
)
def test_a_row_without_a_name_is_named_by_its_file(tmp_path, file, name):
    (tmp_path / "lists").mkdir()
    manifest = tmp_path / "lists" / "m.tsv"
    file = file.format(root=tmp_path)
    manifest.write_text(f"speaker\tfile\nabe\t{file}\n")
    [found] = find_utterances(tmp_path, manifest)
    assert found == Utterance("abe", name, manifest.parent / file)


@pytest.mark.parametrize("file", ["..", ".", "/", "a/.."])
def test_a_row_that_names_no_file(tmp_path, file):
    (tmp_path / "m.tsv").write_text(f"speaker\tfile\nabe\t{file}\n")
    with pytest.raises(InputError, match="names no file"):
        find_utterances(tmp_path, tmp_path / "m.tsv")
