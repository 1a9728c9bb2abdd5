"""Several processes encode as one does."""

import numpy as np
import pytest

from vqspeech.bulk.processes import FILES_A_WORKER, default_workers, encode_files, encode_together
from vqspeech.codec import Codec
from vqspeech.errors import InputError


def test_few_files_are_not_worth_a_process():
    assert default_workers(0) == default_workers(1) == default_workers(2 * FILES_A_WORKER - 1) == 1
    assert default_workers(10**6) >= 1


@pytest.mark.parametrize("together", [False, True])
def test_codes_and_order_are_those_of_one_by_one(tiny_model, tmp_path, make_audio, together):
    jobs = [
        (make_audio(f"{i}.wav", 0.2 + 0.1 * i, seed=i), tmp_path / f"{i}.npy") for i in range(5)
    ]
    jobs[2][0].write_bytes(b"not audio")
    codec = Codec.from_pretrained(tiny_model, device="cpu")
    if together:
        results = list(encode_together(codec, jobs))
    else:
        results = list(encode_files(jobs, str(tiny_model), "cpu", 2))
    for i, ((path, out), result) in enumerate(zip(jobs, results, strict=True)):
        if i == 2:
            assert isinstance(result, InputError) and "2.wav" in str(result)
            assert not out.exists()
        else:
            assert result == pytest.approx(0.2 + 0.1 * i)
            assert np.array_equal(np.load(out), codec.encode_file(path).indices)
