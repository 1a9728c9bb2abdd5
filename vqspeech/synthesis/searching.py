"""The search for codes (`nn.search`) over recordings of any length, in bounded memory.

In the recording's own voice, as it is heard in its first seconds of speech, whatever voice the
codes are to be decoded in afterwards: what is searched for is what was said, not who is to say it.
A voice that is kept is refined after that, with the codes that were found.
"""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain

import numpy as np
import torch

from vqspeech.audio.pitch import f0_frames
from vqspeech.errors import InputError
from vqspeech.nn.search import CodeSearch
from vqspeech.nn.surroundings import one_thread, threads
from vqspeech.parallel import mapped_ahead
from vqspeech.synthesis.listening import Listener, held_back
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.streaming import Chunk, Chunks

CHUNK_SECONDS = 10.0
"""Of speech whose codes are searched at once, however it comes: they depend on it, a little."""
WAIT_SECONDS = 30.0
"""Of a recording that is waited for until its voice is known, at most."""


def searched(
    loaded: LoadedModel, levels: int, blocks: Iterable[np.ndarray]
) -> Iterator[np.ndarray]:
    """The codes of a recording's levelled blocks, found by search: [F] each, or [levels, F].

    Chunks are searched side by side, in as many threads as PyTorch has.
    """
    model, listener = loaded.model, Listener(loaded)
    search, held = CodeSearch(model), held_back(blocks, listener, WAIT_SECONDS)
    if (first := next(held, None)) is None:
        return
    # Now that all has been listened to.
    vector = torch.from_numpy(listener.vector())[None].to(loaded.device)
    # As much context for one level as for all: the first level's codes are to be the same.
    context = search.context_frames + model.context_frames(loaded.levels)
    cutter = Chunks(loaded.config, context, CHUNK_SECONDS, CHUNK_SECONDS)
    encode = partial(_encode, loaded, search, levels, vector)
    yield from mapped_ahead(encode, cutter.of(chain([first], held)), threads())


@torch.inference_mode()
def _encode(
    loaded: LoadedModel, search: CodeSearch, levels: int, vector: torch.Tensor, chunk: Chunk
) -> np.ndarray:
    wave = np.pad(chunk.wave, (0, -len(chunk.wave) % loaded.config.hop))
    f0 = None
    if loaded.predicts_pitch:
        f0 = torch.from_numpy(f0_frames(wave))[None].to(loaded.device)
    samples = torch.from_numpy(wave)[None].to(loaded.device)
    with one_thread:  # whose number moves the rounding, and with it what is best
        indices = search(samples, vector, f0, levels)
    own = indices[:, chunk.own].cpu().numpy()
    return own if levels > 1 else own[0]


def check_searches(loaded: LoadedModel) -> None:
    """Raise InputError for a model whose codes cannot be searched."""
    if not loaded.searches:
        raise InputError(
            f"model {loaded.config.name} has no log-mel head and speaker encoder to search codes "
            "by; encode without search"
        )
