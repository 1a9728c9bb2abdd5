import json
import sys

import numpy as np
import pytest
import soundfile
from synthetic_voice import RATE, sung

from vqspeech.data.corpus import find_utterances
from vqspeech.errors import InputError
from vqspeech.evaluation import codecs, runner
from vqspeech.evaluation.plan import Corpus, Plan, prepare
from vqspeech.evaluation.report.json_form import to_dict
from vqspeech.evaluation.report.markdown import markdown
from vqspeech.synthesis.options import Synthesis


def evaluate(codec, utterances, methods, groups=("mel",), *, said=(), listen=0, **options):
    """`runner.evaluate` of these recordings, in this process."""
    corpus, plan = Corpus(utterances, dict(said)), Plan(methods, groups, **options)
    return runner.evaluate(codec, corpus, plan, jobs=0, listen=listen)


@pytest.fixture
def corpus(tmp_path):
    """Two utterances of anna, whom the model knows, and one of zoe, whom it does not."""
    for i, name in enumerate(("anna/1", "anna/2", "zoe/1")):
        path = tmp_path / "corpus" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, sung(0.8 + 0.2 * i, seed=i)[0], RATE)
    return find_utterances(tmp_path / "corpus")


def test_every_utterance_goes_through_every_method(codec, corpus):
    report = evaluate(codec, corpus, ("original", "preview", "wavenet"), synthesis=Synthesis(7))
    assert [row["utterance"] for row in report.rows] == ["1", "2", "1"]
    assert [call.preview for call in codec.calls] == [True, False] * 3
    assert {call.seed for call in codec.calls} == {7}
    found = report.averages()
    assert found["original"]["mel_distance"].mean == 0
    assert found["wavenet"]["mel_distance"].mean < found["preview"]["mel_distance"].mean
    assert found["preview"]["mel_distance"].count == 3


def test_speakers_keep_their_identity_and_unknown_ones_get_the_stand_in(codec, corpus):
    report = evaluate(codec, corpus, ("preview",))
    assert [call.speaker for call in codec.calls] == ["anna", "anna", "other"]
    assert report.about["unknown_speaker_utterances"] == 1
    evaluate(codec, corpus, ("preview",), speaker="bert")
    assert codec.calls[-1].speaker == "bert"
    codec.speakers = ("bert", "carl")
    evaluate(codec, corpus, ("preview",))
    assert codec.calls[-1].speaker == "bert"


def test_unknown_speakers_are_decoded_in_their_own_voices_where_the_model_hears_them(codec, corpus):
    codec.hears_voices = True
    report = evaluate(codec, corpus, ("preview", "wavenet"))
    assert [call.speaker for call in codec.calls] == ["anna"] * 4 + [None] * 2
    assert [row["identity"] for row in report.rows] == ["anna", "anna", "own voice"]
    assert codec.vectors == [[[0, 0]]] * 4 + [[[1, 0]]] * 2, "as a .vqs file keeps it"
    fact = "2 utterances decoded by the speaker's name, 1 of speakers whom the model does not know "
    own = fact + "decoded in their own voices: as the speaker encoder hears them"
    assert own + ", refined, and" in markdown(report)
    heard = evaluate(codec, corpus, ("wavenet",), refine=False)
    assert codec.vectors[-1] == [[0, 1]]
    assert own + ", and as a .vqs" in markdown(heard)
    # The yardstick.
    report = evaluate(codec, corpus, ("preview",), speaker="other")
    assert codec.calls[-1].speaker == "other" and report.rows[-1]["identity"] == "other"
    assert fact + "decoded as `other`" in markdown(report)
    with pytest.raises(InputError, match="--refine is for own voices"):
        evaluate(codec, corpus, ("preview",), speaker="other", refine=True)


def test_recordings_are_encoded_at_the_rate_that_is_asked_for(codec, corpus):
    evaluate(codec, corpus, ("preview",))
    evaluate(codec, corpus, ("preview",), bitrate=400)
    assert codec.bitrates == [None] * 3 + [400] * 3
    with pytest.raises(InputError, match="bitrate 300 is none"):
        evaluate(codec, corpus, ("preview",), bitrate=300)


