import math

import numpy as np
import pytest

from vqspeech import Codec, Codes
from vqspeech.errors import InputError


@pytest.fixture(scope="module")
def codec(tiny_prior_model):
    return Codec.from_pretrained(tiny_prior_model, device="cpu")


@pytest.fixture(scope="module")
def plain(tiny_model):
    return Codec.from_pretrained(tiny_model, device="cpu")


@pytest.fixture(scope="module")
def codes(codec):
    return codec.generate_codes("anna", 3.0, seed=5)


def test_generated_codes(codec, codes):
    assert (codes.frames, codes.samples, codes.model) == (150, 48_000, codec.fingerprint)
    again = codec.generate_codes("anna", 3.0, seed=5)
    assert np.array_equal(again.indices, codes.indices)
    assert not np.array_equal(codec.generate_codes("anna", 3.0, seed=6).indices, codes.indices)
    longer = codec.generate_codes("anna", 3.01, seed=5)
    assert longer.frames == 151 and np.array_equal(longer.indices[:150], codes.indices)


def test_temperature_and_top_p(codec):
    """The likelier the codes, the fewer bits they cost; 0 takes the likeliest always."""
    bits = [
        codec.bits_per_code(codec.generate_codes("bert", 20, temperature=t), "bert")
        for t in (1.0, 0.5, 0.0)
    ]
    assert bits[0] > bits[1] > bits[2]
    greedy = codec.generate_codes("bert", 20, temperature=0.0).indices
    narrow = codec.generate_codes("bert", 20, top_p=0.01).indices
    colder = codec.generate_codes("bert", 20, temperature=1e-9).indices
    assert np.array_equal(greedy, narrow) and np.array_equal(greedy, colder)


def test_a_prompt_is_kept_and_continued(codec, codes):
    prompt = Codes(codes.indices[:60], 60 * codec.hop, codec.hop, codec.fingerprint)
    found = codec.generate_codes("anna", 1.0, seed=2, prompt=prompt)
    assert found.frames == 110 and np.array_equal(found.indices[:60], prompt.indices)
    changed = (prompt.indices + 1) % codec.codebook_size  # every one is another
    other = Codes(changed.astype(np.uint16), 60 * codec.hop, codec.hop)
    # The same draws may well give the same codes, from which on both go on alike: so several.
    after = [
        [codec.generate_codes("anna", 1.0, seed=seed, prompt=one).indices[60:] for seed in range(8)]
        for one in (prompt, other)
    ]
    assert not np.array_equal(*after)


def test_speech(codec):
    wave = codec.generate("anna", 0.5, seed=3)
    assert wave.shape == (8000,) and wave.dtype == np.float32 and np.isfinite(wave).all()
    codes = codec.generate_codes("anna", 0.5, seed=3)
    assert np.array_equal(wave, codec.decode(codes, "anna", seed=3))
    preview = codec.generate(seconds=0.5, seed=3, preview=True)
    assert preview.shape == (8000,)


def test_a_drawn_speaker(codec):
    drawn = {codec.any_speaker(seed) for seed in range(30)}
    assert drawn == {"anna", "bert"}, "`other` is nobody's voice"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"seconds": 0}, "seconds"),
        ({"seconds": float("nan")}, "seconds"),
        ({"seconds": 1e9}, "seconds"),
        ({"temperature": -1}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.1}, "top_p"),
        ({"seed": -1}, "seed"),
        ({"speaker": "nobody"}, "no speaker"),
        ({"prompt": Codes([1], 320, 320, "another")}, "another"),
        ({"prompt": Codes([9], 320, 320)}, "fit"),
    ],
)
def test_what_cannot_be_generated(codec, options, word):
    with pytest.raises(InputError, match=word):
        codec.generate_codes(**options)


