"""What the codec takes for recordings, codes, voices, files and options; copies of the codec."""

import copy
import io
import pickle
import warnings
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from lively import noise, with_codes_in_use

from vqspeech import Codec, Codes, InputError
from vqspeech.checkpoint.voices import Voice, save_voice
from vqspeech.codes.npy import load_npy
from vqspeech.errors import InputWarning
from vqspeech.synthesis.options import Conversion, Generation, Synthesis

INDICES = np.array([0, 3, 1, 2, 2, 0, 1], np.uint16)


@pytest.fixture(scope="module")
def codec(tiny_prior_model):
    return Codec.from_pretrained(tiny_prior_model, device="cpu")


@pytest.fixture(scope="module")
def lively(paired_model):
    return with_codes_in_use(paired_model)


@pytest.fixture
def voice(codec, tmp_path):
    vector = codec.speaker_vector("anna").detach().numpy()[0]
    save_voice(tmp_path / "eva.safetensors", Voice("Eva", vector, codec.fingerprint, 30.0, 150.0))
    return tmp_path / "eva.safetensors"


KINDS = [
    INDICES.astype(np.int64),
    INDICES.astype(">u2"),
    INDICES.tolist(),
    torch.from_numpy(INDICES.astype(np.int64)),
    torch.from_numpy(INDICES.astype(np.int32))[None],
    memoryview(INDICES),
    Codes(INDICES, 7 * 320, 320),
]


@pytest.mark.parametrize("codes", KINDS, ids=lambda kind: type(kind).__name__)
def test_whole_numbers_are_codes_wherever_codes_are(codec, codes, tmp_path):
    known = codec.as_codes(INDICES)
    assert (known.model, known.samples) == (codec.fingerprint, 7 * 320)
    wave = codec.decode(known, "anna", preview=True)
    np.testing.assert_array_equal(codec.decode(codes, "anna", preview=True), wave)
    codec.decode_file(codes, tmp_path / "out.wav", "anna", preview=True)
    np.testing.assert_array_equal(codec.decode_many([codes], "anna", preview=True)[0], wave)
    assert codec.save_vqs(codes, tmp_path / "a.vqs") == codec.save_vqs(known, tmp_path / "b.vqs")
    assert codec.bits_per_code(codes) == codec.bits_per_code(known)
    np.testing.assert_array_equal(codec.codebook_rows(codes), codec.codebook_rows(known))
    assert np.isnan(codec.predicted_f0(codes, "anna"))
    drawn = codec.generate_codes("anna", 0.1, prompt=codes)
    np.testing.assert_array_equal(drawn.indices[:7], INDICES)


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ("codes.npy", "numpy.load"),
        (Path("codes.vqs"), "load_vqs"),
        (INDICES.astype("f4"), "whole numbers"),
        ([], "whole numbers"),
        (None, "whole numbers"),
        ([True], "whole numbers"),
        (np.zeros((2, 3), int), "2 levels, this model has 1"),
        ([4], "0 to 3"),
        ([-1], "code -1"),
        ([[1, 2], [3]], "array"),
        (Codes([0], 160, 160), "do not fit"),
    ],
)
def test_what_is_no_codes(codec, codes, words):
    for call in (codec.as_codes, codec.bits_per_code, lambda c: codec.decode(c, "anna")):
        with pytest.raises(InputError, match=words):
            call(codes)
    with pytest.raises(InputError, match=f"codes 1: .*{words}"):
        codec.decode_many([INDICES, codes], "anna")


def test_one_thing_where_several_are_wanted(codec):
    for codes in (INDICES, codec.as_codes(INDICES), "codes.npy", None):
        with pytest.raises(InputError, match="give a list"):
            codec.decode_many(codes, "anna")
    for waves in (noise(100), torch.zeros(100), "in.wav", 3):
        with pytest.raises(InputError, match="must be a list"):
            codec.encode_many(waves)
    for paths in ("in.wav", Path("in.wav"), None):
        with pytest.raises(InputError, match="files must be a list"):
            codec.encode_files(paths)
    assert len(list(codec.encode_files(name for name in ("none.wav", "no.wav")))) == 2


