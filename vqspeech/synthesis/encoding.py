"""Recordings to codes: one by one in bounded memory, several in one pass, or as they come."""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from vqspeech.arguments import for_each, is_path, listed, shown, switch
from vqspeech.audio import reading as audio
from vqspeech.audio.level import SpeechMeter
from vqspeech.audio.resampling import resample_blocks
from vqspeech.audio.signal import SAMPLE_RATE, frames_for
from vqspeech.codes.codes import Codes
from vqspeech.codes.stream import CodeStream
from vqspeech.errors import InputError, named
from vqspeech.nn.surroundings import in_own_surroundings
from vqspeech.parallel import mapped_ahead
from vqspeech.synthesis.levelling import checked_gain, gain_of, levelled_blocks
from vqspeech.synthesis.listening import STREAM_SPEECH, Listener, RefinedListener, held_back
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import REFINED, Listening, check_listening
from vqspeech.synthesis.searching import check_searches, searched
from vqspeech.synthesis.streaming import ChunkEncoder
from vqspeech.synthesis.waves import as_mono, as_monos, as_rate

BATCH_SECONDS = 240.0
"""Of speech, padding included, in one forward pass."""
LONGEST_SECONDS = 30.0
"""Longer recordings are encoded by themselves, chunk by chunk."""
STREAM_SECONDS = 0.2
"""A stream's codes are worked out for so much at a time, or for all that has come."""
Progress = Callable[[float], object]
READERS = 4
"""Threads that read files ahead of the encoder."""


