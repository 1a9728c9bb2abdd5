import shutil
import subprocess

import numpy as np
import pytest
import soundfile
from tones import vowel

from vqspeech import Codec, InputError
from vqspeech.checkpoint.voices import Voice, save_voice
from vqspeech.demo import words
from vqspeech.demo.settings import Limits
from vqspeech.demo.studio import Studio, opus_bytes
from vqspeech.synthesis.options import NO_CHANGE, Change

RATE = 16_000


@pytest.fixture
def recording(studio, tmp_path):
    soundfile.write(tmp_path / "said.wav", vowel(1.2), RATE)
    return studio.read(str(tmp_path / "said.wav"))


def last(work):
    shares = list(work)
    assert [share for share, _ in shares] == sorted(share for share, _ in shares)
    return shares[-1][1]


def test_a_recording_is_read(recording):
    assert recording.name == "said.wav" and recording.seconds == pytest.approx(1.2)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_recording_of_a_phone_is_read(studio, recording, tmp_path):
    command = ["ffmpeg", "-v", "error", "-i", tmp_path / "said.wav", tmp_path / "said.m4a"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    assert studio.read(str(tmp_path / "said.m4a")).seconds == pytest.approx(1.2, abs=0.1)


def test_a_recording_of_a_phone_without_ffmpeg(studio, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "said.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + bytes(500))
    with pytest.raises(InputError, match=r"^said.m4a: .* install ffmpeg"):
        studio.read(str(tmp_path / "said.m4a"))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("long.wav", 2.5, "longer than 2 s"),
        ("large.wav", 9.0, "larger than 0.2 MB"),
        ("empty.wav", b"", "empty"),
        ("text.mp3", b"not audio at all", "not audio"),
        ("muted.wav", np.zeros(16_000), "nothing but silence"),
    ],
)
def test_what_a_visitor_must_not_bring(studio, tmp_path, name, content, said):
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        wave = vowel(content) if isinstance(content, float) else content
        soundfile.write(path, wave, RATE)
    with pytest.raises(InputError, match=said) as error:
        studio.read(str(path))
    assert str(tmp_path) not in str(error.value) and name in str(error.value)


def test_nothing_is_asked_for_in_words(studio):
    with pytest.raises(InputError, match="no recording yet"):
        studio.read(None)
    with pytest.raises(InputError, match="choose a voice"):
        studio.speaker(None)
    with pytest.raises(InputError, match="nearest names"):
        studio.speaker("/etc/voice.safetensors")


@pytest.mark.parametrize("renderer", ["preview", "wavenet"])
def test_conversion(studio, recording, renderer):
    spoken = studio.converted(recording, "bert", "target")
    own = studio.codec.config.conversion.guidance
    assert spoken.change == Change(0.0, own) and own == 0.5, "the tiny model predicts no pitch"
    wave = last(studio.decode(spoken, renderer, recording.level))
    assert wave.dtype == np.int16 and len(wave) == len(recording.wave)
    rms = np.sqrt(np.mean((wave / 32768) ** 2)) / np.sqrt(np.mean(recording.wave**2))
    assert rms == pytest.approx(1, rel=0.4)


def test_what_pitch_is_missing_is_added(pitched_model, recording, monkeypatch):
    own = Studio(Codec.from_pretrained(pitched_model, device="cpu"), Limits(2.0, 0.2))
    spoken = own.converted(recording, "bert", "keep")
    predicted = own.codec.predicted_f0(spoken.codes, "bert")
    assert predicted * 2 ** (spoken.change.semitones / 12) == pytest.approx(150, rel=0.02)
    assert abs(spoken.change.semitones) > 0.01, "the test tests nothing"
    asked, blocks = [], own.codec.renderer.blocks

    def listening(spoken, how):
        asked.append(spoken.change)
        return blocks(spoken, how)

    monkeypatch.setattr(own.codec.renderer, "blocks", listening)
    last(own.decode(spoken, "preview", recording.level))
    last(own.decode(own.spoken(spoken.codes, "bert"), "preview", recording.level))
    assert asked == [spoken.change, NO_CHANGE]


