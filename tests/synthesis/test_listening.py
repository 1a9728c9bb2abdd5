"""Whose voice it is: heard alike in files, arrays and streams, kept with codes, spoken with."""

import copy
import io
import pickle
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from synthetic_voice import RATE, sung

from vqspeech import Codec, Codes, InputError
from vqspeech.checkpoint.model import Checkpoint
from vqspeech.checkpoint.voices import Voice, save_voice
from vqspeech.errors import warnings_told
from vqspeech.synthesis.listening import Listener


@pytest.fixture(scope="module")
def codec(hearing_model):
    return Codec.from_pretrained(hearing_model)


@pytest.fixture(scope="module")
def deaf(tiny_model):
    """A model without a speaker encoder."""
    return Codec.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def her():
    return sung(3.3, 200.0, 220.0, pauses=False)[0]


@pytest.fixture(scope="module")
def him():
    return sung(2.2, 100.0, 110.0, pauses=False)[0]


def blocks_of(wave, size):
    return [wave[at : at + size] for at in range(0, len(wave), size)]


# Listening


@pytest.mark.parametrize("size", [1, 333, 8_000, 10**6])
def test_how_a_recording_is_cut_into_blocks_does_not_matter(codec, her, size):
    wave = her[:9_000] if size == 1 else her
    heard = [Listener(codec.loaded) for _ in range(2)]
    for listener, length in zip(heard, (size, len(wave)), strict=True):
        for block in blocks_of(wave, length):
            listener.add(block)
    np.testing.assert_array_equal(heard[0].vector(), heard[1].vector())


def test_the_vector_is_the_networks_own(codec, her):
    """A stretch as long as those of training is what `VQVAE.voice` hears."""
    listener, stretch = Listener(codec.loaded), her[: codec.config.reference_samples]
    listener.add(stretch)
    with torch.inference_mode():
        own = codec.model.voice(torch.from_numpy(stretch)[None])
    np.testing.assert_allclose(listener.vector(), own[0].numpy(), atol=1e-6)


def test_no_more_is_heard_than_is_enough(codec, her):
    listener = Listener(codec.loaded, seconds=1.0)
    for block in blocks_of(her, 1_000):
        listener.add(block)
    at_once = Listener(codec.loaded, seconds=1.0)
    at_once.add(np.concatenate([her[:16_000], 0.3 * np.random.default_rng(0).normal(size=9_000)]))
    assert listener.enough
    np.testing.assert_array_equal(listener.vector(), at_once.vector())


def test_pauses_do_not_matter(codec, her):
    """Stretches of nothing are no part of the mean, whether before the speech or behind it."""
    pause = np.zeros(4 * codec.config.reference_samples, np.float32)
    plain, paused = Listener(codec.loaded), Listener(codec.loaded)
    plain.add(her)
    paused.add(np.concatenate([pause, her]))
    np.testing.assert_allclose(plain.vector(), paused.vector(), atol=1e-5)
    assert plain.heard().seconds == paused.heard().seconds == 3.0  # the rest is too short


def test_hours_of_nearly_nothing_take_no_memory(codec, her):
    """A tenth of a second of speech in each stretch, which never is enough."""
    size = codec.config.reference_samples
    block = np.zeros(size, np.float32)
    block[:1_600] = her[:1_600]
    listener = Listener(codec.loaded)
    for _ in range(3):
        listener.add(block)
    tracemalloc.start()
    for _ in range(60):
        listener.add(block)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert not listener.enough and grown < 4 * block.nbytes
    once = Listener(codec.loaded)
    for _ in range(10):  # with less it is not trusted
        once.add(block)
    np.testing.assert_allclose(listener.vector(), once.vector(), atol=1e-5)


def test_threads_do_not_matter(codec, her):
    before = torch.get_num_threads()
    try:
        found = []
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(codec.encode(her).voice)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("samples", [1, 159, 160, 161])
def test_what_is_very_short_has_a_vector_too(codec, samples):
    codes = codec.encode(np.full(samples, 0.1, np.float32))
    assert codes.voice.shape == (4,) and np.isfinite(codes.voice).all()


def test_with_little_speech_a_voice_is_partly_the_average(codec, her):
    few, more = (codec.encode(np.pad(her[:n], (0, 16_000))).voice for n in (1_600, 4_800))
    average = codec.model.speakers.weight.mean(0).numpy(force=True)
    own = codec.encode(her).voice
    far = [np.linalg.norm(one - average) for one in (few, more, own)]
    assert 0 < far[0] < far[1] < far[2]


@pytest.mark.filterwarnings("ignore:the recording is nothing but silence")
@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_silence_of_the_shipped_model_stays_quiet(level):
    """As a recording, and where a stream begins with more of it than is waited for."""
    codec = Codec.from_pretrained()
    noise = level * np.random.default_rng(0).standard_normal(6 * RATE).astype(np.float32)
    assert np.abs(codec.decode(codec.encode(noise[:RATE]), preview=True)).max() < 0.01
    stream = codec.encode_stream([noise], voice=True)
    assert np.abs(codec.decode(codec.joined(stream), preview=True)).max() < 0.01


