"""What a codec does with codes: decode them to waveforms, one by one or side by side."""

import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from vqspeech.audio import reading as audio
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError
from vqspeech.nn.guidance import guided
from vqspeech.sampling.checks import check_sampling, check_streams
from vqspeech.sampling.stream import WaveNetSampler
from vqspeech.synthesis.griffin_lim import griffin_lim_pieces
from vqspeech.synthesis.postfilter import PostFilter

DECODE_SECONDS = 0.25
"""Speech sampled between two looks at the clock and the keyboard."""
STREAMS = 16
"""Recordings that are sampled side by side."""
PITCH_SECONDS = 60.0
"""Of a recording, from which its median F0 is taken."""
PREVIEW_SECONDS = 20.0
"""Griffin-Lim runs on pieces of this length."""


class Change(NamedTuple):
    """What a conversion adds to what the codes say.

    semitones: by which the WaveNet's pitch is moved, where the model predicts pitch. emphasis: how
    much further the speaker's sound is moved away from the average voice's (`nn.guidance`), where
    the model predicts a log-mel.
    """

    semitones: float = 0.0
    emphasis: float = 0.0


NO_CHANGE = Change()


class Decoding:
    """The part of `Codec` that turns codes into sound."""

    def decode(
        self,
        codes: Codes,
        speaker: str | None = None,
        *,
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        weights: str = "int8",
        postfilter: bool = True,
    ) -> np.ndarray:
        """Codes to a waveform, float32 [codes.samples] at 16 kHz, always free-running.

        speaker: one of `speakers`, or a file of `enroll`. temperature: None for the model's own.
        preview: Griffin-Lim from the auxiliary log-mel instead of the WaveNet. weights: the
        WaveNet's, "int8" or the slower "float32". postfilter: give what the WaveNet says the
        spectral envelope that the codes predict, where the model predicts one. Raises InputError.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        options |= {"weights": weights, "postfilter": postfilter}
        blocks = self.decode_blocks(codes, speaker, **options)
        return np.concatenate(list(blocks))

    def decode_many(
        self,
        codes: Sequence[Codes],
        speakers: Sequence[str | None],
        *,
        seed: int = 0,
        temperature: float | None = None,
        weights: str = "int8",
        postfilter: bool = True,
        streams: int = STREAMS,
    ) -> list[np.ndarray]:
        """Several recordings side by side: each as `decode` gives it alone, in less time.

        speakers: one for each. streams: how many are sampled at once. Raises InputError.
        """
        jobs = list(zip(codes, speakers, strict=True))
        options = {"seed": seed, "temperature": temperature, "weights": weights}
        options["postfilter"] = postfilter
        parts: list[list[np.ndarray]] = [[] for _ in jobs]
        for number, block in self.decode_many_blocks(jobs, streams=streams, **options):
            if block is not None:
                parts[number].append(block)
        return [np.concatenate(part) for part in parts]

    def decode_file(
        self,
        codes: Codes,
        path: str | os.PathLike,
        speaker: str | None = None,
        *,
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        weights: str = "int8",
        postfilter: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> tuple[int, int]:
        """Decode straight to a 16-bit WAV or FLAC file; returns (samples, samples clipped).

        progress: called with the seconds of audio done so far.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        options |= {"weights": weights, "postfilter": postfilter}
        blocks = self.decode_blocks(codes, speaker, **options)
        with audio.Writer(path) as file:
            for block in blocks:
                file.add(block)
                if progress is not None:
                    progress(file.samples / SAMPLE_RATE)
        return file.samples, file.clipped

    def decode_blocks(
        self,
        codes: Codes,
        speaker: str | None = None,
        *,
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        weights: str = "int8",
        postfilter: bool = True,
        change: Change = NO_CHANGE,
    ) -> Iterator[np.ndarray]:
        """`decode` in blocks, as they are made, in memory that does not grow with the length.

        change: what a conversion adds.
        """
        if not preview:
            options = {"seed": seed, "temperature": temperature, "weights": weights}
            options |= {"postfilter": postfilter, "change": change}
            blocks = self.decode_many_blocks([(codes, speaker)], **options)
            return (block for _, block in blocks if block is not None)
        vector = self.speaker_vector(speaker)
        self.check_decodable(preview)
        self.check_codes(codes)
        check_sampling(seed, 0.0, weights)
        return trimmed(self._preview_blocks(codes, vector, seed, change), codes.samples)

    def decode_many_blocks(
        self,
        jobs: Sequence[tuple[Codes, str | None]],
        *,
        seed: int = 0,
        temperature: float | None = None,
        weights: str = "int8",
        postfilter: bool = True,
        change: Change = NO_CHANGE,
        streams: int = STREAMS,
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        """`decode_many` in blocks: (number of the job, its next samples; None: its end)."""
        self.check_decodable()
        vectors = [self.speaker_vector(speaker) for _, speaker in jobs]
        for codes, _ in jobs:
            self.check_codes(codes)
        if temperature is None:
            temperature = self.config.decoder.temperature
        check_sampling(seed, temperature, weights)
        hold, frames = self.config.steps_per_frame, self._frames(DECODE_SECONDS)
        check_streams(streams, self.config.decoder, frames, hold)
        work = [(codes, vector) for (codes, _), vector in zip(jobs, vectors, strict=True)]
        filters = [PostFilter() for _ in jobs] if postfilter and self._predicts_mel else None
        sampler = self._sampler(weights)
        starts = (
            (sampler.stream(seed, temperature), self._frames_of(*job, change, one))
            for job, one in zip(work, filters or [None] * len(work), strict=True)
        )
        blocks = self._filtered(sampler.together(starts, streams), filters)
        return cut_to_length(blocks, [codes.samples for codes, _ in jobs])

    def check_decodable(self, preview: bool = False) -> None:
        """Raise InputError unless the model has what decoding, or its preview, needs."""
        if preview and not self._predicts_mel:
            raise InputError(f"model {self.name} has no auxiliary log-mel head to preview from")
        if not preview and not self.trained.get("waveform") and not self.trained.get("joint"):
            raise InputError(
                f"model {self.name} has no trained WaveNet yet: hear its codes with --preview, "
                "or train its stage 'waveform'"
            )

    def check_codes(self, codes: Codes) -> None:
        """Raise InputError unless these codes are of this model."""
        if codes.model is not None and codes.model != self.fingerprint:
            raise InputError(
                f"the codes were made by model {codes.model}, this is {self.fingerprint}; "
                "decode them with --model and the model that made them"
            )
        if codes.hop != self.hop or int(codes.indices.max()) >= self.codebook_size:
            raise InputError(
                f"the codes do not fit this model (hop {self.hop}, {self.codebook_size} codes); "
                "decode them with the model that made them"
            )

    @property
    def predicts_pitch(self) -> bool:
        """Whether the codes say what F0 the decoded voice has, which can then be moved."""
        return self.model.conditioning.pitch_head is not None

    @property
    def _predicts_mel(self) -> bool:
        return self.model.conditioning.log_mel_head is not None

    def _voices(self, vector: torch.Tensor, emphasis: float) -> torch.Tensor:
        """The speaker's vector [1, S]; to be emphasised, the average voice's below it [2, S]."""
        average = self.model.speakers.weight.mean(0, keepdim=True)
        return torch.cat([vector, average]) if emphasis else vector

    @torch.inference_mode()
    def _hidden_blocks(self, codes: Codes, vectors, frames: int) -> Iterator[torch.Tensor]:
        """Hidden frames [N, H, <= frames] of N voices [N, S], piece by piece, as if computed at
        once."""
        context, books = self.model.conditioning.context_frames, self.config.quantizer.codebooks
        indices = torch.from_numpy(codes.indices.astype(np.int64))
        for start in range(0, codes.frames, frames):
            left = max(0, start - context) // books * books  # the first codebook's turn
            part = indices[None, left : start + frames + context].to(self.device)
            yield self.model.hidden(part, vectors)[..., start - left : start - left + frames]

    @torch.inference_mode()
    def _log_mel(self, hidden: torch.Tensor, emphasis: float) -> np.ndarray:
        """Hidden frames [N, H, F] of `_voices` to the predicted log-mel [mels, n]."""
        found = self.model.conditioning.log_mel(hidden)
        return (guided(*found, emphasis) if emphasis else found[0]).cpu().numpy()

    def _sampler(self, weights: str) -> WaveNetSampler:
        if weights not in self._samplers:
            hold = self.config.steps_per_frame
            self._samplers[weights] = WaveNetSampler(self.model.decoder, hold, weights)
        return self._samplers[weights]

    @torch.inference_mode()
    def _frames_of(self, codes: Codes, vector, change: Change, postfilter: PostFilter | None):
        """What a stream is given, piece by piece: hidden frames [1, H, F] and F0 [1, n] or None."""
        emphasis = 0.0 if postfilter is None else change.emphasis
        voices = self._voices(vector, emphasis)
        for hidden in self._hidden_blocks(codes, voices, self._frames(DECODE_SECONDS)):
            if postfilter is not None:
                postfilter.expect(self._log_mel(hidden, emphasis))
            own, f0 = hidden[:1], None
            if self.predicts_pitch:
                f0 = self.model.conditioning.pitch(own).f0() * 2 ** (change.semitones / 12)
            yield own, f0

    @staticmethod
    @torch.inference_mode()
    def _filtered(blocks, filters: list[PostFilter] | None):
        """The streams' numbered blocks, each through its post-filter."""
        for number, block in blocks:
            if filters is None:
                yield number, block
            elif block is not None:
                yield number, filters[number].add(block)
            else:
                yield number, filters[number].finish()
                yield number, None

    def predicted_f0(self, codes: Codes, speaker: str | os.PathLike | None = None) -> float:
        """Median F0 in Hz that the codes' first minute has as this speaker.

        NaN where no voice is predicted, or the model predicts no pitch. Raises InputError.
        """
        if not self.predicts_pitch:
            return float("nan")
        frames = self._frames(PITCH_SECONDS)
        start = Codes(codes.indices[:frames], min(codes.samples, frames * codes.hop), codes.hop)
        found = self._frames_of(start, self.speaker_vector(speaker), NO_CHANGE, None)
        f0 = torch.cat([f0[0] for _, f0 in found])
        return float(f0[f0 > 0].median()) if bool((f0 > 0).any()) else float("nan")

    def _preview_blocks(self, codes, vector, seed, change: Change) -> Iterator[np.ndarray]:
        voices = self._voices(vector, change.emphasis)
        pieces = self._hidden_blocks(codes, voices, self._frames(PREVIEW_SECONDS))
        yield from griffin_lim_pieces((self._log_mel(x, change.emphasis) for x in pieces), seed)

    def _frames(self, seconds: float) -> int:
        return max(1, round(seconds * self.frame_rate))


def trimmed(blocks: Iterator[np.ndarray], samples: int) -> Iterator[np.ndarray]:
    """The first `samples` samples of `blocks`."""
    left = samples
    for block in blocks:
        if len(block := block[:left]):
            left -= len(block)
            yield block


def cut_to_length(blocks, samples: list[int]) -> Iterator[tuple[int, np.ndarray | None]]:
    """Numbered `blocks`, each job's cut to its number of samples."""
    left = list(samples)
    for number, block in blocks:
        if block is None:
            yield number, None
        elif len(block := block[: left[number]]):
            left[number] -= len(block)
            yield number, block