def test_the_codecs_own_decoder_comes_first(studio, monkeypatch):
    assert studio.renderers == ["wavenet", "preview"]
    assert "not the codec's own decoder" in words.renderer("preview")
    assert "not" not in words.renderer("wavenet")
    monkeypatch.delitem(studio.codec.trained, "waveform")
    assert studio.renderers == ["preview"]


def test_voices_are_sorted_and_filtered(studio):
    assert [name for _, name in studio.voices()] == ["anna", "bert", "other"]
    assert studio.voices("m") == [("bert · man · 3.2 min", "bert")]


def test_a_sample_is_made_once(studio, monkeypatch):
    first = studio.sample("anna")
    assert first.dtype == np.int16 and len(first) > RATE
    monkeypatch.setattr(studio.codec, "encode_file", lambda path: 1 / 0)
    assert studio.sample("anna") is first


def test_enrolled_voices_stand_first(studio, tmp_path):
    path = str(tmp_path / "eva.safetensors")
    vector = studio.codec.model.speakers.weight[0].numpy(force=True)
    save_voice(path, Voice("Eva", vector, studio.codec.fingerprint, 9.0, 200.0))
    own = Studio(studio.codec, studio.limits, [path])
    assert own.voices()[0][1] == "Eva (enrolled)" and own.speaker("Eva (enrolled)") == path
    save_voice(path, Voice("Eva", vector, "feed", 9.0))
    with pytest.raises(InputError, match="another|enrolled for model feed"):
        Studio(studio.codec, studio.limits, [path])


def test_two_enrolled_voices_of_one_name_are_both_there(studio, tmp_path):
    paths = [str(tmp_path / f"{n}.safetensors") for n in (1, 2)]
    vectors = studio.codec.model.speakers.weight.numpy(force=True)
    for path, vector in zip(paths, vectors, strict=False):
        save_voice(path, Voice("Eva", vector, studio.codec.fingerprint, 9.0, 200.0))
    own = Studio(studio.codec, studio.limits, paths)
    shown = [name for _, name in own.voices()[:2]]
    assert [own.speaker(name) for name in shown] == paths
    assert all("Eva" in name and path in name for name, path in zip(shown, paths, strict=True))


def test_sizes(studio, recording):
    codes = studio.codec.encode(recording.wave)
    found = {what: size for what, size, _ in studio.sizes(recording, codes)}
    assert found["WAV, 16 kHz, 16 bit"] == 44 + 2 * len(recording.wave)
    assert found["codes, 2 bits each"] == -(-codes.frames * 2 // 8)
    opus = found["Opus, as low as libsndfile goes"]
    assert opus == opus_bytes(recording.wave) < found["WAV, 16 kHz, 16 bit"]
    table = words.sizes(studio.sizes(recording, codes))
    assert table.count("<tr>") == 4 and "bit/s" in table


def test_sizes_of_every_rate(levelled_model, recording):
    studio = Studio(Codec.from_pretrained(levelled_model, "cpu"), Limits(2.0, 0.2))
    assert studio.rates() == [(f"{rate} bit/s", rate) for rate in (100, 200, 300, 400)]
    codes = studio.codec.encode(recording.wave, bitrate=300)
    found = {what: size for what, size, _ in studio.sizes(recording, codes)}
    assert found["codes as .npy"] == 128 + 2 * 3 * codes.frames
    for levels in (1, 2, 3):
        what = f"codes at {100 * levels} bit/s, 2 bits each"
        assert found[what] == -(-2 * levels * codes.frames // 8)
    assert "codes at 400 bit/s, 2 bits each" not in found


def test_the_nearest_voice_is_one_of_the_models(studio, recording):
    assert studio.nearest(recording) in studio.codec.speakers


def test_generation_is_offered_only_with_a_prior(studio, monkeypatch):
    for has in (False, True):
        monkeypatch.setattr(type(studio.codec), "has_prior", has)
        assert studio.generates is has


@pytest.mark.parametrize("number", [None, -1, 1.5, float("nan"), 2**31])
def test_impossible_seeds(number):
    with pytest.raises(InputError, match="seed"):
        words.seed(number)


def test_what_is_said_is_escaped(studio, tmp_path):
    assert "<script>" not in words.failed(InputError("<script>alert(1)</script>"))
    assert "<b>" not in words.busy("<b>", 0.5)
    about = words.about(studio, tmp_path / "none.md")
    assert "no card" in about and words.CONSENT in about
