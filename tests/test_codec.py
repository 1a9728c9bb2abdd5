"""The rules of the codec: lengths, chunks, seeds, speakers, and what it refuses."""

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lively import noise, with_codes_in_use

from vqspeech import Codes, InputError
from vqspeech.synthesis import encoding, rendering
from vqspeech.synthesis import streaming as chunks
from vqspeech.synthesis.options import Synthesis
from vqspeech.synthesis.postfilter import PIECE, postfilter


@pytest.fixture(scope="module", params=["tiny_model", "paired_model"])
def codec(request):
    return with_codes_in_use(request.getfixturevalue(request.param))


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1, 2000), rate=st.sampled_from([8000, 16000, 44100, 96000]))
def test_decoding_gives_the_samples_that_went_in(codec, samples, rate):
    codes = codec.encode(noise(samples), rate)
    assert codes.samples == -(-samples * 16000 // rate)
    assert codes.frames == -(-codes.samples // codec.hop)
    assert codec.decode(codes, "anna").shape == (codes.samples,)
    assert codec.decode(codes, "anna", preview=True).shape == (codes.samples,)


def test_a_file_of_codes_decodes_to_whole_frames(codec):
    codes = Codes(np.array([0, 3, 1]), 960, 320)
    assert len(codec.decode(codes, "bert")) == 960


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5])
def test_chunked_encoding_is_whole_encoding(codec, monkeypatch, seconds):
    wave = noise(30_001)
    whole = codec.encode(wave).indices
    assert len(np.unique(whole)) == 4
    monkeypatch.setattr(chunks, "CHUNK_SECONDS", seconds)
    np.testing.assert_array_equal(codec.encode(wave).indices, whole)


def test_a_file_encodes_like_its_samples(codec, tmp_path):
    wave = noise(40_000)
    soundfile.write(tmp_path / "in.wav", wave, 16_000, "FLOAT")
    from_file = codec.encode_file(tmp_path / "in.wav")
    np.testing.assert_array_equal(from_file.indices, codec.encode(wave).indices)


def test_level_and_offset_do_not_matter(codec):
    wave = noise(16_000)
    quiet = codec.encode(0.1 * wave).indices
    np.testing.assert_array_equal(codec.encode(wave).indices, quiet)
    assert (codec.encode(wave + np.float32(0.2)).indices[10:] == quiet[10:]).mean() > 0.9


def test_channels_are_averaged_and_int16_is_scaled(codec):
    wave = noise(5000)
    mono = codec.encode(wave).indices
    np.testing.assert_array_equal(codec.encode(np.stack([wave, wave], 1)).indices, mono)
    as_int = np.round(wave * 32768).astype(np.int16)
    assert (codec.encode(as_int).indices == mono).mean() > 0.8


@pytest.mark.parametrize("preview", [False, True])
def test_blocks_are_the_whole_and_the_seed_decides(codec, monkeypatch, preview):
    codes = codec.encode(noise(50_000))
    options = {"speaker": "anna", "preview": preview}
    one = codec.decode(codes, seed=1, **options)
    np.testing.assert_array_equal(codec.decode(codes, seed=1, **options), one)
    assert not np.array_equal(codec.decode(codes, seed=2, **options), one)
    assert not np.array_equal(codec.decode(codes, seed=1, speaker="bert", preview=preview), one)
    if not preview:
        monkeypatch.setattr(rendering, "DECODE_SECONDS", 0.04)
        blocks = list(codec.decode_blocks(codes, seed=1, **options))
        assert len(blocks) >= 50_000 // (PIECE * 160)
        # The post-filter's phase rounds blow rounding up, here to a part of a 16-bit step or two.
        np.testing.assert_allclose(np.concatenate(blocks), one, atol=1e-4)
        plain = list(codec.decode_blocks(codes, seed=1, postfilter=False, **options))
        assert len(plain) > 50