def test_the_item_that_is_wrong_is_named(codec):
    for call in (codec.encode_many, lambda w, r=16_000: codec.convert_many(w, r, "anna")):
        with pytest.raises(InputError, match="recording 1: .*no samples"):
            call([noise(100), noise(0)])
        with pytest.raises(InputError, match="recording 1: rate"):
            call([noise(100), noise(100)], [16_000, "x"])
    with pytest.raises(InputError, match="recording 1: no speaker 'nobody'"):
        codec.convert_many([noise(100)] * 2, speakers=["anna", "nobody"])
    with pytest.raises(InputError, match="codes 1: no speaker 'nobody'"):
        codec.decode_many([INDICES] * 2, ["anna", "nobody"])
    for many, things in ((codec.decode_many, INDICES), (codec.convert_many, noise(100))):
        with pytest.raises(InputError, match="3 speakers for 2 recordings"):
            many([things] * 2, speakers=["anna"] * 3)


@pytest.mark.parametrize("preview", [False, True])
def test_converted_together_is_converted_alone(lively, preview):
    waves = [noise(9000), np.stack([noise(4000, 1)] * 2), torch.from_numpy(noise(6001, 2))]
    rates, speakers, how = [16_000, 8000.0, 16_000], ["anna", "bert", "anna"], {"seed": 3}
    found = lively.convert_many(waves, rates, speakers, preview=preview, streams=2, **how)
    for one, wave, rate, speaker in zip(found, waves, rates, speakers, strict=True):
        alone = lively.convert(wave, rate, speaker, preview=preview, **how)
        np.testing.assert_array_equal(one, alone)
    again = lively.convert_many(waves[:1], speakers="anna", preview=preview, **how)
    np.testing.assert_array_equal(again[0], found[0])
    assert lively.convert_many([]) == []


def test_files_and_file_objects(codec, tmp_path):
    codes, npy, vqs = codec.as_codes(INDICES), io.BytesIO(), io.BytesIO()
    codes.save_npy(npy)
    codes.save_npy(tmp_path / "a.npy")
    assert npy.getvalue() == (tmp_path / "a.npy").read_bytes()
    assert codec.save_vqs(codes, vqs, "anna") == codec.save_vqs(codes, tmp_path / "a.vqs", "anna")
    assert vqs.getvalue() == (tmp_path / "a.vqs").read_bytes()
    with pytest.raises(InputError, match="seek"):
        codec.load_vqs(vqs)
    npy.seek(0)
    vqs.seek(0)
    assert load_npy(npy, 320, 4).indices.tolist() == INDICES.tolist()
    found, speaker, _ = codec.load_vqs(vqs)
    assert found.indices.tolist() == INDICES.tolist() and speaker == "anna"
    with open(tmp_path / "a.vqs", "rb") as file:
        assert codec.load_vqs(file)[0].samples == codes.samples


@pytest.mark.parametrize(
    "file", [io.StringIO("x"), 3, None, b"a.vqs"], ids=["text", "number", "none", "bytes"]
)
def test_what_is_no_file(codec, file, tmp_path):
    codes = codec.as_codes(INDICES)
    for call in (
        lambda: codec.save_vqs(codes, file),
        lambda: codes.save_npy(file),
        lambda: codec.load_vqs(file),
        lambda: load_npy(file, 320, 4),
        lambda: codec.decode_file(codes, file, "anna", preview=True),
    ):
        with pytest.raises(InputError):
            call()
    with open(tmp_path / "closed.vqs", "wb") as closed:
        pass
    with pytest.raises(InputError, match="closed"):
        codec.save_vqs(codes, closed)