def test_codes_are_counted_over_all_files(codec, corpus):
    codes = evaluate(codec, corpus, ("preview",)).codes
    assert (codes["used"], codes["dead"], codes["codebook_size"]) == (8, 8, 16)
    assert codes["perplexity"] == pytest.approx(8, rel=0.01)
    assert codes["bits_per_second"] == pytest.approx(4 * 50)


def test_nats_are_measured_with_the_wavenet_only(codec, corpus):
    nats = evaluate(codec, corpus, ("wavenet",)).nats
    assert nats == pytest.approx({"right": 3.0, "shuffled": 3.5, "difference": 0.5})
    assert evaluate(codec, corpus, ("preview",)).nats == {}


def test_transcripts_reach_the_recogniser(codec, corpus, monkeypatch):
    from vqspeech.evaluation.metrics import words

    monkeypatch.setattr(words, "recognise", lambda samples: ["yes"])
    said = {corpus[0].path: "YES NO"}
    report = evaluate(codec, corpus, ("preview",), ("words",), said=said)
    assert report.averages()["preview"]["words_right"][::2] == (50, 1)
    assert report.averages()["preview"]["words_kept"][::2] == (100, 3)


def test_both_recognisers_stand_in_one_report(codec, corpus, whisper, monkeypatch):
    from vqspeech.evaluation.metrics import recognisers, words

    monkeypatch.setattr(words, "recognise", lambda samples: ["no"])
    hearing, _ = recognisers.choose(None, whisper.folder)
    said, methods = {corpus[2].path: "YES NO MORE"}, ("original", "preview", "convert-preview")
    options = {"said": said, "recognisers": hearing, "targets": ("anna",)}
    report = evaluate(codec, corpus, methods, ("words",), **options)
    for method in methods:
        found = report.averages()[method]
        assert found["words_right"].mean == pytest.approx(100 / 3), method
        assert found["whisper_words_right"].mean == pytest.approx(100 / 3), method
        assert found["whisper_words_kept"].mean == 100, method
    shown = markdown(report)
    assert "| words right, % of the transcript ↑ |" in shown
    assert "| words right (Whisper), % of the transcript ↑ |" in shown
    assert report.about["recognisers"] == ["pocketsphinx", "whisper"]
    again = evaluate(codec, corpus, methods, ("mel",), recognisers=hearing)
    assert again.about["recognisers"] == [] and "Whisper" not in markdown(again)


def test_files_that_cannot_be_read_or_encoded_are_listed(codec, corpus, monkeypatch):
    corpus[1].path.write_bytes(b"not audio")
    encode = codec.encode

    def refusing(wave, **options):
        if len(wave) < RATE:
            raise InputError("the recording: is on no scale")
        return encode(wave, **options)

    monkeypatch.setattr(codec, "encode", refusing)
    report = evaluate(codec, corpus, ("preview",))
    assert report.about["utterances"] == len(report.rows) == 1
    assert [file for file, _ in report.skipped] == [str(one.path) for one in corpus[:2]]
    assert all(f"Skipped: {one.path}: " in markdown(report) for one in corpus[:2])


def test_nothing_readable_is_refused(codec, corpus):
    for utterance in corpus:
        utterance.path.write_bytes(b"not audio")
    with pytest.raises(InputError, match="none of 3 recordings"):
        evaluate(codec, corpus, ("preview",))
    with pytest.raises(InputError, match="none of 0 recordings"):
        evaluate(codec, [], ("preview",))


def test_long_recordings_are_cut_and_their_transcript_is_not_used(codec, corpus, monkeypatch):
    monkeypatch.setattr(runner, "MAX_SECONDS", 0.9)
    seen = []
    tasks = runner._Run.tasks

    def watched(*args):
        for task in tasks(*args):
            seen.append(task)
            yield task

    monkeypatch.setattr(runner._Run, "tasks", watched)
    said = {utterance.path: "A" for utterance in corpus}
    report = evaluate(codec, corpus, ("preview",), said=said)
    assert [len(task.reference) for task in seen] == [12_800, 14_400, 14_400]
    assert [task.transcript for task in seen] == ["A", None, None]
    assert report.about["cut_to_first_minute"] == 2


