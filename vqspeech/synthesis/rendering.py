"""Codes in a voice to sound: the WaveNet and its post-filter, or Griffin-Lim for a preview."""

from collections.abc import Generator, Iterator, Sequence

import numpy as np
import torch

from vqspeech.codes.codes import Codes
from vqspeech.config.rendering import PostFilterConfig
from vqspeech.nn.surroundings import threads
from vqspeech.sampling.backend import weights_for
from vqspeech.sampling.checks import check_streams
from vqspeech.sampling.stream import Frames, WaveNetSampler, to_numpy
from vqspeech.synthesis.griffin_lim import griffin_lim_pieces
from vqspeech.synthesis.hidden import HiddenFrames, Spoken
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import Synthesis
from vqspeech.synthesis.postfilter import PostFilter
from vqspeech.synthesis.source import CodeSource

DECODE_SECONDS = 0.25
"""Speech sampled between two looks at the clock and the keyboard."""
PREVIEW_SECONDS = 20.0
"""Griffin-Lim runs on pieces of this length."""
STREAMS = 16
"""Recordings that are sampled side by side."""


class SamplingJob:
    """One recording being sampled: what it says, its post-filter, what of it is still to come."""

    def __init__(self, hidden: HiddenFrames, spoken: Spoken, postfilter: PostFilter | None):
        self._source = CodeSource.of(spoken.codes)
        self._spoken = spoken._replace(codes=self._source)
        self._hidden, self._postfilter, self._made = hidden, postfilter, 0

    def frames(self, size: int, with_mel: bool) -> Iterator[Frames]:
        """What the stream is told, `size` code frames at a time.

        What the codes predict of their sound goes to the post-filter on the way. with_mel: whether
        the stream wants it too.
        """
        postfilter = self._postfilter
        for piece in self._hidden.pieces(self._spoken, size, with_mel or postfilter is not None):
            if postfilter is not None and piece.log_mel is not None:
                postfilter.expect(to_numpy(piece.log_mel[0]))
            yield piece

    def heard(self, block: np.ndarray | None) -> np.ndarray:
        """The stream's next samples (None: its end) to those that are now final, float32 [N]."""
        if self._postfilter is not None:
            block = self._postfilter.finish() if block is None else self._postfilter.add(block)
        block = np.zeros(0, np.float32) if block is None else block
        block = own_samples(block, self._made, self._source)
        self._made += len(block)
        return block


def own_samples(block: np.ndarray, made: int, source: CodeSource) -> np.ndarray:
    """What of the samples after the first `made` is the recording's: it may end within a frame.

    Where the last frame is among them, the source has ended: a frame waits for its context.
    """
    return block if source.samples is None else block[: source.samples - made]


class Renderer:
    """What makes sound with a model.

    postfilter: its settings, the model's own unless others are given.
    """

    def __init__(self, loaded: LoadedModel, postfilter: PostFilterConfig | None = None):
        self._loaded, self.hidden = loaded, HiddenFrames(loaded)
        self._settings = postfilter or loaded.config.postfilter
        self._samplers: dict[str, WaveNetSampler] = {}

    def __getstate__(self) -> dict:
        """Without packed weights, which are of this machine: another process packs its own."""
        return self.__dict__ | {"_samplers": {}}

    def blocks(self, spoken: Spoken, options: Synthesis) -> Generator[np.ndarray, None, None]:
        """The sound in blocks, as they are made, in memory that does not grow with the length.

        Raises InputError, before the first block.
        """
        if not options.preview:
            found = self.together([spoken], options)
            return (block for _, block in found if block is not None)
        self._loaded.check_decodable(preview=True)
        self._check(spoken)
        return self._preview(spoken, options.seed)

    def together(
        self, spoken: Sequence[Spoken], options: Synthesis, streams: int = STREAMS
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        """Recordings side by side, each as alone: (its number, its next samples; None: its end).

        streams: how many are sampled at once; previews, which are quick, come one by one. Raises
        InputError, before the first block.
        """
        if options.preview:
            return self._previews([self.blocks(one, options) for one in spoken])
        self._loaded.check_decodable()
        for one in spoken:
            self._check(one)
        config, size = self._loaded.config, self._loaded.frames(DECODE_SECONDS)
        check_streams(streams, config.decoder, size, config.steps_per_frame)
        sampler = self._sampler(weights_for(options.weights, self._loaded.device.type))
        temperature = options.temperature
        temperature = config.decoder.temperature if temperature is None else temperature
        filtered = options.postfilter and self._loaded.predicts_mel
        jobs = [
            SamplingJob(self.hidden, one, PostFilter(self._settings) if filtered else None)
            for one in spoken
        ]
        starts = (
            (sampler.stream(options.seed, temperature), job.frames(size, config.decoder.scaled))
            for job in jobs
        )
        return self._sampled(jobs, sampler.together(starts, streams))

    @torch.inference_mode()
    def _sampled(self, jobs: list[SamplingJob], blocks: Iterator[tuple[int, np.ndarray | None]]):
        for number, block in blocks:
            if len(made := jobs[number].heard(block)):
                yield number, made
            if block is None:
                yield number, None

    def _check(self, spoken: Spoken) -> None:
        if isinstance(spoken.codes, Codes):  # a source checks what comes
            self._loaded.check_codes(spoken.codes)

    def _sampler(self, weights: str) -> WaveNetSampler:
        if weights not in self._samplers:
            steps = self._loaded.config.steps_per_frame
            self._samplers[weights] = WaveNetSampler(self._loaded.model.decoder, steps, weights)
        return self._samplers[weights]

    def _previews(self, previews: list[Iterator[np.ndarray]]):
        for number, blocks in enumerate(previews):
            for block in blocks:
                yield number, block
            yield number, None

    def _preview(self, spoken: Spoken, seed: int) -> Generator[np.ndarray, None, None]:
        source = CodeSource.of(spoken.codes)
        # A stream's pieces are not waited for before what is known is heard.
        side_by_side = 0 if source.samples is None else threads()
        pieces = self.hidden.pieces(
            spoken._replace(codes=source), self._loaded.frames(PREVIEW_SECONDS)
        )
        log_mels = (to_numpy(piece.log_mel[0]) for piece in pieces if piece.log_mel is not None)
        made = 0
        for block in griffin_lim_pieces(log_mels, seed, side_by_side):
            if len(block := own_samples(block, made, source)):
                made += len(block)
                yield block
