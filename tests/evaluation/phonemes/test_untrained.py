import numpy as np

from vqspeech.codec import Codec
from vqspeech.evaluation.phonemes.untrained import encoded, untrained


def test_it_uses_its_codebook_and_knows_nothing_of_the_model(tiny_model, make_audio):
    codec = Codec.from_pretrained(tiny_model, device="cpu")
    paths = [make_audio(f"{seed}.wav", 2.0, seed=seed) for seed in range(3)]
    models = [untrained(codec.config, paths, seed, codec.device) for seed in (1, 1, 2)]
    one, same, other = (encoded(model, paths[0]) for model in models)
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    assert set(one) == set(range(codec.codebook_size))
    trained, random = (each.encoder.project.weight for each in (codec.model, models[0]))
    assert not trained.equal(random)


def test_files_are_encoded_as_the_codec_encodes_them(tiny_model, make_audio):
    codec, path = Codec.from_pretrained(tiny_model, device="cpu"), make_audio("long.wav", 12.0)
    assert np.array_equal(encoded(codec.model, path), codec.encode_file(path).indices)