def test_silence_has_codes_and_a_vector_but_is_nobodys_voice(codec):
    silence = np.zeros(RATE, np.float32)
    codes = codec.encode(silence)
    average = codec.model.speakers.weight.mean(0).numpy(force=True)
    np.testing.assert_allclose(codes.voice, average, atol=1e-6)
    assert np.isfinite(codec.decode(codes, preview=True)).all()
    with pytest.raises(InputError, match="no speech"):
        codec.voice_of(silence)


# Codes that know whose they are


def test_codes_alone_give_their_owner_back(codec, her, him):
    first, second = codec.encode(her), codec.encode(him)
    assert not np.allclose(first.voice, second.voice, atol=0.05)
    plain = codec.decode(first, preview=True)
    voice = codec.voices.own(first)
    np.testing.assert_array_equal(plain, codec.decode(first, voice, preview=True))
    assert not np.allclose(plain, codec.decode(first, "anna", preview=True), atol=1e-3)
    other = codec.decode(replace(first, voice=second.voice), preview=True)
    assert not np.allclose(plain, other, atol=1e-3)


def test_every_way_to_encode_hears_the_same(codec, her, tmp_path):
    path = tmp_path / "her.wav"
    soundfile.write(path, her, RATE, subtype="FLOAT")
    voice = codec.encode(her).voice
    for codes in (
        codec.encode_file(path),
        codec.encode_many([her, her[:9_000]])[0],
        next(codec.encode_files([path])),
    ):
        np.testing.assert_array_equal(codes.voice, voice)
    for codes in (
        codec.encode(her, voice=False),
        codec.encode_file(path, voice=False),
        codec.encode_many([her], voice=False)[0],
        next(codec.encode_files([path], voice=False)),
    ):
        assert codes.voice is None
        with pytest.raises(InputError, match="name one"):
            codec.decode(codes, preview=True)


def test_parts_of_codes_have_the_voice_of_the_whole(codec, her, him):
    first, second = codec.encode(her), codec.encode(him)
    part = first[10:20]
    np.testing.assert_array_equal(part.voice, first.voice)
    np.testing.assert_array_equal(Codes.join([part, first]).voice, first.voice)
    assert Codes.join([first[:10], second]).voice is None
    assert Codes.join([first[:10], replace(first, voice=None)]).voice is None
    for copied in (copy.deepcopy(part), pickle.loads(pickle.dumps(part))):
        np.testing.assert_array_equal(copied.voice, first.voice)


@pytest.mark.parametrize(
    "voice", [np.full(4, np.nan), np.zeros((1, 4)), "anna", np.zeros(5), [0.0, 1.0]]
)
def test_what_is_no_voice_of_the_model(codec, her, voice):
    with pytest.raises(InputError, match="voice"):
        codec.decode(replace(codec.encode(her), voice=voice), preview=True)


def test_a_voice_needs_the_model_that_knows_it():
    with pytest.raises(InputError, match="the model named"):
        Codes([0, 1], 640, 320, voice=np.zeros(4))


def test_several_are_decoded_each_in_its_own_voice(codec, her, him):
    codes = codec.encode_many([her[:9_000], him[:7_000]])
    together = codec.decode_many(codes, preview=True)
    for one, wave in zip(codes, together, strict=True):
        np.testing.assert_array_equal(wave, codec.decode(one, preview=True))


# Recordings for speakers


def test_a_recording_stands_where_a_name_does(codec, her, him, tmp_path):
    path = tmp_path / "him.flac"
    soundfile.write(path, him, RATE)
    read, _ = soundfile.read(path, dtype="float32")
    codes = codec.encode(her)
    voice = codec.voice_of(read, name="him")
    found = codec.decode(codes, path, preview=True)
    for same in (str(path), codec.voice_of_file(path), voice):
        np.testing.assert_array_equal(found, codec.decode(codes, same, preview=True))
    assert codec.voice_of_file(path).name == "him"
    assert voice.f0 == pytest.approx(105, abs=4) and codec.speaker_f0(path) == voice.f0
    converted = codec.convert(her, RATE, path, preview=True)
    np.testing.assert_array_equal(converted, codec.convert(her, RATE, voice, preview=True))
    assert not np.allclose(converted, codec.convert(her, RATE, "anna", preview=True), atol=1e-3)


def test_a_changed_recording_is_listened_to_again(codec, her, him, tmp_path):
    path = tmp_path / "voice.wav"
    soundfile.write(path, her, RATE)
    first = codec.voice_of_file(path)
    assert codec.voice_of_file(path) is first
    soundfile.write(path, him, RATE)
    assert not np.allclose(codec.voice_of_file(path).vector, first.vector, atol=0.05)


def test_a_voice_is_saved_and_used_again(codec, her, tmp_path):
    path = tmp_path / "her.safetensors"
    voice = codec.voice_of(her, name="her")
    save_voice(path, voice)
    codes = codec.encode(her)
    saved = codec.decode(codes, path, preview=True)
    np.testing.assert_array_equal(saved, codec.decode(codes, voice, preview=True))


