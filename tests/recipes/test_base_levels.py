"""recipes/base/levels.py: what each rate keeps, a row a rate."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vqspeech.errors import InputError

pytest.importorskip("resemblyzer")
pytest.importorskip("pesq")
pytest.importorskip("pocketsphinx")


class Noisy:
    """A codec of two rates: by the higher one it gives back what it heard, else half noise."""

    bit_rates = (500.0, 1000.0)

    def __init__(self):
        self.heard, self.searched = [], []

    def encode(self, wave, bitrate, search):
        self.searched.append(search)
        return wave, bitrate

    def decode(self, codes, speaker, preview):
        assert preview
        wave, rate = codes
        self.heard.append((speaker, len(wave)))
        noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
        return wave if rate == 1000 else wave + wave.std() * noise


@pytest.fixture
def script(base_script, monkeypatch):
    made, codec = base_script("levels"), Noisy()
    monkeypatch.setattr(made, "codec_of", lambda model: codec)
    made.codec = codec
    monkeypatch.setattr(made, "workers", lambda jobs: ThreadPoolExecutor(1))
    monkeypatch.setattr(made, "SECONDS", (1.0, 5.0))
    monkeypatch.setattr(made, "transcripts_by_name", lambda manifest: {})
    return made


def test_a_row_for_each_rate(script, packed_voices, monkeypatch, capfd):
    arguments = [packed_voices, "manifest.tsv", "shipped", "--utterances", 2]
    monkeypatch.setattr(sys, "argv", ["levels.py", *map(str, arguments)])
    script.main()
    said = capfd.readouterr().out.splitlines()
    head, _, *rows = (line.strip("| ").split(" | ") for line in said)
    assert head == ["model", "bit/s", *script.COLUMNS, "PESQ", "words (pocketsphinx), %"]
    low, high = (dict(zip(head[1:], map(float, row[1:]), strict=True)) for row in rows)
    assert (low["bit/s"], high["bit/s"]) == (500, 1000)
    assert high["log-mel, dB"] < 0.1 < low["log-mel, dB"]
    assert high["PESQ"] > 4.5 > low["PESQ"] and high["ESTOI"] > 0.99 > low["ESTOI"]


def test_strangers_have_another_speed_and_their_own_voice(
    script, packed_voices, monkeypatch, capfd
):
    arguments = [packed_voices, "manifest.tsv", "shipped", "--utterances", 1]
    for more in ([], ["--strangers", "--search"]):
        monkeypatch.setattr(sys, "argv", ["levels.py", *map(str, arguments), *more])
        script.main()
    assert script.codec.searched == [False, False, True, True]
    usual, slow = script.codec.heard[0], script.codec.heard[2]
    assert usual[0] and slow[0] is None
    assert slow[1] == pytest.approx(usual[1] / script.SPEEDS[0], abs=1)


def test_a_corpus_without_such_utterances(script, packed_voices, monkeypatch):
    monkeypatch.setattr(script, "SECONDS", (60.0, 70.0))
    monkeypatch.setattr(sys, "argv", ["levels.py", str(packed_voices), "manifest.tsv", "shipped"])
    with pytest.raises(InputError, match="none of its split valid has 60 to 70 s"):
        script.main()