def test_silence_and_one_sample_are_evaluated(codec, tmp_path):
    (tmp_path / "anna").mkdir()
    soundfile.write(tmp_path / "anna" / "one.wav", np.zeros(1), RATE)
    soundfile.write(tmp_path / "anna" / "silent.wav", np.zeros(RATE), RATE)
    report = evaluate(codec, find_utterances(tmp_path), ("original", "wavenet"))
    assert report.averages()["wavenet"]["mel_distance"].count == 0
    assert report.nats == {}
    json.dumps(to_dict(report), allow_nan=False)
    assert "2 utterances, 1 s of speech, 1 speakers" in markdown(report)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"methods": ("melody",)}, "no method 'melody'; choose from original, preview, wavenet,"),
        ({"methods": ()}, "at least one method"),
        ({"methods": ("preview", "preview")}, "each once"),
        ({"groups": ("mos",)}, "no metric 'mos'"),
        ({"speaker": "zoe"}, "no speaker 'zoe'"),
        ({"targets": ("zoe",), "groups": ("f0",)}, "no target 'zoe'"),
        ({"targets": ("bert",), "groups": ("f0",)}, "'bert' has no readable recording"),
        ({"methods": ("convert-preview",)}, "no method is left.*measured by"),
    ],
)
def test_impossible_options_are_refused(codec, corpus, options, words):
    with pytest.raises(InputError, match=words):
        evaluate(codec, corpus, **{"methods": None} | options)
    assert codec.calls == []
    with pytest.raises(InputError, match="0 seeds"):
        Plan(seeds=0)


def test_a_missing_package_is_said_before_the_work(codec, corpus, monkeypatch):
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InputError, match=r"pip install 'vqspeech\[eval\]'.*pocketsphinx"):
        evaluate(codec, corpus, ("preview",), ("mel", "words"))
    assert codec.calls == []


def test_the_same_seed_gives_the_same_report(codec, corpus):
    one, two = (to_dict(evaluate(codec, corpus, ("preview",))) for _ in range(2))
    assert one["averages"] == two["averages"]
    assert one["utterances"] == two["utterances"]


@pytest.fixture
def both_known(codec):
    codec.speakers = ("anna", "zoe", "other")
    return codec


def test_utterances_are_converted_to_somebody_else(both_known, corpus):
    methods = ("convert-preview", "convert-wavenet", "convert-wavenet-unfiltered")
    report = evaluate(both_known, corpus, methods, ("f0", "mel"))
    assert [row["converted_to"] for row in report.rows] == ["zoe", "zoe", "anna"]
    assert {call.how for call in both_known.calls} == {"convert"}
    calls = [(call.speaker, call.preview, call.postfilter) for call in both_known.calls]
    assert calls[:3] == [("zoe", True, False), ("zoe", False, True), ("zoe", False, False)]
    assert report.about["targets"] == ["anna", "zoe"]
    found = report.averages()["convert-preview"]
    # The fake changes no pitch, and everybody here sings the same melody.
    assert found["f0_off"].mean < 1 and found["f0_within"].mean == 100
    text = markdown(report)
    assert "## Conversion" in text and "## Reconstruction" not in text and "anna, zoe" in text


UNSEEN = ("convert-unseen-preview", "convert-unseen-wavenet", "convert-unseen-wavenet-unfiltered")


@pytest.fixture
def strangers(codec, corpus, tmp_path):
    """Recordings of anna, zoe and yves, the last of whom sing for more than 5 s."""
    codec.hears_voices = True
    for name, f0 in (("yves", 110), ("zoe", 220)):
        path = tmp_path / "corpus" / name / "9.wav"
        path.parent.mkdir(exist_ok=True)
        soundfile.write(path, sung(7.0, f0, f0, pauses=False)[0], RATE)
    return find_utterances(tmp_path / "corpus")


def test_codes_are_searched_where_the_model_can(both_known, corpus):
    how = ("preview", "convert-preview"), ("f0", "mel")

    def searched(**options):
        """Whether codes were, of all recordings and conversions; what the report says of it."""
        both_known.searched, both_known.calls = [], []
        said = markdown(evaluate(both_known, corpus, *how, **options))
        found = [call.search for call in both_known.calls if call.how == "convert"]
        (found,) = {*found, *both_known.searched}
        return found, "by their histogram), found by search; " in said

    assert searched() == (False, False)
    with pytest.raises(InputError, match="to search codes by"):
        searched(search=True)
    both_known.searches = True
    assert searched() == (True, True)
    assert searched(search=False) == (False, False)


