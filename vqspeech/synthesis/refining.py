"""A heard voice made more like itself: the speaker encoder's vector, moved by a few steps of
gradient descent until it explains the speech that it was heard in.

The speaker encoder has learned from some hundreds of people; what is new in a voice it only comes
near to. The vector has few values, so some seconds of speech tell them without being learned by
heart.
"""

import numpy as np
import torch

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.nn.speaker_encoder import is_speech
from vqspeech.nn.surroundings import one_thread
from vqspeech.synthesis.fitting import frozen, mel_and_pitch, pieces_of
from vqspeech.synthesis.loaded import LoadedModel

PIECE_SECONDS, MOST_PIECES = 2.0, 5
"""Of speech that the vector is fitted to: those pieces that have most of it."""
STEPS, RATE = 20, 0.05
"""Of Adam, whose rate falls to zero as a cosine."""


def refined(loaded: LoadedModel, speech: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """The vector [S] moved towards the voice of levelled speech [T] at 16 kHz: float32 [S].

    As it is where the speech is shorter than a turn of all codebooks, or the model predicts no
    log-mel.
    """
    turn = loaded.config.hop * loaded.config.quantizer.codebooks
    size = min(round(PIECE_SECONDS * SAMPLE_RATE), len(speech)) // turn * turn
    if not size or not loaded.predicts_mel:
        return vector
    waves = speech[: len(speech) // size * size].reshape(-1, size)
    with one_thread:  # so that it depends on nothing else
        return _fitted(loaded, waves[_most_speech(loaded, waves)], vector)


@torch.no_grad()
def _most_speech(loaded: LoadedModel, waves: np.ndarray) -> np.ndarray:
    """The rows of waves [P, N] that have most speech, in their order."""
    log_mels = (
        loaded.model.target_mel(torch.from_numpy(wave)[None].to(loaded.device)) for wave in waves
    )
    found = [int(is_speech(log_mel).sum()) for log_mel in log_mels]
    return np.sort(np.argsort(found, kind="stable")[::-1][:MOST_PIECES])


def _fitted(loaded: LoadedModel, waves: np.ndarray, vector: np.ndarray) -> np.ndarray:
    pieces = pieces_of(loaded, waves)
    with torch.inference_mode(False), torch.enable_grad(), frozen(loaded.model):
        found = torch.from_numpy(vector.copy())[None].to(loaded.device).requires_grad_(True)
        optimizer = torch.optim.Adam([found], RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            optimizer.zero_grad()
            mel_and_pitch(loaded, pieces, found).backward()
            optimizer.step()
            schedule.step()
    return found.detach()[0].cpu().numpy()
