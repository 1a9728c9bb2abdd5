import numpy as np
import pytest
from synthetic_voice import RATE, sung

from vqspeech.errors import InputError
from vqspeech.evaluation import codecs
from vqspeech.evaluation.codecs import BY_NAME, CODECS, OtherCodec, absent, ogg_packets, through
from vqspeech.evaluation.metrics.mel import mel_distance
from vqspeech.evaluation.metrics.signals import match

NOMINAL = {"codec2-700c": 700, "codec2-1300": 1300, "codec2-3200": 3200, "speex-2150": 2150}


def fake(encode, decode):
    return OtherCodec("fake", "Fake", "fakes", 16_000, encode, decode, lambda data: 8 * len(data))


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_speech_comes_back_at_the_nominal_rate(codec):
    if absent(codec):
        pytest.skip(absent(codec))
    wave = sung(2.31)[0]
    coded = through(codec, wave)
    assert coded.wave.dtype == np.float32 and len(coded.wave) >= len(wave)
    rate = coded.coded_bits / coded.seconds
    if codec.name in NOMINAL:
        # Speex's encoder adds a frame for its delay.
        assert rate == pytest.approx(NOMINAL[codec.name], rel=0.02 if "speex" in codec.name else 0)
    else:
        assert 4_000 < rate < 9_000  # Opus: a variable rate, about 6,000
    assert coded.file_bits >= coded.coded_bits
    back, _ = match(wave, coded.wave)
    noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
    assert mel_distance(wave, back) < 0.75 * mel_distance(wave, match(wave, noise)[0])


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("samples", [1, 700])
def test_the_shortest_recordings_go_through(codec, samples):
    if absent(codec):
        pytest.skip(absent(codec))
    assert len(through(codec, np.zeros(samples, np.float32)).wave) >= samples


def test_packets_of_an_ogg_file():
    def page(*segments):
        return b"OggS" + bytes(22) + bytes([len(segments), *segments]) + bytes(sum(segments))

    data = page(19) + page(255, 3) + page(10, 0, 255) + page(7)
    assert ogg_packets(data) == [19, 258, 10, 0, 262]
    assert ogg_packets(data[: len(data) - 40] + b"no Ogg") == [19, 258, 10, 0]
    assert ogg_packets(b"") == []


def test_a_missing_program_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(codecs.shutil, "which", lambda name: None if name == "c2dec" else name)
    line = absent(BY_NAME["codec2-1300"])
    assert line == "Codec2 1300 was left out: c2dec not installed (Debian package codec2)"
    assert absent(BY_NAME["opus-6000"]) is None


@pytest.fixture
def program(tmp_path):
    """program(code): a shell script's path, given the places of IN, CODED and OUT."""

    def make(name, code):
        path = tmp_path / name
        path.write_text(f"#!/bin/sh\n{code}\n")
        path.chmod(0o755)
        return f"{path} IN CODED OUT"

    return make


def test_what_the_programs_give_is_what_is_measured(program):
    wave = sung(0.5)[0]
    codec = fake(program("enc", 'cp "$1" "$2"'), program("dec", 'cp "$2" "$3"'))
    coded = through(codec, wave)
    assert coded.coded_bits == coded.file_bits == round(16 * RATE * coded.seconds)
    back, delay = match(wave, coded.wave)
    assert delay == 0
    np.testing.assert_allclose(back, wave, atol=1e-3)


@pytest.mark.parametrize(
    "encode, decode, words",
    [
        ("echo bad >&2; exit 3", "true", "enc failed.*status 3: bad.*leave fake out"),
        ("true", "true", "enc failed.*no output"),
        ('cp "$1" "$2"', ': > "$3"', "dec failed"),
        ("sleep 5", "true", "enc failed.*did not end within 0.2 s"),
    ],
)
def test_programs_that_fail_hang_or_write_nothing(program, monkeypatch, encode, decode, words):
    monkeypatch.setattr(codecs, "TIMEOUT_SECONDS", 0.2 if "sleep" in encode else 30)
    codec = fake(program("enc", encode), program("dec", decode))
    with pytest.raises(InputError, match=words):
        through(codec, sung(0.3)[0])


def test_a_program_that_is_gone_is_said():
    with pytest.raises(InputError, match="cannot be run"):
        through(fake("no-such-program IN CODED", "true"), sung(0.3)[0])