def test_a_model_without_a_prior(plain, codes, tmp_path):
    with pytest.raises(InputError, match="no prior"):
        plain.generate_codes("anna")
    with pytest.raises(InputError, match="no prior"):
        plain.bits_per_code(codes)
    # Its codes are packed instead, and read by whatever model has the same codes.
    plain.save_vqs(codes, tmp_path / "x.vqs")
    found, _, contents = plain.load_vqs(tmp_path / "x.vqs")
    assert np.array_equal(found.indices, codes.indices) and contents.header.prior == ""


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("speaker", [None, "bert"])
def test_files(codec, codes, tmp_path, packed, speaker):
    cut = Codes(codes.indices, codes.samples - 100, codes.hop, codes.model)
    size = codec.save_vqs(cut, tmp_path / "x.vqs", speaker, packed)
    assert size == (tmp_path / "x.vqs").stat().st_size
    found, named, contents = codec.load_vqs(tmp_path / "x.vqs")
    assert np.array_equal(found.indices, cut.indices)
    assert (found.samples, found.hop, found.model) == (cut.samples, cut.hop, codec.fingerprint)
    assert named == speaker and bool(contents.header.prior) is not packed
    wave = codec.decode(found, "anna", preview=True)
    assert len(wave) == cut.samples


def test_files_are_as_long_as_the_prior_says(codec, codes, tmp_path):
    from vqspeech.codes.vqs import measure_vqs

    long = Codes(np.tile(codes.indices, 20), 20 * codes.samples, codes.hop, codes.model)
    codec.save_vqs(long, tmp_path / "x.vqs", "anna")
    payload = 8 * measure_vqs(tmp_path / "x.vqs").payload
    assert payload == pytest.approx(codec.bits_per_code(long, "anna") * long.frames, rel=0.02)
    assert codec.bits_per_code(long, "bert") != codec.bits_per_code(long, "anna")


def test_the_shipped_model(tmp_path):
    """Its prior is there, fits its codes, and saves what the README says and more than a fifth."""
    from pathlib import Path

    from vqspeech.codes.vqs import measure_vqs

    shipped = Codec.from_pretrained(device="cpu")
    sentence = shipped.encode_file(Path(__file__).parents[2] / "egs" / "sentence.flac")
    shipped.save_vqs(sentence, tmp_path / "x.vqs")
    found, _, contents = shipped.load_vqs(tmp_path / "x.vqs")
    assert np.array_equal(found.indices, sentence.indices) and contents.header.prior
    bits = 8 * measure_vqs(tmp_path / "x.vqs").payload / sentence.frames
    assert bits < 0.8 * math.log2(shipped.codebook_size)
    assert bits == pytest.approx(shipped.bits_per_code(sentence), abs=8 / sentence.frames)


def test_another_model_is_named(codec, codes, tmp_path, tiny_config):
    import torch

    from vqspeech.checkpoint.model import save_checkpoint
    from vqspeech.nn.vqvae import VQVAE

    torch.manual_seed(9)
    model = VQVAE(tiny_config, 3)
    save_checkpoint(model, codec.speaker_table, tmp_path / "other", {"waveform": 1})
    other = Codec.from_pretrained(tmp_path / "other", device="cpu")
    for packed in (True, False):
        codec.save_vqs(codes, tmp_path / "x.vqs", packed=packed)
        with pytest.raises(InputError) as caught:
            other.load_vqs(tmp_path / "x.vqs")
        for word in ("x.vqs", codec.codes_identity, other.codes_identity, "tiny", "--model"):
            assert word in str(caught.value)


def test_another_prior_is_named(codec, codes, tmp_path, tiny_prior_model):
    import shutil

    import torch

    from vqspeech.checkpoint.prior import load_prior, save_prior

    folder = shutil.copytree(tiny_prior_model, tmp_path / "model")
    stored = load_prior(folder, codec.model)
    with torch.no_grad():
        stored.prior.output.bias.add_(1)
    name = save_prior(stored.prior, stored.speakers, folder, codec.codes_identity)
    codec.save_vqs(codes, tmp_path / "x.vqs")
    with pytest.raises(InputError) as caught:
        Codec.from_pretrained(folder, device="cpu").load_vqs(tmp_path / "x.vqs")
    for word in (name[:8], codec.loaded.prior.fingerprint[:8], "prior"):
        assert word in str(caught.value)
