"""The codec: files and waveforms to codes and back. Order and plumbing; the maths is below."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from vqspeech import audio, conversion
from vqspeech.checkpoint import Checkpoint, load_checkpoint
from vqspeech.chunks import ChunkEncoder
from vqspeech.codec_prior import WithPrior
from vqspeech.codes import Codes
from vqspeech.dsp import SAMPLE_RATE, HighPass, frames_for
from vqspeech.errors import InputError
from vqspeech.sampling.checks import check_sampling, check_streams
from vqspeech.sampling.preview import griffin_lim_pieces
from vqspeech.sampling.stream import WaveNetSampler
from vqspeech.speakers import Voice, find_row, is_voice_file, load_voice

DECODE_SECONDS = 0.25
"""Speech sampled between two looks at the clock and the keyboard."""
STREAMS = 16
"""Recordings that are sampled side by side."""
PREVIEW_SECONDS = 20.0
"""Griffin-Lim runs on pieces of this length."""


class Codec(WithPrior):
    """A trained model, ready to encode and decode. Make one with `Codec.from_pretrained`."""

    def __init__(self, checkpoint: Checkpoint, device: str = "auto"):
        self.device = choose_device(device)
        self.model = checkpoint.model.to(self.device)
        about = checkpoint.about
        self.config = about.config
        self.speaker_table: list[dict[str, Any]] = about.speakers
        self.trained: dict[str, int] = about.trained
        self.fingerprint, self.folder = about.fingerprint, checkpoint.folder
        self._samplers: dict[str, WaveNetSampler] = {}

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike | None = None, device: str = "auto"
    ) -> "Codec":
        """Load a model by folder or hub name; None loads the one inside the package.

        device: "auto" (a GPU if there is one), "cpu" or "cuda". Raises InputError.
        """
        return cls(load_checkpoint(name), device)

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def hop(self) -> int:
        """Samples a code."""
        return self.config.hop

    @property
    def codebook_size(self) -> int:
        return self.config.quantizer.codes

    @property
    def frame_rate(self) -> float:
        """Codes a second."""
        return self.config.frame_rate

    @property
    def bit_rate(self) -> float:
        """bit/s of the plain codes."""
        return self.config.bit_rate

    @property
    def speakers(self) -> list[str]:
        """Names of the speaker identities, in the order of their rows."""
        return [speaker["name"] for speaker in self.speaker_table]

    def speaker_row(self, name: str | None) -> int:
        """The row of a speaker; None will do for a model of one. Raises InputError."""
        return find_row(self.speaker_table, name)

    def speaker_vector(self, speaker: str | os.PathLike | None) -> torch.Tensor:
        """The vector [1, S] of a name in `speakers`, or of a file from `vqspeech enroll`.

        Raises InputError.
        """
        if is_voice_file(speaker) and speaker not in self.speakers:
            return torch.from_numpy(self._voice(speaker).vector)[None].to(self.device)
        return self.model.speakers.weight[self.speaker_row(speaker)][None]

    def speaker_f0(self, speaker: str | os.PathLike | None) -> float:
        """Median F0 of a speaker in Hz, 0 where it is not known. Raises InputError."""
        if is_voice_file(speaker) and speaker not in self.speakers:
            return self._voice(speaker).f0
        return self.speaker_table[self.speaker_row(speaker)].get("f0", 0.0)

    def _voice(self, path: str | os.PathLike) -> Voice:
        return load_voice(path, self.fingerprint, self.config.conditioning.speaker_dim)

    # Encoding

    def encode(self, wave: np.ndarray, rate: int = SAMPLE_RATE) -> Codes:
        """Encode one recording.

        wave: [T] or [T, channels] (averaged), float in [-1, 1] or int16, at `rate` Hz.
        The level is brought to the one that the model was trained at, so a decoded recording has
        that level too. Raises InputError for empty, NaN or infinite input.
        """
        wave = as_mono(wave)
        gain = audio.level_gain(wave, rate)
        return self.encode_blocks(audio.resample_blocks([wave], rate), gain)

    def encode_file(self, path: str | os.PathLike) -> Codes:
        """Encode any audio file, in memory that does not grow with its length but for the codes.

        Raises InputError for what is no readable audio.
        """
        gain = audio.measure_level(path).gain()
        return self.encode_blocks(audio.read_blocks(path), gain)

    def encode_blocks(self, blocks: Iterable[np.ndarray], gain: float) -> Codes:
        """Encode blocks (float32 [N]) of one recording at 16 kHz, times `gain`."""
        chunks, high_pass, samples = ChunkEncoder(self.model), HighPass(), 0
        indices = []
        for block in blocks:
            samples += len(block)
            indices += chunks.add(high_pass(block * np.float32(gain)))
        indices += chunks.finish()
        joined = np.concatenate(indices).astype(np.uint16)
        return Codes(joined, samples, self.hop, self.fingerprint)

    # Decoding

    def decode(
        self,
        codes: Codes,
        speaker: str | None = None,
        *,
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        weights: str = "int8",
    ) -> np.ndarray:
        """Codes to a waveform, float32 [codes.samples] at 16 kHz, always free-running.

        speaker: one of `speakers`, or a file of `enroll`. temperature: None for the model's own.
        preview: Griffin-Lim from the auxiliary log-mel instead of the WaveNet. weights: the
        WaveNet's, "int8" or the slower "float32". Raises InputError.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        blocks = self.decode_blocks(codes, speaker, weights=weights, **options)
        return np.concatenate(list(blocks))

    def decode_many(
        self,
        codes: Sequence[Codes],
        speakers: Sequence[str | None],
        *,
        seed: int = 0,
        temperature: float | None = None,
        weights: str = "int8",
        streams: int = STREAMS,
    ) -> list[np.ndarray]:
        """Several recordings side by side: each as `decode` gives it alone, in less time.

        speakers: one for each. streams: how many are sampled at once. Raises InputError.
        """
        jobs = list(zip(codes, speakers, strict=True))
        options = {"seed": seed, "temperature": temperature, "weights": weights}
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
        progress: Callable[[float], None] | None = None,
    ) -> tuple[int, int]:
        """Decode straight to a 16-bit WAV or FLAC file; returns (samples, samples clipped).

        progress: called with the seconds of audio done so far.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        blocks = self.decode_blocks(codes, speaker, weights=weights, **options)
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
    ) -> Iterator[np.ndarray]:
        """`decode` in blocks, as they are made, in memory that does not grow with the length."""
        if not preview:
            options = {"seed": seed, "temperature": temperature, "weights": weights}
            blocks = self.decode_many_blocks([(codes, speaker)], **options)
            return (block for _, block in blocks if block is not None)
        vector = self.speaker_vector(speaker)
        self.check_decodable(preview)
        self.check_codes(codes)
        check_sampling(seed, 0.0, weights)
        return trimmed(self._preview_blocks(codes, vector, seed), codes.samples)

    def decode_many_blocks(
        self,
        jobs: Sequence[tuple[Codes, str | None]],
        *,
        seed: int = 0,
        temperature: float | None = None,
        weights: str = "int8",
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
        check_streams(streams, self.config.decoder, self._frames(DECODE_SECONDS))
        work = [(codes, vector) for (codes, _), vector in zip(jobs, vectors, strict=True)]
        blocks = self._wavenet_blocks(work, seed, temperature, weights, streams)
        return cut_to_length(blocks, [codes.samples for codes, _ in jobs])

    def check_decodable(self, preview: bool = False) -> None:
        """Raise InputError unless the model has what decoding, or its preview, needs."""
        if preview and self.model.conditioning.head is None:
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

    @torch.inference_mode()
    def _hidden_blocks(self, codes: Codes, vector, frames: int) -> Iterator[torch.Tensor]:
        """Hidden frames [1, H, <= frames], piece by piece, as if computed at once."""
        context = self.model.conditioning.context_frames
        indices = torch.from_numpy(codes.indices.astype(np.int64))
        for start in range(0, codes.frames, frames):
            left = max(0, start - context)
            part = indices[None, left : start + frames + context].to(self.device)
            yield self.model.hidden(part, vector)[..., start - left : start - left + frames]

    @torch.inference_mode()
    def _wavenet_blocks(self, jobs, seed, temperature, weights, streams):
        """(number of the job, its next samples; None: its end); jobs: (codes, vector)."""
        if weights not in self._samplers:
            hold = self.config.steps_per_frame
            self._samplers[weights] = WaveNetSampler(self.model.decoder, hold, weights)
        sampler, size = self._samplers[weights], self._frames(DECODE_SECONDS)
        starts = (
            (sampler.stream(seed, temperature), self._hidden_blocks(codes, vector, size))
            for codes, vector in jobs
        )
        yield from sampler.together(starts, streams)

    @torch.inference_mode()
    def _preview_blocks(self, codes, vector, seed) -> Iterator[np.ndarray]:
        pieces = self._hidden_blocks(codes, vector, self._frames(PREVIEW_SECONDS))
        head = self.model.conditioning.log_mel
        yield from griffin_lim_pieces((head(hidden)[0].cpu().numpy() for hidden in pieces), seed)

    def _frames(self, seconds: float) -> int:
        return max(1, round(seconds * self.frame_rate))

    # Converting

    def convert(
        self,
        wave: np.ndarray,
        rate: int = SAMPLE_RATE,
        speaker: str | os.PathLike | None = None,
        *,
        pitch: str | float = "target",
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
    ) -> np.ndarray:
        """A recording as another speaker would say it, at its own level: float32 [T] at 16 kHz.

        wave and rate as in `encode`. pitch: "target" moves it to the speaker's where both are
        known, "keep" leaves it, a number moves it by semitones; before encoding, as codes carry
        pitch. The rest as in `decode`. Raises InputError.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        return conversion.convert(self, as_mono(wave), rate, speaker, pitch, **options)

    def convert_file(
        self,
        source: str | os.PathLike,
        path: str | os.PathLike,
        speaker: str | os.PathLike | None = None,
        *,
        pitch: str | float = "target",
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        progress: Callable[[float], None] | None = None,
    ) -> int:
        """`convert` an audio file to a 16-bit WAV or FLAC file, in memory that its length does not
        move; returns the samples written. progress: called with the seconds done so far.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        return conversion.convert_file(self, source, path, speaker, pitch, progress, **options)

    # Measuring

    @torch.inference_mode()
    def nats_per_step(self, wave: np.ndarray, speaker: str, shuffle: bool = False) -> float:
        """-log p(x | codes, speaker) of a recording [T] at 16 kHz, in nats a WaveNet step.

        Teacher-forced: a measure of the model, never a reconstruction. shuffle: with the codes of
        the recording in random order; the difference is what the decoder learns from them.
        """
        codes, vector = self.encode(wave), self.speaker_vector(speaker)
        if shuffle:
            order = np.random.default_rng(0).permutation(codes.frames)
            codes = Codes(codes.indices[order], codes.samples, codes.hop, codes.model)
        decoder, hold = self.model.decoder, self.config.steps_per_frame
        level = HighPass()(wave * np.float32(audio.level_gain(wave)))
        level = np.pad(level, (0, codes.frames * self.hop - len(level)))
        target = decoder.encode(torch.from_numpy(level)[None].to(self.device))
        hidden = torch.cat(list(self._hidden_blocks(codes, vector, codes.frames)), -1)
        past = frames_for(decoder.stack.receptive_field, hold)
        total, size = 0.0, self._frames(2.0)
        for start in range(0, codes.frames, size):
            left, end = max(0, start - past), min(codes.frames, start + size)
            truth = target[:, left * hold : end * hold]
            first = (start - left) * hold
            logits = decoder(truth, hidden[..., left:end], first)
            total += float(decoder.nats(logits, truth[:, first:]).sum())
        return total / (codes.frames * hold)


def as_mono(wave: np.ndarray) -> np.ndarray:
    """[T] or [T, channels], float or int16, to float32 [T]. Raises InputError."""
    wave = np.asarray(wave)
    if wave.ndim not in (1, 2) or wave.size == 0:
        raise InputError(f"a recording must be [T] or [T, channels], not {list(wave.shape)}")
    if wave.dtype == np.int16:
        wave = wave.astype(np.float32) / 32768
    if not np.issubdtype(wave.dtype, np.floating):
        raise InputError(f"a recording must be float or int16, not {wave.dtype}")
    wave = wave.astype(np.float32)
    if not np.isfinite(wave).all():
        raise InputError("the recording has NaN or infinite samples; repair it first")
    return wave.mean(1) if wave.ndim == 2 else wave


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


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" to a device; InputError if there is no such device."""
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device '{name}' must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device here; use --device cpu, or auto")
    has_gpu = name != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if has_gpu else "cpu")
