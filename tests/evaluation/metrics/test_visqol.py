import math
import os
import subprocess
import sys

import numpy as np
import pytest
from synthetic_voice import sung

from vqspeech.errors import InputError
from vqspeech.evaluation.metrics import visqol as room
from vqspeech.evaluation.metrics.visqol import visqol


def noisy(voice, amount):
    noise = np.random.default_rng(0).standard_normal(len(voice))
    return (voice + amount * noise).astype(np.float32)


@pytest.mark.slow  # its kernels are compiled once a machine, for half a minute
def test_the_mark_falls_with_noise(voice):
    best, little, much = (visqol(voice, noisy(voice, amount)) for amount in (0, 0.003, 0.1))
    assert 5 >= best > 4.5 and best > little + 0.1 and little > much >= 1
    assert visqol(voice, voice) == best


@pytest.mark.parametrize("samples", [0, 1, 3999, 5000, 8000])
def test_silence_and_short_signals_are_undefined(samples):
    wave = sung(1.0)[0][:samples]
    assert math.isnan(visqol(wave, wave))
    assert math.isnan(visqol(sung(1.0)[0], np.zeros(16_000, np.float32)))


def test_a_missing_package_names_the_extra(monkeypatch, voice):
    room._api.cache_clear()
    monkeypatch.setitem(sys.modules, "visqol", None)
    with pytest.raises(InputError, match=r"vqspeech\[eval\]"):
        visqol(voice, voice)


def test_pytorch_keeps_its_threads():
    """Their number decides the last digits of what is computed next."""
    code = """
import numba, os, torch  # numba first: then the package's kernels run on its OpenMP
import numpy as np
from vqspeech.evaluation.metrics.visqol import visqol
torch.set_num_threads(os.cpu_count() + 1)
torch.get_num_threads()  # asked first, PyTorch sets them once more
noise = 0.1 * np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
print(visqol(noise, noise) > 4, torch.get_num_threads() - os.cpu_count())
"""
    own = {name: value for name, value in os.environ.items() if name != "NUMBA_THREADING_LAYER"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=own)
    assert (done.returncode, done.stdout.strip()) == (0, "True 1"), done.stderr