def test_utterances_are_converted_to_voices_that_the_model_never_heard(codec, strangers):
    methods = ("convert-preview", *UNSEEN)
    report = evaluate(codec, strangers, methods, ("f0",))
    who = [row["converted_to_unseen"] for row in report.rows]
    assert [row["speaker"] for row in report.rows] == ["anna", "anna", "yves", "zoe", "zoe"]
    assert who == ["yves", "zoe", "zoe", "yves", "yves"], "in turn, nobody to their own"
    assert [row["converted_to"] for row in report.rows] == [None, None, "anna", "anna", "anna"]
    assert {name: len(wave) for name, wave in codec.heard} == {"yves": 80_000, "zoe": 80_000}
    given = [call for call in codec.calls if call.how == "convert" and call.speaker != "anna"]
    assert [call.speaker.name for call in given] == [name for name in who for _ in UNSEEN]
    assert [call.preview for call in given[:3]] == [True, False, False]
    text = markdown(report)
    assert "| converted, Griffin-Lim | to an unseen voice, Griffin-Lim |" in text
    assert "To unseen voices: every utterance was converted to one of yves, zoe, in turn" in text
    assert report.about["unseen_targets"] == ["yves", "zoe"] and report.about["targets"] == ["anna"]


def test_no_more_unseen_voices_than_are_asked_for(codec, strangers):
    def prepared(count):
        return prepare(codec, Corpus(strangers), Plan(None, ("f0",), unseen_targets=count))

    one, none = prepared(1), prepared(0)
    assert len(one.unseen) == 1 and set(UNSEEN) <= set(one.methods)
    assert [target.name for target in prepared(1).unseen] == [one.unseen[0].name]
    assert not none.unseen and not set(UNSEEN) & set(none.methods)
    with pytest.raises(InputError, match="ask for one of these"):
        prepare(codec, Corpus(strangers), Plan(("preview",), ("f0",), unseen_targets=2))


def test_a_model_that_hears_no_voices_has_none(codec, corpus):
    assert not set(UNSEEN) & set(prepare(codec, Corpus(corpus), Plan(None, ("f0",))).methods)
    report = evaluate(codec, corpus, ("preview", "convert-preview"), ("f0", "mel"))
    assert "unseen" not in markdown(report)
    for options in ({"methods": UNSEEN[:1]}, {"methods": None, "unseen_targets": 3}):
        with pytest.raises(InputError, match="model fake has no speaker encoder.*leave out [c-]"):
            prepare(codec, Corpus(corpus), Plan(**options, groups=("f0",)))


def test_without_strangers_conversion_to_them_is_left_out_with_a_line(codec, corpus):
    codec.hears_voices = True
    report = evaluate(codec, corpus[:2], ("preview", "convert-unseen-preview"), ("f0",))
    assert report.methods == ("preview",)
    assert "there is no recording of a voice that is new to the model" in markdown(report)


def test_without_another_voice_conversion_is_left_out_with_a_line(codec, corpus):
    methods = ("preview", "convert-preview")
    report = evaluate(codec, corpus[2:], methods, ("f0",))
    assert report.methods == ("preview",)
    assert "convert-preview was left out: there is no recording" in markdown(report)


def test_the_only_target_is_not_converted_to_itself(codec, corpus):
    report = evaluate(codec, corpus, ("convert-preview",), ("f0",), targets=("anna",))
    assert [row["converted_to"] for row in report.rows] == [None, None, "anna"]
    assert report.averages()["convert-preview"]["f0_off"].count == 1


def test_a_codec_that_is_not_installed_is_left_out_with_a_line(codec, corpus, monkeypatch):
    monkeypatch.setattr(codecs.shutil, "which", lambda program: None)
    report = evaluate(codec, corpus, ("original", "opus-6000"))
    assert report.methods == ("original",)
    assert "opusenc and opusdec not installed (Debian package opus-tools)" in markdown(report)
    with pytest.raises(InputError, match="no method is left.*opusenc"):
        evaluate(codec, corpus, ("opus-6000",))


