"""Conversion: length, level, pitch; what is refused."""

import dataclasses
import errno
from tempfile import gettempdir

import numpy as np
import pytest
import soundfile
from tones import vowel

from vqspeech import Codec, InputError
from vqspeech.audio.level import SpeechMeter
from vqspeech.config.rendering import ConversionConfig
from vqspeech.synthesis import conversion
from vqspeech.synthesis.conversion import Move, at_level_of, missing, planned
from vqspeech.synthesis.options import LARGEST_SEMITONES, Conversion

RATE = 16_000


@pytest.fixture(scope="module")
def codec(tiny_model):
    return Codec.from_pretrained(tiny_model, device="cpu")


@pytest.mark.parametrize("gain", [0.01, 0.3, 3.0])
def test_the_level_is_the_sources(gain):
    decoded = vowel(level=0.05)
    source = SpeechMeter([gain * decoded])
    blocks = list(at_level_of(source, np.array_split(decoded, 7)))
    out = np.concatenate(blocks)
    assert len(out) == len(decoded)
    assert abs(SpeechMeter([out]).active_db - source.active_db) < 0.1


def test_a_full_temporary_folder_is_named(monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(conversion, "_write", full)
    blocks = at_level_of(SpeechMeter([vowel()]), [vowel()])
    with pytest.raises(InputError, match=f"kept in {gettempdir()} .No space left.*TMPDIR"):
        list(blocks)


def test_a_loud_source_does_not_make_it_clip():
    decoded = vowel(level=0.05)
    decoded[100] = 0.9
    out = np.concatenate(list(at_level_of(SpeechMeter([20 * decoded]), [decoded])))
    assert np.abs(out).max() == pytest.approx(conversion.PEAK, rel=1e-3)


def test_silence_stays_silent():
    noise = (0.05 * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)
    out = np.concatenate(list(at_level_of(SpeechMeter([np.zeros(RATE, "f4")]), [noise])))
    assert np.abs(out).max() < 0.5 / 32768
    zeros = np.zeros(RATE, "f4")
    np.testing.assert_array_equal(
        np.concatenate(list(at_level_of(SpeechMeter([noise]), [zeros]))), 0
    )


def test_how_far_the_pitch_is_moved():
    wave = vowel(seconds=1.0, pitch=150.0)

    def steps(pitch, target):
        return planned([wave], pitch, target).step

    assert steps("target", 300.0) == pytest.approx(12.0, abs=0.5)
    assert steps("target", 1000.0) == LARGEST_SEMITONES
    assert steps("target", 20.0) == -LARGEST_SEMITONES
    assert steps("target", 0.0) == steps("keep", 300.0) == steps("keep", 0.0) == 0.0
    assert steps("target", 150.0) == 0.0
    assert steps(-3.0, 0.0) == steps(-3, 200.0) == -3.0


@pytest.mark.parametrize("pitch", ["high", "", 15.0, -15, float("nan")])
def test_impossible_pitch(pitch):
    with pytest.raises(InputError, match="pitch"):
        Conversion(pitch=pitch)


def test_what_pitch_is_wanted():
    wave = vowel(seconds=1.0, pitch=150.0)
    for target in (300.0, 1000.0, 150.0):
        assert planned([wave], "target", target).f0 == target
    assert planned([wave], "target", 0.0).f0 == 0.0
    assert planned([wave], "keep", 300.0).f0 == pytest.approx(150, rel=0.02)
    assert planned([wave], 12.0, 300.0).f0 == pytest.approx(300, rel=0.02)
    assert planned([wave], -12, 0.0).f0 == pytest.approx(75, rel=0.02)


def test_a_recording_without_a_voice_has_no_pitch_to_move():
    silence = np.zeros(RATE, "f4")
    assert planned([silence], "target", 200.0) == Move(0.0, 200.0)
    assert planned([silence], "keep", 200.0) == Move(0.0, 0.0)
    assert planned([silence], 5.0, 200.0) == Move(5.0, 0.0)


def test_the_first_minute_tells_where_the_pitch_is(monkeypatch):
    monkeypatch.setattr(conversion, "PITCH_SECONDS", 1.0)

    def blocks():
        yield vowel(seconds=0.6, pitch=150.0)
        yield np.concatenate([vowel(seconds=0.4, pitch=150.0), vowel(seconds=5.0, pitch=300.0)])
        raise AssertionError("read further than needed")

    assert planned(blocks(), "keep", 0.0).f0 == pytest.approx(150, rel=0.02)


def test_what_is_missing_is_from_the_predicted_to_the_wanted():
    for f0, wanted, step in (
        (100.0, 200.0, 12.0),
        (200.0, 150.0, 12 * np.log2(0.75)),
        (200.0, 200.0, 0.0),
        (100.0, 1000.0, LARGEST_SEMITONES),
        (500.0, 50.0, -LARGEST_SEMITONES),
        (100.0, 0.0, 0.0),
        (float("nan"), 200.0, 0.0),
    ):
        assert missing(f0, wanted) == pytest.approx(step)


@pytest.fixture
def pitched(pitched_model, monkeypatch):
    """(codec, what its renderer is asked for)."""
    codec, asked = Codec.from_pretrained(pitched_model, device="cpu"), []
    blocks = codec.renderer.blocks

    def listening(spoken, options):
        asked.append(spoken)
        return blocks(spoken, options)

    monkeypatch.setattr(codec.renderer, "blocks", listening)
    return codec, asked


@pytest.mark.parametrize(("pitch", "wanted"), [("keep", 150.0), (4.0, 189.0), ("target", 230.0)])
def test_what_the_codes_lack_is_added_when_they_are_decoded(
    pitched, tmp_path, monkeypatch, pitch, wanted
):
    codec, asked = pitched
    monkeypatch.setattr(codec.voices, "f0", lambda speaker: 230.0)
    wave = vowel(seconds=0.6, pitch=150.0)
    soundfile.write(tmp_path / "in.wav", wave, RATE, "FLOAT")
    options = {"speaker": "bert", "pitch": pitch, "preview": True, "guidance": 0.3}
    codec.convert(wave, **options)
    codec.convert_file(tmp_path / "in.wav", tmp_path / "out.wav", **options)
    assert len(asked) == 2
    for codes, _, change in asked:
        predicted = codec.predicted_f0(codes, "bert")
        assert predicted * 2 ** (change.semitones / 12) == pytest.approx(wanted, rel=0.02)
        assert abs(change.semitones) > 0.01, "the test tests nothing"
        assert change.guidance == 0.3
    np.testing.assert_array_equal(asked[0].codes.indices, asked[1].codes.indices)


def test_a_wave_is_converted_by_the_pitch_it_lacks(pitched):
    codec, _ = pitched
    wave = vowel(seconds=0.5)
    out = codec.convert(wave, speaker="bert", seed=3, pitch="keep")
    assert out.shape == wave.shape and np.isfinite(out).all()
    assert abs(SpeechMeter([out]).active_db - SpeechMeter([wave]).active_db) < 0.2


@pytest.mark.parametrize("preview", [False, True])
def test_a_wave_is_converted(codec, preview):
    wave = vowel(seconds=0.73, level=0.02)
    out = codec.convert(wave, speaker="bert", preview=preview, seed=3)
    assert out.shape == wave.shape and out.dtype == np.float32
    again = codec.convert(wave, speaker="bert", preview=preview, seed=3)
    np.testing.assert_array_equal(out, again)
    other = codec.convert(wave, speaker="anna", preview=preview, seed=3)
    assert not np.array_equal(out, other)
    assert abs(SpeechMeter([out]).active_db - SpeechMeter([wave]).active_db) < 0.2


def test_moving_by_nothing_is_the_codec_itself(codec):
    wave = vowel(seconds=0.5)
    kept = codec.convert(wave, speaker="bert", preview=True, pitch="keep", guidance=0)
    plain = codec.decode(codec.encode(wave), "bert", preview=True)
    np.testing.assert_allclose(kept * (plain.std() / kept.std()), plain, atol=1e-3)


def test_guidance_is_the_models_own_unless_told(pitched, monkeypatch):
    codec, asked = pitched
    wave = vowel(seconds=0.4)
    codec.convert(wave, speaker="bert", preview=True)
    own = dataclasses.replace(codec.config, conversion=ConversionConfig(guidance=1.25))
    monkeypatch.setattr(type(codec.loaded), "config", property(lambda loaded: own))
    codec.convert(wave, speaker="bert", preview=True)
    codec.convert(wave, speaker="bert", preview=True, guidance=0.0)
    assert [one.change.guidance for one in asked] == [0.5, 1.25, 0.0]


@pytest.mark.parametrize("guidance", [-0.1, 2.1, float("nan")])
def test_impossible_guidance(codec, tmp_path, guidance):
    wave = vowel(seconds=0.3)
    soundfile.write(tmp_path / "in.wav", wave, RATE)
    with pytest.raises(InputError, match="guidance"):
        codec.convert(wave, speaker="bert", guidance=guidance)
    with pytest.raises(InputError, match="guidance"):
        codec.convert_file(tmp_path / "in.wav", tmp_path / "o.wav", "bert", guidance=guidance)
    assert not (tmp_path / "o.wav").exists()


@pytest.mark.parametrize("pitch", ["keep", 5.0])
def test_a_file_is_converted_as_its_samples_are(codec, tmp_path, pitch):
    wave = vowel(seconds=0.6)
    soundfile.write(tmp_path / "in.wav", wave, RATE, "FLOAT")
    seen = []
    options = {"speaker": "bert", "preview": True, "pitch": pitch}
    path = tmp_path / "out.wav"
    samples = codec.convert_file(tmp_path / "in.wav", path, progress=seen.append, **options)
    assert samples == len(wave) and seen[-1] == pytest.approx(0.6)
    found, _ = soundfile.read(path)
    np.testing.assert_allclose(found, codec.convert(wave, **options), atol=1e-3)


def test_rates_and_channels(codec):
    wave = vowel(seconds=0.5)
    stereo = np.stack([wave, wave], 1)
    assert len(codec.convert(stereo, 48_000, "anna", preview=True)) == -(-len(wave) // 3)


@pytest.mark.parametrize(
    ("speaker", "options", "words"),
    [
        ("ana", {}, "anna"),
        (None, {}, "name one"),
        ("none.safetensors", {}, "no such voice"),
        ("anna", {"seed": -1}, "seed"),
        ("anna", {"pitch": "up"}, "pitch"),
    ],
)
def test_bad_arguments(codec, speaker, options, words):
    wave = vowel(seconds=0.2)
    with pytest.raises(InputError, match=words):
        codec.convert(wave, speaker=speaker, preview=True, **options)