@pytest.mark.parametrize("speaker", [3, True, 1.5, b"anna", ["anna"], {"anna"}])
def test_what_is_no_speaker(codec, speaker):
    for call in (
        lambda: codec.decode(INDICES, speaker),
        lambda: codec.speaker_row(speaker),
        lambda: codec.bits_per_code(INDICES, speaker),
        lambda: codec.generate(speaker, 0.1),
        lambda: codec.convert(noise(1000), speaker=speaker),
        lambda: codec.save_vqs(INDICES, io.BytesIO(), speaker),
    ):
        with pytest.raises(InputError, match="must be a name"):
            call()


def test_a_voice_file_stands_where_a_name_does(codec, voice):
    for file in (voice, str(voice)):
        wave = codec.generate(file, 0.2, preview=True)
        codes = codec.generate_codes(file, 0.2)
        np.testing.assert_array_equal(codec.decode(codes, file, preview=True), wave)
        assert codec.bits_per_code(codes, file) == codec.bits_per_code(codes)
        kept = io.BytesIO()
        codec.save_vqs(codes, kept, file)
        kept.seek(0)
        found, named, _ = codec.load_vqs(kept)
        assert named is None
        np.testing.assert_allclose(codec.decode(found, preview=True), wave, atol=0.02)
    kept = codec.speaker_vector("anna").numpy(force=True)[0]
    for vector in (kept.tolist(), kept[:2], kept * np.nan, np.array(["a"] * 4)):
        with pytest.raises(InputError, match=r"'Eva' is no finite vector \[4\]"):
            codec.generate(Voice("Eva", vector, codec.fingerprint, 1.0, 0.0), 0.2)
    eva = Voice("Eva", kept.astype(np.float64), codec.fingerprint, 1.0, 0.0)
    np.testing.assert_array_equal(codec.generate(eva, 0.2, preview=True), wave)
    with pytest.raises(InputError, match="no such voice file"):
        codec.generate("none.safetensors", 0.2)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Synthesis, {"seed": [-1, 1.5, True, "a", 2**70], "preview": ["no", 1]}),
        (Synthesis, {"temperature": ["a", [1], True, float("nan")], "weights": [8, None]}),
        (Synthesis, {"postfilter": [None, "yes"]}),
        (Conversion, {"pitch": [None, True, "3", 15], "guidance": ["a", True, -1]}),
        (Generation, {"top_p": [0, 1.1, "a"], "temperature": [None, "a", 3]}),
    ],
)
def test_options_of_the_wrong_kind(kind, values):
    for name, wrong in values.items():
        for value in wrong:
            with pytest.raises(InputError, match=name):
                kind(**{name: value})


def test_numbers_of_any_type_are_options():
    made = Conversion(np.int64(3), np.float32(0.5), pitch=torch.tensor(2), guidance=np.float64(1))
    assert made == Conversion(3, 0.5, pitch=2.0, guidance=1.0)
    assert type(made.seed) is int and type(made.pitch) is float
    assert Synthesis(None).seed != Synthesis(None).seed
    again = Synthesis(None)
    assert Synthesis(again.seed) == again


def test_options_for_something_else(codec):
    with pytest.raises(InputError, match="must be a Conversion"):
        codec.convert(noise(1000), speaker="anna", options=Synthesis())
    with pytest.raises(InputError, match="must be a Synthesis"):
        codec.decode(INDICES, "anna", 3)
    for seconds in (float("nan"), float("inf"), -1, 0, "a", None):
        with pytest.raises(InputError, match="seconds"):
            codec.generate("anna", seconds)
    for name, call in (
        ("packed 'no' must be True", lambda: codec.save_vqs(INDICES, "a.vqs", packed="no")),
        ("salvage 1 must be True", lambda: codec.load_vqs("a.vqs", salvage=1)),
        ("voice 'x' must be .*'refined'", lambda: codec.encode(noise(1000), voice="x")),
    ):
        with pytest.raises(InputError, match=name):
            call()