def test_a_codec_that_fails_costs_one_figure_and_not_the_report(codec, corpus, monkeypatch):
    def through(other, wave):
        if len(wave) < RATE:
            raise InputError("Opus 6: opusenc failed")
        return codecs.Coded(wave, 6000, 8000, 1.0)

    monkeypatch.setattr(codecs.shutil, "which", lambda program: program)
    monkeypatch.setattr(codecs, "through", through)
    report = evaluate(codec, corpus, ("opus-6000",))
    assert report.averages()["opus-6000"]["mel_distance"].count == 2
    assert report.rates["opus-6000"] == {"coded": 6000, "file": 8000}
    text = markdown(report)
    assert f"{corpus[0].path}: Opus 6: opusenc failed" in text
    assert "| bit/s, codes ↓ | 6000 |" in text and "| bit/s, whole file ↓ | 8000 |" in text


def test_codes_are_measured_in_files(codec, corpus):
    report = evaluate(codec, corpus, ("preview",))
    packed = report.rates["packed"]
    assert packed["coded"] == pytest.approx(200, rel=0.03)  # 4 bits a code, and whole bytes
    assert packed["file"] > packed["coded"] + 100
    assert "with the prior" not in markdown(report)


def test_several_seeds_give_means_and_a_spread(codec, corpus):
    options = {"synthesis": Synthesis(5), "seeds": 3}
    report = evaluate(codec, corpus, ("preview", "wavenet"), **options)
    assert [call.seed for call in codec.calls[:4]] == [5, 5, 6, 7]
    alone = [evaluate(codec, corpus, ("wavenet",), synthesis=Synthesis(seed)) for seed in (5, 6, 7)]
    means = [one.averages()["wavenet"]["mel_distance"].mean for one in alone]
    assert report.averages()["wavenet"]["mel_distance"].mean == pytest.approx(np.mean(means))
    assert list(report.spreads()) == ["wavenet"]
    spread = report.spreads()["wavenet"]["mel_distance"]
    assert spread == pytest.approx((min(means), max(means))) and spread.low < spread.high
    assert "## Spread over seeds" in markdown(report)
    assert "## Spread" not in markdown(alone[0])
    content = json.loads(json.dumps(to_dict(report), allow_nan=False))
    assert set(content["spread_over_seeds"]["wavenet"]["mel_distance"]) == {"low", "high"}


def test_the_temperature_is_the_wavenets(codec, corpus):
    cold = Synthesis(temperature=0.5)
    report = evaluate(codec, corpus, ("preview", "wavenet"), synthesis=cold)
    assert [call.temperature for call in codec.calls if not call.preview] == [0.5] * 3
    assert report.about["temperature"] == 0.5
    warm = evaluate(codec, corpus, ("wavenet",))
    assert warm.about["temperature"] == 1
    distances = [one.averages()["wavenet"]["mel_distance"].mean for one in (report, warm)]
    assert distances[0] < distances[1]


def test_recordings_to_listen_to_are_kept_as_the_metrics_hear_them(codec, corpus):
    report = evaluate(codec, corpus, ("original", "wavenet"), listen=1)
    (sample,) = report.samples
    original, wavenet = sample.waves["original"], sample.waves["wavenet"]
    assert sample.utterance == "1" and original.shape == wavenet.shape
    assert np.sqrt(np.mean(wavenet**2)) == pytest.approx(np.sqrt(np.mean(original**2)), rel=0.01)
    assert evaluate(codec, corpus, ("original",)).samples == []


def test_what_the_model_cannot_do_is_left_out_with_a_line(codec, corpus):
    codec.has_preview = False
    report = evaluate(codec, corpus, ("preview", "wavenet"))
    assert report.methods == ("wavenet",)
    assert "preview was left out: model fake has no head" in markdown(report)


def test_the_wavenet_stands_beside_itself_without_its_post_filter(codec, corpus):
    report = evaluate(codec, corpus, None)
    assert [call.postfilter for call in codec.calls[:3]] == [False, True, False]
    text = markdown(report)
    assert "| original | Griffin-Lim (preview) | WaveNet + post-filter | WaveNet alone |" in text
    assert "| | WaveNet + post-filter | WaveNet alone |" in text  # against Griffin-Lim
    assert "WaveNet alone: as it was sampled" in text


def test_a_model_without_a_post_filter_has_the_wavenet_alone(codec, corpus):
    codec.config.conditioning.log_mel_head = False
    report = evaluate(codec, corpus, ("wavenet", "wavenet-unfiltered"))
    assert report.methods == ("wavenet-unfiltered",) and report.nats["right"] == 3
    assert "wavenet was left out: the model predicts no log-mel" in markdown(report)