@pytest.mark.parametrize("weights", ["int8", "float32"])
def test_recordings_side_by_side_are_recordings_alone(codec, weights):
    lengths = [9000, 100, 30_000, 12_345, 1]
    codes = [codec.encode(noise(length, seed=i)) for i, length in enumerate(lengths)]
    speakers = ["anna", "bert", "anna", "anna", "bert"]
    found = codec.decode_many(codes, speakers, seed=3, weights=weights, streams=2)
    for one, speaker, wave in zip(codes, speakers, found, strict=True):
        alone = codec.decode(one, speaker, seed=3, weights=weights)
        assert len(wave) == one.samples
        np.testing.assert_allclose(wave, alone, atol=1e-5)
    assert codec.decode_many([], []) == []


def test_impossible_numbers_of_streams_are_refused(codec):
    codes = codec.encode(noise(1000))
    for streams, message in ((0, "whole"), (1.5, "whole"), ("a", "whole"), (10**12, "memory")):
        with pytest.raises(InputError, match=message):
            codec.decode_many([codes], ["anna"], streams=streams)


def test_long_previews_come_in_pieces_of_the_right_length(codec, monkeypatch):
    monkeypatch.setattr(rendering, "PREVIEW_SECONDS", 0.2)
    codes = codec.encode(noise(16_123))
    blocks = list(codec.decode_blocks(codes, "anna", preview=True))
    assert len(blocks) > 3 and sum(map(len, blocks)) == 16_123


@pytest.mark.parametrize("rates", [16_000, [16_000, 8000, 16_000, 44_100, 16_000, 16_000]])
def test_recordings_encoded_together_are_recordings_alone(codec, monkeypatch, rates):
    monkeypatch.setattr(encoding, "LONGEST_SECONDS", 1.5)
    monkeypatch.setattr(encoding, "BATCH_SECONDS", 2.0)
    lengths = [9000, 1, 30_000, 12_345, 320, 16_001]
    waves = [noise(length, seed=i) for i, length in enumerate(lengths)]
    sizes, encode = [], codec.model.encode

    def listening(wave, *own, **how):
        sizes.append(len(wave))
        return encode(wave, *own, **how)

    monkeypatch.setattr(codec.model, "encode", listening)
    found = codec.encode_many(waves, rates)
    assert max(sizes) > 1, "some share a forward pass"
    for i, (wave, codes) in enumerate(zip(waves, found, strict=True)):
        alone = codec.encode(wave, rates if isinstance(rates, int) else rates[i])
        np.testing.assert_array_equal(codes.indices, alone.indices)
        assert (codes.samples, codes.hop, codes.model) == (alone.samples, 320, codec.fingerprint)
    assert codec.encode_many([]) == []


def test_files_encoded_together_and_those_that_cannot_be(codec, make_audio, tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "LONGEST_SECONDS", 0.6)
    paths = [make_audio(f"{i}.wav", seconds, seed=i) for i, seconds in enumerate((0.5, 0.9, 0.1))]
    (tmp_path / "bad.wav").write_bytes(b"no audio")
    paths[2:2] = [tmp_path / "bad.wav", tmp_path / "none.wav"]
    found = list(codec.encode_files(paths))
    for path, codes in zip(paths, found, strict=True):
        if path.name in ("bad.wav", "none.wav"):
            assert isinstance(codes, InputError) and path.name in str(codes)
        else:
            np.testing.assert_array_equal(codes.indices, codec.encode_file(path).indices)


def test_what_cannot_be_encoded_together(codec):
    with pytest.raises(InputError, match="2 rates for 1 recordings"):
        codec.encode_many([noise(100)], [8000, 16_000])
    with pytest.raises(InputError, match="NaN"):
        codec.encode_many([noise(100), np.array([0, np.nan], "f4")])


@pytest.mark.parametrize(
    "wave", [np.zeros(0, "f4"), np.zeros((2, 2, 2), "f4"), np.array([0, np.nan], "f4"), [1, 2]]
)
def test_bad_waves_are_refused(codec, wave):
    with pytest.raises(InputError):
        codec.encode(np.asarray(wave))


def test_silence_and_one_sample_work(codec):
    assert len(codec.decode(codec.encode(np.zeros(16_000, "f4")), "anna")) == 16_000
    assert len(codec.decode(codec.encode(np.ones(1, "f4")), "anna")) == 1


