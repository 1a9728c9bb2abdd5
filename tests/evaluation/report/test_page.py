import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile

from vqspeech.evaluation.report.markdown import markdown
from vqspeech.evaluation.report.page import EXCERPT_SECONDS, page
from vqspeech.evaluation.report.report import Report, Sample

METHODS = ("original", "preview", "wavenet", "convert-preview", "opus-6000")


@pytest.fixture
def report(usage):
    about = {"model": "<base>", "fingerprint": "00ff", "vqspeech": "0.1.0", "seed": 3, "seeds": 2}
    about |= {"date": "2030-01-02", "temperature": 1.0, "targets": ["bert"], "utterances": 2}
    about |= {"machine": {"processor": "abacus", "cores": 2, "system": "Linux"}}
    about |= {"seconds_of_speech": 12.0, "speakers": 1, "unknown_speaker_utterances": 0}
    about |= {"unknown_speakers_decoded_as": "", "cut_to_first_minute": 0, "samples_per_step": 4}
    scores = {method: {"estoi": 0.9 - 0.1 * i} for i, method in enumerate(METHODS)}
    scores["convert-preview"] = {"target_similarity": 0.7}
    by_seed = {"wavenet": [{"estoi": 0.69}, {"estoi": 0.71}]}
    rates = {"packed": {"coded": 451.0, "file": 510.0}, "prior": {"coded": 241.0, "file": 300.0}}
    rates |= {"opus-6000": {"coded": 6100.0, "file": 8000.0}}
    wave = (0.1 * np.random.default_rng(0).standard_normal(8 * 16_000)).astype(np.float32)
    waves = dict.fromkeys(METHODS, wave) | {"wavenet": np.full(9, np.nan, np.float32)}
    sample = Sample("u1", "anna", {"convert-preview": "bert"}, "SHE <SAID> SO", waves)
    rows = [{"scores": scores, "by_seed": by_seed}] * 2
    return Report(about, usage, {}, METHODS, rows, [], rates, ["no `x`"], [sample])


class Checker(HTMLParser):
    """Gathers addresses, and refuses tags that are not closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.addresses += [value for name, value in attributes if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_well_formed_and_needs_nothing_else(report):
    text = page(report)
    checker = Checker()
    checker.feed(text)
    assert not checker.open
    assert len(checker.addresses) == 8 and all(a.startswith("data:") for a in checker.addresses)
    assert not re.search(r"https?:|@import|url\(|<script|<link", text)
    assert "&lt;base&gt;" in text and "SHE &lt;SAID&gt; SO" in text and "<SAID>" not in text
    assert 'name="viewport"' in text and "prefers-color-scheme: dark" in text


def test_what_can_be_heard_is_what_was_decoded(report):
    text = page(report)
    sounds = re.findall(r'src="data:audio/flac;base64,([^"]+)"', text)
    assert len(sounds) == 4  # what is not finite cannot be played
    found, rate = soundfile.read(io.BytesIO(base64.b64decode(sounds[0])))
    assert rate == 16_000
    expected = report.samples[0].waves["original"][: int(EXCERPT_SECONDS * rate)]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_plots_have_the_codecs_that_have_a_rate(report):
    text = page(report)
    (svg,) = re.findall(r"<svg.*?</svg>", text)
    assert "ESTOI over bit rate" in svg
    assert svg.count('class="mark"') == 3 and svg.count('class="hollow"') == 2
    assert "WaveNet + filter: 0.70 at 451 bit/s" in svg and "Opus 6: 0.50 at 6100 bit/s" in svg
    assert ">original</text>" in svg


def test_tables_and_notes_are_those_of_the_markdown(report):
    text, plain = page(report), markdown(report)
    for fact in ("Reconstruction", "Conversion", "Spread over seeds", "0.020 (0.690 to 0.710)"):
        assert fact in text and fact in plain
    assert "no <code>x</code>" in text
    assert "converted to one of bert" in text
    assert "| bit/s, codes ↓ | - | 451 | 451 | 6100 |" in plain
    assert "| bit/s with the prior, codes ↓ | - | 241 | 241 | - |" in plain
    assert "<td>241</td>" in text


def test_without_recordings_or_rates_there_are_only_tables(report):
    bare = Report(report.about, report.codes, {}, METHODS, report.rows, [])
    text = page(bare)
    assert "<audio" not in text and "<svg" not in text and "<table" in text
