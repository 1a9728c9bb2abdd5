import numpy as np

from vqspeech.codec import Codec
from vqspeech.evaluation.phonemes.untrained import untrained


def test_it_uses_its_codebook_and_knows_nothing_of_the_model(tiny_model, make_audio):
    codec = Codec.from_pretrained(tiny_model, device="cpu")
    paths = [make_audio(f"{seed}.wav", 2.0, seed=seed) for seed in range(3)]
    one, same, other = (untrained(codec, paths, seed) for seed in (1, 1, 2))
    codes = [codec.encode_file(paths[0]).indices for codec in (one, same, other)]
    assert np.array_equal(codes[0], codes[1]) and not np.array_equal(codes[0], codes[2])
    assert set(codes[0]) == set(range(codec.codebook_size))
    trained, random = (each.model.encoder.project.weight for each in (codec, one))
    assert not trained.equal(random)