def test_a_model_in_training_mode_is_refused_and_stays_as_it_is(lively):
    wave = noise(3000)
    codes = lively.encode(wave)
    lively.model.train()
    try:
        for call in (
            lambda: lively.encode(wave),
            lambda: lively.encode_many([wave]),
            lambda: lively.decode(codes, "anna", preview=True),
            lambda: lively.convert(wave, speaker="anna"),
        ):
            with pytest.raises(InputError, match=r"codec\.model\.eval\(\)"):
                call()
    finally:
        lively.model.eval()
    np.testing.assert_array_equal(lively.encode(wave).indices, codes.indices)


def test_devices(tiny_model):
    for device in (torch.device("cpu"), "cpu:0", "cpu"):
        assert Codec.from_pretrained(tiny_model, device).device == torch.device("cpu")
    for device in ("cuda:99", torch.device("cuda:99"), "mps", "CPU", None, 0, torch.device("meta")):
        with pytest.raises(InputError, match="device"):
            Codec.from_pretrained(tiny_model, device)
    with pytest.raises(InputError, match="from_pretrained"):
        Codec(tiny_model)


def test_a_level_that_speech_has_not_is_warned_of(lively):
    wave = noise(16_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = lively.encode(wave).indices
        lively.encode(np.zeros(16_000))
        lively.encode(wave[:100] / 1000)
    with pytest.warns(InputWarning, match="the recording goes far beyond full scale") as caught:
        np.testing.assert_array_equal(lively.encode(wave * 32768).indices, plain)
    assert caught[0].filename == __file__
    with pytest.warns(InputWarning, match="recording 1 is very quiet"):
        lively.encode_many([wave, wave / 100])
    with pytest.warns(InputWarning, match="recording 0 is nothing but silence"):
        lively.convert_many([wave / 32768 / 32768], speakers="anna", preview=True)
    with pytest.raises(InputError, match="scale them to"):
        lively.encode(wave * 2.0**31)


def test_empty_blocks_of_a_recording(lively):
    wave = noise(5000)
    blocks = [wave[:0], wave[:300], wave[:0], wave[300:]]
    whole = lively.encoder.blocks([wave], 1.0).indices
    np.testing.assert_array_equal(lively.encoder.blocks(blocks, 1.0).indices, whole)
    for nothing in ([], [wave[:0]]):
        with pytest.raises(InputError, match="no samples"):
            lively.encoder.blocks(nothing, 1.0)


def test_a_voice_that_another_thread_forgets_meanwhile(codec, tmp_path, monkeypatch):
    class Forgetful(dict):
        def __setitem__(self, key, value):
            super().__setitem__(key, value)
            self.clear()

    for kept in (Forgetful(), {}):
        monkeypatch.setattr(codec.voices, "_heard", kept)
        for number in range(20):
            (path := tmp_path / f"{number}.wav").touch()
            assert codec.voices._remembered(path, lambda: path.name) == path.name
    assert len(kept) == 16


def decoded(given):
    codec, codes = given
    return codec.decode(codes, "anna", seed=1)


def test_copies_of_a_codec_that_was_used(lively):
    codes = lively.encode(noise(3000))
    wave = decoded((lively, codes))
    data = pickle.dumps(lively)
    for other in (pickle.loads(data), copy.deepcopy(lively), copy.copy(lively)):
        np.testing.assert_array_equal(decoded((other, codes)), wave)
    fresh = len(pickle.dumps(pickle.loads(data)))
    assert abs(len(data) - fresh) < 1000, "packed weights stay where they are"


def test_a_codec_with_a_prior_is_copied_without_it(codec):
    bits = codec.bits_per_code(INDICES)
    other = pickle.loads(pickle.dumps(codec))
    assert "prior" not in vars(other.loaded) and other.bits_per_code(INDICES) == bits


def encoded(given):
    codec, wave = given
    codes = codec.encode(wave)
    return codes.indices, len(decoded((codec, codes)))


def test_a_codec_goes_to_another_process(lively):
    decoded((lively, lively.encode(noise(1000))))  # packs and compiles
    with get_context("spawn").Pool(1) as pool:
        indices, samples = pool.map(encoded, [(lively, noise(3000))])[0]
    np.testing.assert_array_equal(indices, lively.encode(noise(3000)).indices)
    assert samples == 3000