def test_speakers_are_found_by_name(codec):
    assert codec.speaker_row("bert") == 1
    with pytest.raises(InputError, match="nearest names are anna"):
        codec.speaker_row("ana")
    with pytest.raises(InputError, match="3 speakers"):
        codec.speaker_row(None)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": -1.0},
        {"temperature": float("nan")},
        {"seed": -1},
        {"seed": 0.5},
        {"weights": "int4"},
        {"sead": 1},
    ],
)
def test_bad_options_are_refused(codec, options):
    with pytest.raises(InputError):
        codec.decode(codec.encode(noise(1000)), "anna", **options)


def test_options_are_one_object_or_named(codec):
    codes, how = codec.encode(noise(3000)), Synthesis(seed=3, postfilter=False)
    one = codec.decode(codes, "anna", how)
    np.testing.assert_array_equal(codec.decode(codes, "anna", seed=3, postfilter=False), one)
    other = codec.decode(codes, "anna", Synthesis(postfilter=False), seed=3)
    np.testing.assert_array_equal(other, one)
    with pytest.raises(InputError, match="no option sead here: there are seed, temperature"):
        codec.decode(codes, "anna", how, sead=1)


def test_codes_of_another_model_are_refused(codec):
    with pytest.raises(InputError, match="made by model feed"):
        codec.decode(Codes(np.array([0]), 320, 320, "feed"), "anna")
    with pytest.raises(InputError, match="do not fit"):
        codec.decode(Codes(np.array([4]), 320, 320), "anna")


def test_streams_of_another_model_are_refused(codec):
    def stream():
        codes = codec.encode_stream([noise(3000)])
        assert codes.model == codec.fingerprint
        codes.model = "feed"
        return codes

    for use in (
        codec.joined,
        lambda codes: codec.decode_stream(codes, "anna", preview=True),
        codec.bitstreams.streamed,
    ):
        with pytest.raises(InputError, match="made by model feed"):
            use(stream())
    parts = [Codes(np.array([0, 1]), 640, 320, "feed")]
    with pytest.raises(InputError, match="made by model feed"):
        next(codec.decode_stream(parts, "anna", preview=True))


def test_a_stream_is_one_recording_and_joined_whole(codec):
    stream = codec.encode_stream([noise(90_000)])
    with pytest.raises(InputError, match="several codes are wanted"):
        codec.decode_many(stream, "anna", preview=True)
    next(stream)
    with pytest.raises(InputError, match="has been read already; join it first"):
        codec.joined(stream)


def test_several_codes_are_not_levels_of_one(codec):
    codes = codec.encode(noise(3000))
    for several in ([codes, codes], (codes,)):
        with pytest.raises(InputError, match=r"decode_many, or Codes\.join"):
            codec.decode(several, "anna", preview=True)


def test_a_model_without_wavenet_says_so(codec, monkeypatch):
    monkeypatch.delitem(codec.trained, "waveform")
    codes = codec.encode(noise(1000))
    with pytest.raises(InputError, match="--preview"):
        codec.decode(codes, "anna")
    assert len(codec.decode(codes, "anna", preview=True)) == 1000


def test_the_postfilter_shapes_what_the_wavenet_says(codec):
    codes = codec.encode(noise(20_000))
    filtered = codec.decode(codes, "anna", seed=1)
    plain = codec.decode(codes, "anna", seed=1, postfilter=False)
    assert filtered.shape == plain.shape == (20_000,)

    vector = codec.speaker_vector("anna")
    with torch.inference_mode():
        hidden = codec.model.hidden(torch.from_numpy(codes.indices.astype(np.int64))[None], vector)
        log_mel = codec.model.conditioning.log_mel(hidden)[0].numpy()
    whole = np.pad(plain, (0, -len(plain) % codec.hop))
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(plain, filtered, atol=1e-3)
    middle = slice(2_000, 18_000)  # the sampler's last samples, beyond 20,000, are not in `plain`
    expected = postfilter(whole, log_mel, codec.config.postfilter)
    np.testing.assert_allclose(filtered[middle], expected[middle], atol=1e-4)


def test_without_a_predicted_mel_there_is_no_postfilter(codec, monkeypatch):
    codes = codec.encode(noise(5_000))
    plain = codec.decode(codes, "anna", postfilter=False)
    monkeypatch.setattr(codec.model.conditioning, "log_mel_head", None)
    np.testing.assert_array_equal(codec.decode(codes, "anna"), plain)
