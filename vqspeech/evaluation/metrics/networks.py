"""Metrics that are trained networks, their weights inside their packages: DNSMOS and a speaker
embedding."""

import functools
from pathlib import Path

import numpy as np

from vqspeech.audio.level import MIN_SECONDS, is_scorable, level_gain
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.evaluation.extras import require

_WINDOW = int(9.01 * SAMPLE_RATE)
_SIG, _BAK, _OVRL = (
    np.poly1d([-0.08397278, 1.22083953, 0.0052439]),
    np.poly1d([-0.13166888, 1.60915514, -0.39604546]),
    np.poly1d([-0.06766283, 1.11546468, 0.04602535]),
)
"""From the network's raw outputs to the P.835 scale: `dnsmos_local.py` of Microsoft's DNS
Challenge, as in speechmos."""


@functools.cache
def _dnsmos_session():
    # speechmos' own wrapper lets onnxruntime start a thread per core in every worker, and runs a
    # second network (P.808) that is not reported here.
    runtime = require("onnxruntime")
    folder = Path(require("speechmos").__path__[0])
    options = runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = folder / "dnsmos_models" / "sig_bak_ovr.onnx"
    return runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def dnsmos(x: np.ndarray) -> dict[str, float]:
    """DNSMOS P.835 (Reddy et al. 2022) of `x` [T] at 16 kHz: `dnsmos_ovrl`, `_sig`, `_bak`, 1 to 5.

    No reference is needed. As in speechmos: signals are repeated to 9.01 s, windows of 9.01 s
    every second are scored and averaged. The scores depend on the level of `x`, which is
    therefore brought to the codec's nominal one (`level.LEVEL_DB`), and clipped to [-1, 1].
    NaN for silence and below 0.25 s. Raises InputError without speechmos or onnxruntime.
    """
    session = _dnsmos_session()
    names = ("dnsmos_ovrl", "dnsmos_sig", "dnsmos_bak")
    if not is_scorable(x):
        return dict.fromkeys(names, float("nan"))
    x = np.clip(x * level_gain(x), -1.0, 1.0).astype(np.float32)
    while len(x) < _WINDOW:
        x = np.concatenate([x, x])
    last = int(len(x) // SAMPLE_RATE - 9.01)
    starts = [s for s in range(0, last * SAMPLE_RATE + 1, SAMPLE_RATE) if s + _WINDOW <= len(x)]
    raw = [session.run(None, {"input_1": x[None, s : s + _WINDOW]})[0][0] for s in starts]
    sig, bak, ovrl = np.array(raw, np.float64).T
    scores = (_OVRL(ovrl).mean(), _SIG(sig).mean(), _BAK(bak).mean())
    return {name: float(score) for name, score in zip(names, scores, strict=True)}


@functools.cache
def _voice_encoder():
    return require("resemblyzer").VoiceEncoder("cpu", verbose=False)


def voice_embedding(x: np.ndarray) -> np.ndarray | None:
    """Unit vector (float32 [256]) of the voice in `x` [T]; None where no 0.25 s of speech is found.

    GE2E speaker encoder (Wan et al. 2018) of resemblyzer, after its own level and pause treatment.
    Raises InputError without resemblyzer.
    """
    encoder = _voice_encoder()
    if not is_scorable(x):
        return None
    speech = require("resemblyzer").preprocess_wav(x)
    # Of nothing, the encoder would give the embedding of zero padding: alike for all silent files.
    if len(speech) < MIN_SECONDS * SAMPLE_RATE:
        return None
    return encoder.embed_utterance(speech)


def speaker_similarity(reference: np.ndarray | None, decoded: np.ndarray | None) -> float:
    """Cosine of two `voice_embedding`s, 0 to 1; NaN if either is None."""
    if reference is None or decoded is None:
        return float("nan")
    return float(np.dot(reference, decoded))