def test_little_speech_is_warned_of(codec, her):
    told = []
    with warnings_told(told.append):
        codec.voice_of(her[:8_000], name="her")
        codec.voice_of(her, name="her")
    assert len(told) == 1 and "her: has 0.5 s of speech" in told[0]


def test_a_model_without_a_speaker_encoder(deaf, her, tmp_path):
    path = tmp_path / "her.wav"
    soundfile.write(path, her, RATE)
    codes = deaf.encode(her)
    assert codes.voice is None and not deaf.hears_voices
    for tried in (
        lambda: deaf.voice_of(her),
        lambda: deaf.voice_of_file(path),
        lambda: deaf.decode(codes, path),
        lambda: deaf.convert(her, RATE, path),
        lambda: deaf.generate(path),
    ):
        with pytest.raises(InputError, match="no speaker encoder.*vqspeech enroll"):
            tried()
    with pytest.raises(InputError, match="name one"):
        deaf.decode(codes)


def test_wrong_recordings_and_voices(codec, deaf, her, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF" + bytes(40))
    codes = codec.encode(her)
    for speaker, words in (
        (tmp_path / "none.wav", "no such file"),
        (broken, "broken.wav"),
        ("nobody", "no speaker 'nobody'"),
        (Voice("x", np.zeros(4, np.float32), deaf.fingerprint, 3.0), "make it again"),
        (Voice("x", np.zeros(3, np.float32), codec.fingerprint, 3.0), "finite vector"),
        (Voice("x", np.full(4, np.inf, np.float32), codec.fingerprint, 3.0), "finite vector"),
        (3, "must be a name"),
    ):
        with pytest.raises(InputError, match=words):
            codec.decode(codes, speaker, preview=True)


# .vqs files and streams


def kept(codec, codes, **options):
    file = io.BytesIO()
    size = codec.save_vqs(codes, file, **options)
    file.seek(0)
    return codec.load_vqs(file), size


def test_a_file_keeps_the_voice_in_few_bytes(codec, her):
    codes = codec.encode(her)
    (found, named, _), size = kept(codec, codes)
    assert named is None
    np.testing.assert_allclose(found.voice, codes.voice, atol=np.abs(codes.voice).max() / 250)
    (bare, _, _), less = kept(codec, replace(codes, voice=None))
    assert bare.voice is None and size - less == 1 + 4 + 2 + len(codes.voice)
    (again, _, _), same = kept(codec, found)
    assert same == size
    np.testing.assert_array_equal(again.voice, found.voice)


def test_a_named_speaker_goes_before_the_voice(codec, her, him):
    codes = codec.encode(her)
    (found, named, contents), _ = kept(codec, codes, speaker="bert")
    assert named == "bert" and found.voice is None and not contents.header.voice
    (found, named, _), _ = kept(codec, codes, speaker=codec.voice_of(him))
    assert named is None
    np.testing.assert_allclose(found.voice, codec.voice_of(him).vector, atol=0.02)


def test_a_voice_of_another_decoder_is_not_used(codec, her, hearing_model):
    codes = codec.encode(her)
    file = io.BytesIO()
    codec.save_vqs(codes, file)
    about = codec.loaded.about._replace(fingerprint="0123456789abcdef")
    other = Codec(Checkpoint(codec.model, about, hearing_model))
    file.seek(0)
    found, _, contents = other.load_vqs(file)
    assert contents.header.voice and found.voice is None


def test_a_stream_tells_its_voice_with_its_first_codes(codec, her):
    def heard(size):
        blocks, asked = blocks_of(her, size), []

        def come():
            for block in blocks:
                asked.append(len(block))
                yield block

        stream = codec.encode_stream(come(), gain=1.0, voice=True)
        voice = stream.voice
        assert sum(asked) < len(her)  # it did not wait for the end
        return voice, np.concatenate(list(stream)), stream.samples

    voice, indices, samples = heard(400)
    assert samples == len(her) and voice.shape == (4,)
    for size in (100, 1_600):
        _, same, _ = heard(size)
        np.testing.assert_array_equal(same, indices)
    quiet = codec.encode_stream(blocks_of(her, 400), gain=1.0)
    assert quiet.voice is None
    np.testing.assert_array_equal(np.concatenate(list(quiet)), indices)


def test_a_streams_sound_is_in_its_voice(codec, her):
    stream = codec.encode_stream(blocks_of(her, 1_000), voice=True)
    sound = np.concatenate(list(codec.decode_stream(stream, preview=True)))
    again = codec.encode_stream(blocks_of(her, 1_000), voice=True)
    codes = codec.joined(again)
    np.testing.assert_array_equal(codes.voice, again.voice)
    np.testing.assert_array_equal(sound, codec.decode(codes, preview=True))
    with pytest.raises(InputError, match="name one"):
        next(codec.decode_stream(codec.encode_stream([her]), preview=True))


def test_a_stream_of_little_has_a_voice_at_its_end(codec, her):
    stream = codec.encode_stream([her[:3_000]], voice=True)
    assert stream.voice.shape == (4,)
    assert len(np.concatenate(list(stream))) == 10
    with pytest.raises(InputError, match="no samples"):
        _ = codec.encode_stream([], voice=True).voice