class RecordingEncoder:
    """The encoder's side of a codec.

    levels: codes of a frame. search: search them (`nn.search`), but for streams.
    """

    def __init__(self, loaded: LoadedModel, levels: int = 1, search: bool = False):
        self.loaded, self.levels, self.search = loaded, levels, search

    def at(self, bitrate: float | None, search: bool = False) -> "RecordingEncoder":
        """The encoder for codes of `bitrate` bit/s, one of the model's; None: the lowest. Raises
        InputError."""
        if switch("search", search):
            check_searches(self.loaded)
        return RecordingEncoder(self.loaded, self.loaded.levels_at(bitrate), search)

    def wave(self, wave: Any, rate: int = SAMPLE_RATE, voice: Listening = True) -> Codes:
        """`Codec.encode`."""
        blocks = list(resample_blocks([as_mono(wave)], as_rate(rate)))
        return self.blocks(blocks, gain_of(SpeechMeter(blocks), "the recording"), voice)

    def file(
        self,
        path: str | os.PathLike,
        gain: float | None = None,
        voice: Listening = True,
        progress: Progress | None = None,
    ) -> Codes:
        """`Codec.encode_file`; gain: linear, instead of the one that its level asks for."""
        gain = gain_of(audio.measure_level(path), path) if gain is None else checked_gain(gain)
        return self.blocks(audio.read_blocks(path), gain, voice, progress)

    def stream(
        self,
        blocks: Iterable[np.ndarray],
        rate: int = SAMPLE_RATE,
        gain: float | None = None,
        voice: bool = False,
    ) -> CodeStream:
        """`Codec.encode_stream`."""
        gain, voice = None if gain is None else checked_gain(gain), switch("voice", voice)
        if hasattr(blocks, "ndim") or is_path(blocks) or not isinstance(blocks, Iterable):
            raise InputError(
                f"a stream must be blocks of samples, not {shown(blocks)}; give a list or an "
                "iterator of arrays"
            )
        resampled = resample_blocks(as_monos(blocks), as_rate(rate))
        levelled, tell = levelled_blocks(resampled, gain), None
        if voice and self.loaded.hears_voices:
            listener = Listener(self.loaded, STREAM_SPEECH)
            levelled, tell = held_back(levelled, listener), listener.vector
        parts = in_own_surroundings(self._streamed)(levelled)
        return CodeStream(parts, tell, self.levels, self.loaded.fingerprint)

    def _streamed(self, blocks: Iterable[np.ndarray]) -> Generator[np.ndarray, None, int]:
        """The codes of levelled blocks as they become known; returns the samples."""
        chunks = ChunkEncoder(self.loaded.model, STREAM_SECONDS, self.levels)
        samples = 0
        for block in blocks:
            samples += len(block)
            for indices in chunks.add(block):
                yield indices.astype(np.uint16)
        if not samples:
            raise InputError("the stream has no samples; check what feeds it")
        for indices in chunks.finish():
            yield indices.astype(np.uint16)
        return samples

    def joined(self, stream: CodeStream) -> Codes:
        """`Codec.joined`."""
        if not isinstance(stream, CodeStream):
            raise InputError(f"a stream of encode_stream is wanted, not {shown(stream)}")
        self.loaded.check_maker(stream.model)
        parts = list(stream)
        if not parts or stream.samples is None:
            raise InputError("the stream has been read already; encode the recording again")
        indices = np.concatenate(parts, -1)
        if indices.shape[-1] < frames_for(stream.samples, self.loaded.config.hop):
            raise InputError(
                "the start of the stream has been read already; join it first, or encode again"
            )
        return replace(self._codes(indices, stream.samples), voice=stream.voice)

    def blocks(
        self,
        blocks: Iterable[np.ndarray],
        gain: float,
        voice: Listening = False,
        progress: Progress | None = None,
    ) -> Codes:
        """Encode blocks (float32 [N]) of one recording at 16 kHz, times `gain`.

        voice: listen for whose they are, too, where the model has a speaker encoder. progress:
        called with the seconds that are encoded.
        """
        samples, indices, done, listener = 0, [], 0, self._listener(voice)

        def passing() -> Iterator[np.ndarray]:
            nonlocal samples
            for block in levelled_blocks(blocks, gain):
                samples += len(block)
                if listener is not None:
                    listener.add(block)
                yield block

        for part in self._indices(passing()):
            indices.append(part)
            done += part.shape[-1]
            if progress is not None:
                progress(done / self.loaded.config.frame_rate)
        if not samples:
            raise InputError("the recording has no samples; give at least one")
        return self._codes(np.concatenate(indices, -1), samples, listener)

    def _indices(self, blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The codes of levelled blocks, part by part: [F], or [levels, F] of several."""
        if self.search:
            yield from searched(self.loaded, self.levels, blocks)
            return
        chunks = ChunkEncoder(self.loaded.model, levels=self.levels)
        for block in blocks:
            yield from chunks.add(block)
        yield from chunks.finish()

    def waves(
        self, waves: Sequence[Any], rates: Any = SAMPLE_RATE, voice: Listening = True
    ) -> list[Codes]:
        """Recordings of any lengths, several in one forward pass: each as `wave` gives it alone.

        waves: as in `wave`. rates: in Hz, of all, or one for each. Raises InputError, which says
        of which recording.
        """
        given = recordings(waves, rates)
        resampled = [list(resample_blocks([wave], rate)) for _, wave, rate in given]
        gains = [
            gain_of(SpeechMeter(blocks), one.name)
            for blocks, one in zip(resampled, given, strict=True)
        ]
        short = (
            None if self.search else _short(blocks, gain)
            for blocks, gain in zip(resampled, gains, strict=True)
        )
        return [
            self.blocks(resampled[number], gains[number], voice) if codes is None else codes
            for number, codes in enumerate(self._batched(short, voice))
        ]

    def files(
        self, paths: Sequence[str | os.PathLike], voice: Listening = True
    ) -> Iterator[Codes | InputError]:
        """The codes of files, or why they cannot be read, in order; several in one forward pass, in
        memory that does not grow with their number. Raises InputError for what is no list."""
        return self._files(listed("files", paths), voice)

    def _files(
        self, paths: list[str | os.PathLike], voice: Listening
    ) -> Iterator[Codes | InputError]:
        def short(path: str | os.PathLike) -> np.ndarray | InputError | None:
            try:
                if self.search or audio.duration(path) > LONGEST_SECONDS:
                    return None
                return _short(audio.read_blocks(path), gain_of(audio.measure_level(path), path))
            except InputError as error:
                return error

        for path, one in zip(
            paths, self._batched(mapped_ahead(short, paths, READERS), voice), strict=True
        ):
            yield self._alone(path, voice) if one is None else one

    def _alone(self, path: str | os.PathLike, voice: Listening) -> Codes | InputError:
        try:
            return self.file(path, voice=voice)
        except InputError as error:
            return error

    def _batched(self, items: Iterable, voice: Listening) -> Iterator:
        """Levelled waves [T] to their codes, in order; whatever else comes is passed on."""
        batch, longest = [], 0
        for item in items:
            size = len(item) if isinstance(item, np.ndarray) else 0
            if max(longest, size) * (len(batch) + 1) > BATCH_SECONDS * SAMPLE_RATE:
                yield from self._together(batch, voice)
                batch, longest = [], 0
            batch.append(item)
            longest = max(longest, size)
        yield from self._together(batch, voice)

    @torch.inference_mode()
    def _together(self, batch: list, voice: Listening) -> list:
        """One forward pass over the waves among `batch`, padded to the longest of them."""
        waves = [item for item in batch if isinstance(item, np.ndarray)]
        if not waves:
            return batch
        lengths = torch.tensor([len(wave) for wave in waves])
        padded = np.zeros((len(waves), int(lengths.max())), np.float32)
        for row, wave in zip(padded, waves, strict=True):
            row[: len(wave)] = wave
        device = self.loaded.device
        padded, lengths = torch.from_numpy(padded).to(device), lengths.to(device)
        indices = self.loaded.model.encode(padded, lengths, self.levels)
        rows = iter(indices.cpu().numpy())
        return [
            self._codes(next(rows), len(item), self._heard(item, voice))
            if isinstance(item, np.ndarray)
            else item
            for item in batch
        ]

    def _listener(self, voice: Listening) -> Listener | None:
        if not check_listening(voice) or not self.loaded.hears_voices:
            return None
        if voice == REFINED:
            return RefinedListener(self.loaded, levels=self.levels)
        return Listener(self.loaded)

    def _heard(self, wave: np.ndarray, voice: Listening) -> Listener | None:
        if (listener := self._listener(voice)) is not None:
            listener.add(wave)
        return listener

    def _codes(self, indices: np.ndarray, samples: int, listener: Listener | None = None) -> Codes:
        hop = self.loaded.config.hop
        own = indices[..., : frames_for(samples, hop)].astype(np.uint16)
        voice = None if listener is None else listener.vector(own)
        known = (samples, hop, self.loaded.fingerprint)
        return Codes(own, *known, voice=voice, **self.loaded.shape)


class Recording(NamedTuple):
    """One of several: what messages call it, float32 [T], Hz."""

    name: str
    wave: np.ndarray
    rate: int


def recordings(waves: Any, rates: Any = SAMPLE_RATE) -> list[Recording]:
    """Several recordings as `Codec.encode_many` takes them. Raises InputError that says which."""
    found, waves = [], listed("recordings", waves, dimensions=2)
    for number, rate in enumerate(for_each("rates", rates, len(waves))):
        with named(name := f"recording {number}"):
            found.append(Recording(name, as_mono(waves[number]), as_rate(rate)))
    return found


def _short(blocks: Iterable[np.ndarray], gain: float) -> np.ndarray | None:
    """The levelled wave [T] of a recording; None where it is too long for a batch."""
    parts, samples = [], 0
    for block in levelled_blocks(blocks, gain):
        samples += len(block)
        if samples > LONGEST_SECONDS * SAMPLE_RATE:
            return None
        parts.append(block)
    return np.concatenate(parts)
