import numpy as np
import pytest

from vqspeech.evaluation.rates import RateMeter


def test_rates_are_over_all_recordings_together():
    meter = RateMeter()
    meter.add("x", 100, 300, 1.0)
    meter.add("x", 500, 700, 3.0)
    meter.add("nothing", 0, 80, 0.0)
    assert meter.summary() == {"x": {"coded": 150, "file": 250}}


@pytest.mark.parametrize("speaker", ["anna", None])
def test_the_files_of_a_model_with_a_prior(tiny_prior_model, speaker):
    from vqspeech import Codec, Codes

    codec, meter = Codec.from_pretrained(tiny_prior_model), RateMeter()
    indices = np.random.default_rng(0).integers(0, 4, 100).astype(np.uint16)
    codes = Codes(indices, 32_000, 320, codec.fingerprint)
    meter.add_vqs(codec, codes, speaker)
    found = meter.summary()
    assert found["packed"]["coded"] == 100  # 2 bits a code, 50 codes a second
    assert found["packed"]["file"] > 200
    estimate = 50 * codec.bits_per_code(codes, speaker)
    assert found["prior"]["coded"] == pytest.approx(estimate, abs=16)
