import math
import subprocess
import sys

import numpy as np
import pytest

from vqspeech.evaluation.metrics import recognisers
from vqspeech.evaluation.metrics import scores as metrics
from vqspeech.evaluation.metrics.estoi import estoi
from vqspeech.evaluation.metrics.mel import mel_distance
from vqspeech.evaluation.metrics.pesq import pesq_wb
from vqspeech.evaluation.metrics.scores import score
from vqspeech.evaluation.metrics.table import METRICS


def noisy(voice, amount, seed=0):
    noise = np.random.default_rng(seed).standard_normal(len(voice))
    return (voice + amount * noise).astype(np.float32)


def test_the_mel_distance_of_a_gain_is_the_gain_in_db(voice):
    assert mel_distance(voice, voice) == 0
    loud = noisy(np.zeros(32_000), 0.1)
    assert mel_distance(loud, 0.5 * loud) == pytest.approx(20 * math.log10(2), abs=0.01)


def test_the_mel_distance_ignores_what_is_70_db_down(voice):
    assert mel_distance(voice, noisy(voice, 1e-7)) < 0.01
    assert mel_distance(voice, noisy(voice, 1e-2)) > 3


def test_metrics_fall_with_noise(voice):
    little, much = noisy(voice, 0.01), noisy(voice, 0.2)
    assert estoi(voice, voice) == pytest.approx(1, abs=1e-6)
    assert 1 > estoi(voice, little) > estoi(voice, much)
    assert pesq_wb(voice, voice) == pytest.approx(4.64, abs=0.01)
    assert pesq_wb(voice, voice) > pesq_wb(voice, little) > pesq_wb(voice, much) >= 1
    assert mel_distance(voice, little) < mel_distance(voice, much)


@pytest.mark.parametrize("samples", [0, 1, 3199, 4000, 6000])
@pytest.mark.parametrize("quiet", [False, True])
def test_what_is_short_or_silent_is_nan_and_never_an_error(voice, samples, quiet):
    reference, other = noisy(voice, 0)[:samples], noisy(voice, 0.01)[:samples]
    if quiet:
        other = np.zeros_like(other)
    for metric in (estoi, pesq_wb, mel_distance):
        value = metric(reference, other)
        assert math.isnan(value) or abs(value) < 200
        assert math.isnan(metric(np.zeros_like(reference), other))
    assert math.isnan(estoi(reference, other))  # there is not yet 0.4 s of speech


def test_many_utterances_do_not_kill_the_process():
    """PESQ's tables hold 50 utterances; a minute of bursts has 120."""
    code = """
import numpy as np
from vqspeech.evaluation.metrics.pesq import pesq_wb
rng = np.random.default_rng(0)
x = (0.1 * rng.standard_normal((120, 8000)) * (np.arange(8000) < 4000)).ravel().astype("f4")
print(1 <= pesq_wb(x, x + 1e-3 * rng.standard_normal(len(x)).astype("f4")) <= 4.65)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "True"), done.stderr


def test_score_of_the_original_is_perfect(voice):
    scores = score(voice, None, groups=("f0", "mel", "estoi", "pesq"))
    assert scores["mel_distance"] == scores["delay_ms"] == 0
    assert scores["voicing_agreement"] == 100
    assert scores["f0_correlation"] == pytest.approx(1)
    assert scores["estoi"] == pytest.approx(1, abs=1e-6)


def test_level_delay_and_length_do_not_count(voice):
    late = np.concatenate([np.zeros(320, np.float32), 3 * voice, np.zeros(99, np.float32)])
    scores = score(voice, late, groups=("mel", "estoi"))
    assert scores["delay_ms"] == 20
    assert scores["mel_distance"] < 0.1
    assert scores["estoi"] > 0.99


def test_words_are_counted_against_the_transcript_and_the_original(voice, monkeypatch):
    def recognise(samples):
        return ["a", "b"] if np.array_equal(samples, voice) else ["a", "x", "c"]

    monkeypatch.setattr(metrics.words, "recognise", recognise)
    scores = score(voice, noisy(voice, 0.1), "A b C", ("words",))
    assert scores["words_right"] == pytest.approx(200 / 3)
    assert scores["word_error"] == pytest.approx(100 / 3)
    assert scores["words_kept"] == 50
    assert (scores["words"], scores["kept"]) == (3, 2)


def test_without_a_transcript_words_are_only_compared_with_the_original(voice, monkeypatch):
    monkeypatch.setattr(metrics.words, "recognise", lambda samples: ["a"])
    scores = score(voice, None, None, ("words",))
    assert math.isnan(scores["words_right"]) and math.isnan(scores["word_error"])
    assert scores["words_kept"] == 100


def test_each_recogniser_has_figures_of_its_own(voice, whisper, monkeypatch):
    monkeypatch.setattr(metrics.words, "recognise", lambda samples: ["a"])
    whisper.says = lambda samples: "A, b." if np.array_equal(samples, voice) else "A x b"
    one, both = (recognisers.choose(n, whisper.folder)[0] for n in (["whisper"], None))
    scores = score(voice, noisy(voice, 0.1), "A b", ("words",), one)
    assert scores["whisper_words_right"] == scores["whisper_words_kept"] == 100
    assert scores["whisper_word_error"] == 50
    assert (scores["words"], scores["whisper_kept"]) == (2, 2)
    assert not {"words_right", "words_kept", "kept"} & set(scores)
    more = score(voice, noisy(voice, 0.1), "A b", ("words",), both)
    assert more == scores | {"words_right": 50, "word_error": 50, "words_kept": 100, "kept": 1}
    assert len(whisper.asked) == 4, "each signal is heard once by each"


@pytest.mark.parametrize("samples", [0, 1, 3999, 16_000])
def test_silent_and_short_originals_are_nan_in_everything(samples):
    scores = score(np.zeros(samples, np.float32), np.ones(samples, np.float32))
    for metric in METRICS:
        assert math.isnan(scores[metric.name])


@pytest.mark.parametrize("fault", ["silence", "nan", "empty"])
def test_a_broken_decoder_ends_in_figures_not_in_an_error(voice, fault):
    voice = voice[:16_000]
    decoded = {"silence": 0 * voice, "nan": np.nan * voice, "empty": voice[:0]}[fault]
    scores = score(voice, decoded, "a word")
    assert math.isnan(scores["dnsmos_ovrl"]) and math.isnan(scores["speaker_similarity"])
    assert math.isnan(scores["f0_correlation"])
    assert scores["words_right"] == 0
    assert scores["voicing_agreement"] < 80


def test_every_metric_of_the_table_is_computed(voice, whisper):
    voice = voice[:16_000]
    hearing, _ = recognisers.choose(None, whisper.folder)
    scores = score(voice, noisy(voice, 0.01), "a word", recognisers=hearing)
    assert {metric.name for metric in METRICS} <= set(scores)
    assert {metric.weight for metric in METRICS if metric.weight} <= set(scores)
