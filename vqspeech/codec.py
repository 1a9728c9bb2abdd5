"""The codec: a facade over its parts, which do the work (`vqspeech.synthesis`)."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from vqspeech.arguments import for_each, listed, shown
from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.audio.writing import Writer
from vqspeech.checkpoint.model import Checkpoint, load_checkpoint
from vqspeech.checkpoint.voices import Voice
from vqspeech.codes.codes import Codes
from vqspeech.codes.stream import CodeStream
from vqspeech.codes.vqs import Contents, Named
from vqspeech.errors import InputError, named
from vqspeech.nn.surroundings import all_in_own_surroundings
from vqspeech.synthesis.bitstreams import Bitstreams
from vqspeech.synthesis.conversion import Converter
from vqspeech.synthesis.encoding import RecordingEncoder, recordings
from vqspeech.synthesis.generation import Generator
from vqspeech.synthesis.hidden import Spoken
from vqspeech.synthesis.loaded import LoadedModel
from vqspeech.synthesis.options import (
    NO_CHANGE,
    Change,
    Conversion,
    Generation,
    Listening,
    Synthesis,
    chosen,
)
from vqspeech.synthesis.rendering import STREAMS, Renderer
from vqspeech.synthesis.source import CodeSource
from vqspeech.synthesis.voices import VoiceName, Voices
from vqspeech.synthesis.waves import as_mono, as_rate


@all_in_own_surroundings
class Codec:
    """A trained model, ready to encode and decode. Make one with `Codec.from_pretrained`.

    A `speaker` is one of `speakers`, a file of `vqspeech enroll`, a recording of the voice or a
    `Voice` (`voice_of`); with None codes are decoded in the voice that they have (`Codes.voice`).
    `codes` are `Codes`, or whole numbers [F], of several levels [levels, F], in an array, list or
    tensor (`as_codes`). A `wave` is an array, list or tensor of samples (`encode`). Options may be
    given as one object (`Synthesis`, `Conversion`, `Generation`), by name, or both. All methods
    raise InputError for what cannot be done; it says what to do instead. A codec can be pickled and
    copied.
    """

    def __init__(self, checkpoint: Checkpoint, device: str | torch.device = "auto"):
        self.loaded = loaded = LoadedModel.of(checkpoint, device)
        self.model, self.config, self.device = loaded.model, loaded.config, loaded.device
        self.folder, self.fingerprint = loaded.folder, loaded.fingerprint
        self.trained = loaded.about.trained
        """Steps done in each stage of training."""
        self.check_decodable, self.as_codes = loaded.check_decodable, loaded.as_codes
        self.voices = voices = Voices(loaded)
        self.speakers, self.speaker_table = voices.names, voices.table
        self.speaker_row, self.speaker_vector = voices.row, voices.vector
        self.speaker_f0, self.any_speaker = voices.f0, voices.any
        self.encoder, self.renderer = RecordingEncoder(loaded), Renderer(loaded)
        self.levels, self.levels_at = loaded.levels, loaded.levels_at
        self.bit_rates = loaded.bit_rates
        """bit/s with one level of codes, with two, ... up to all."""
        self.converter = Converter(self.encoder, voices, self.renderer)
        self.generator, self.bitstreams = Generator(loaded, voices), Bitstreams(loaded, voices)
        self.block_coder = self.bitstreams.block_coder

    @classmethod
    def from_pretrained(
        cls, name: str | os.PathLike | None = None, device: str | torch.device = "auto"
    ) -> "Codec":
        """Load a model by folder or hub name; None loads the one inside the package.

        device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:1". Raises InputError.
        """
        return cls(load_checkpoint(name), device)

    # What it is

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def codes_identity(self) -> str:
        """16 hex digits that name the codes; models that differ in the decoder only share them."""
        return self.loaded.codes_identity

    @property
    def hop(self) -> int:
        """Samples a code."""
        return self.config.hop

    @property
    def codebook_size(self) -> int:
        """Codes that a frame has to choose from."""
        return self.config.quantizer.codebook_size

    def codebook_rows(self, codes: Any) -> np.ndarray:
        """Each frame's row, int64 [F], in the table of all codebooks of the first level, of
        `config.quantizer.entries` rows: its index, and which codebook's turn it is."""
        codes = self.as_codes(codes)
        return self.config.quantizer.rows(codes.by_level[0], np.arange(codes.frames))

    @property
    def frame_rate(self) -> float:
        """Codes a second."""
        return self.config.frame_rate

    @property
    def bit_rate(self) -> float:
        """bit/s of the plain codes of the first level: what is encoded at where no rate is given.
        `bit_rates` are all that the model has."""
        return self.config.bit_rate

    @property
    def predicts_pitch(self) -> bool:
        """Whether the codes say what F0 the decoded voice has, which can then be moved."""
        return self.loaded.predicts_pitch

    @property
    def hears_voices(self) -> bool:
        """Whether the model knows a voice by some seconds of it: a recording is a speaker then, and
        codes know whose they are."""
        return self.loaded.hears_voices

    @property
    def searches(self) -> bool:
        """Whether codes can be searched for by what they decode to (`encode`)."""
        return self.loaded.searches

    @property
    def has_prior(self) -> bool:
        """Whether the model has a prior over its codes."""
        return self.loaded.has_prior

    # Encoding

    def encode(
        self,
        wave: Any,
        rate: int = SAMPLE_RATE,
        voice: Listening = True,
        bitrate: float | None = None,
        search: bool = False,
    ) -> Codes:
        """Encode one recording.

        wave: [T] or [T, channels] (averaged), or [1, T] or [2, T] as torchaudio gives them, float
        in [-1, 1] or the int16, int32 or uint8 of files, at `rate` Hz.
        The level is brought to the one that the model was trained at, so a decoded recording has
        that level too; a level that speech hardly has is warned of. Empty, NaN or infinite input is
        refused.

        voice: of a model that `hears_voices`: listen for whose voice it is too (`Codes.voice`), in
        the first 9 s of speech; "refined": better, which takes longer than encoding. bitrate: one
        of `bit_rates`; None: the lowest. Codes of a higher rate have more levels, of which the
        first are those of a lower one (`Codes.at`). search: not each frame's nearest code, but the
        codes that decode nearest to the recording (`nn.search`): better speech at the same rate, in
        twenty times as long, more at higher ones. Of a model that `searches`.
        """
        return self.encoder.at(bitrate, search).wave(wave, rate, voice)

    def encode_file(
        self,
        path: str | os.PathLike,
        gain: float | None = None,
        voice: Listening = True,
        bitrate: float | None = None,
        search: bool = False,
        progress: Callable[[float], object] | None = None,
    ) -> Codes:
        """Encode any audio file, in memory that does not grow with its length but for the codes.

        gain: what the samples are multiplied by, None for what brings them to the codec's level.
        voice, bitrate, search: as in `encode`. progress: called with the seconds that are encoded.
        """
        return self.encoder.at(bitrate, search).file(path, gain, voice, progress)

    def encode_stream(
        self,
        blocks: Iterable[np.ndarray],
        rate: int = SAMPLE_RATE,
        gain: float | None = None,
        voice: bool = False,
        bitrate: float | None = None,
    ) -> CodeStream:
        """Encode a recording while it is being made: index arrays uint16 [n], or [levels, n] of a
        higher rate, as they become known.

        blocks: each as `encode`'s wave, of any size; short ones of two axes wait for one that is
        long enough to tell which the channels are. gain: what the samples are multiplied by; None
        to take the level from the first seconds of speech and to follow it from there on, by the
        fixed rule of `vqspeech.audio.following`. With a recording's own gain
        (`vqspeech.audio.level.level_gain`) the codes are those of `encode`, to the last bit.

        A code comes at most 0.6 s (30 frames of the shipped model; at its higher rates 0.64 s)
        after its frame began; without a gain the first ones after 2 s of speech, or 5 s of
        anything. Once the stream has ended its `samples` say how long the recording was.

        voice: as in `encode`; then the first codes wait for a stretch of speech (3 s), or for 5 s
        of anything. bitrate: as in `encode`.
        """
        return self.encoder.at(bitrate).stream(blocks, rate, gain, voice)

    def joined(self, stream: CodeStream) -> Codes:
        """The codes of a stream, read to its end."""
        return self.encoder.joined(stream)

    def encode_many(
        self,
        waves: Sequence[Any],
        rates: int | Sequence[int] = SAMPLE_RATE,
        voice: Listening = True,
        bitrate: float | None = None,
        search: bool = False,
    ) -> list[Codes]:
        """Recordings of any lengths, several in one forward pass: each as `encode` gives it alone.

        waves, voice, bitrate, search: as in `encode`. rates: in Hz, of all, or one for each.
        """
        return self.encoder.at(bitrate, search).waves(waves, rates, voice)

    def encode_files(
        self,
        paths: Sequence[str | os.PathLike],
        voice: Listening = True,
        bitrate: float | None = None,
        search: bool = False,
    ) -> Iterator[Codes | InputError]:
        """The codes of files, or why they cannot be read, in order; several in one forward pass, in
        memory that does not grow with their number. voice, bitrate, search: as in `encode`."""
        return self.encoder.at(bitrate, search).files(paths, voice)

    def voice_of(self, wave: Any, rate: int = SAMPLE_RATE, name: str = "") -> Voice:
        """The voice of a recording (as `encode`'s), by up to 30 s of its speech: a `speaker`
        wherever one is asked for. Of a model that `hears_voices`."""
        return self.voices.of_wave(as_mono(wave), as_rate(rate), name)

    def voice_of_file(self, path: str | os.PathLike) -> Voice:
        """`voice_of` an audio file, called as that is."""
        return self.voices.of_file(path)

    # Decoding

    def decode(
        self, codes: Any, speaker: VoiceName = None, options: Synthesis | None = None, **changes
    ) -> np.ndarray:
        """Codes to a waveform, float32 [codes.samples] at 16 kHz, always free-running.

        options, changes: of `Synthesis`, as in `decode(codes, "anna", seed=1, preview=True)`.
        """
        return np.concatenate(list(self.decode_blocks(codes, speaker, options, **changes)))

    def decode_blocks(
        self,
        codes: Any,
        speaker: VoiceName = None,
        options: Synthesis | None = None,
        *,
        change: Change = NO_CHANGE,
        **changes,
    ) -> Iterator[np.ndarray]:
        """`decode` in blocks, as they are made, in memory that does not grow with the length.

        change: what a conversion adds.
        """
        codes = self.as_codes(codes)
        spoken = Spoken(codes, self.voices.of(codes, speaker), change)
        return self.renderer.blocks(spoken, chosen(Synthesis, options, changes))

    def decode_stream(
        self,
        codes: Iterable,
        speaker: VoiceName = None,
        options: Synthesis | None = None,
        **changes,
    ) -> Iterator[np.ndarray]:
        """Codes to float32 blocks at 16 kHz while they come: all together what `decode` gives.

        codes: index arrays, lists or single numbers, of any sizes; a `CodeStream` too, whose last
        frame then ends where its recording did, and whose voice is that of the stream, where it
        has one and no speaker is named; an array or `Codes` as in `decode`. options, changes: as
        in `decode`.

        A sample comes at most 1.9 s of codes after its own began (96 frames of the shipped model: a
        second of the post-filter and what that and the decoder look ahead), 0.6 s with
        `postfilter=False`, 20.4 s in a preview.
        """
        if hasattr(codes, "__array__"):  # whose parts would be levels, or levels of a frame
            return self.decode_blocks(codes, speaker, options, **changes)
        if isinstance(codes, CodeStream):
            self.loaded.check_maker(codes.model)
        source = CodeSource(codes, self.hop, self.codebook_size, self.loaded.check_codes)
        spoken = Spoken(source, self.voices.of_stream(codes, speaker))
        return self.renderer.blocks(spoken, chosen(Synthesis, options, changes))

    def decode_file(
        self,
        codes: Any,
        path: str | os.PathLike,
        speaker: VoiceName = None,
        options: Synthesis | None = None,
        *,
        progress: Callable[[float], object] | None = None,
        **changes,
    ) -> tuple[int, int]:
        """Decode straight to a 16-bit WAV or FLAC file; returns (samples, samples clipped).

        progress: called with the seconds of audio done so far.
        """
        blocks = self.decode_blocks(codes, speaker, options, **changes)
        with Writer(path) as file:
            for block in blocks:
                file.add(block)
                if progress is not None:
                    progress(file.samples / SAMPLE_RATE)
        return file.samples, file.clipped

    def decode_many(
        self,
        codes: Sequence[Any],
        speakers: VoiceName | Sequence[VoiceName] = None,
        options: Synthesis | None = None,
        *,
        streams: int = STREAMS,
        **changes,
    ) -> list[np.ndarray]:
        """Several recordings side by side: each as `decode` gives it alone, in less time.

        speakers: one for all, or one for each. streams: how many are sampled at once.
        """
        if isinstance(codes, Codes | CodeStream):  # whose parts are no recordings
            raise InputError(f"several codes are wanted, not {shown(codes)}; give a list of them")
        if getattr(codes, "ndim", 0) == 2 and 1 < (number := len(codes)) <= self.levels:
            raise InputError(
                f"an array {list(np.shape(codes))} may be {number} recordings or {number} levels "
                "of one; give a list of codes"
            )
        codes = listed("codes", codes, dimensions=2)
        jobs = list(zip(codes, for_each("speakers", speakers, len(codes)), strict=True))
        parts: list[list[np.ndarray]] = [[] for _ in jobs]
        for number, block in self.decode_many_blocks(jobs, options, streams=streams, **changes):
            if block is not None:
                parts[number].append(block)
        return [np.concatenate(part) for part in parts]

    def decode_many_blocks(
        self,
        jobs: Iterable[tuple[Any, VoiceName]],
        options: Synthesis | None = None,
        *,
        streams: int = STREAMS,
        **changes,
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        """`decode_many` in blocks: (number of the job, its next samples; None: its end)."""
        spoken = []
        for number, (codes, speaker) in enumerate(jobs):
            codes = self.as_codes(codes, name := f"codes {number}")
            with named(name):
                spoken.append(Spoken(codes, self.voices.of(codes, speaker)))
        return self.renderer.together(spoken, chosen(Synthesis, options, changes), streams)

    def predicted_f0(self, codes: Any, speaker: VoiceName = None) -> float:
        """Median F0 in Hz that the codes' first minute has as this speaker.

        NaN where no voice is predicted, or the model predicts no pitch.
        """
        codes = self.as_codes(codes)
        return self.renderer.hidden.median_f0(codes, self.voices.of(codes, speaker))

    # Converting

    def convert(
        self,
        wave: Any,
        rate: int = SAMPLE_RATE,
        speaker: VoiceName = None,
        options: Conversion | None = None,
        **changes,
    ) -> np.ndarray:
        """A recording as another speaker would say it, at its own level: float32 [T] at 16 kHz.

        wave and rate as in `encode`. options, changes: of `Conversion`, as in `pitch="keep"`.
        """
        return self.converter.wave(wave, rate, speaker, options, **changes)

    def convert_file(
        self,
        source: str | os.PathLike,
        path: str | os.PathLike,
        speaker: VoiceName = None,
        options: Conversion | None = None,
        *,
        progress: Callable[[float], object] | None = None,
        **changes,
    ) -> int:
        """`convert` an audio file to a 16-bit WAV or FLAC file, in memory that its length does not
        move; returns the samples written. progress: called with the seconds done so far.
        """
        how = {"progress": progress, **changes}
        return self.converter.file(source, path, speaker, options, **how)

    def convert_many(
        self,
        waves: Sequence[Any],
        rates: int | Sequence[int] = SAMPLE_RATE,
        speakers: VoiceName | Sequence[VoiceName] = None,
        options: Conversion | None = None,
        *,
        streams: int = STREAMS,
        **changes,
    ) -> list[np.ndarray]:
        """Several recordings side by side: each as `convert` gives it alone, in less time.

        waves: as in `encode`. rates, speakers: one for all, or one for each. streams: how many are
        sampled at once.
        """
        how = chosen(Conversion, options, changes)
        return self.converter.waves(recordings(waves, rates), speakers, how, streams)

    # With the prior

    def bits_per_code(self, codes: Any, speaker: VoiceName = None) -> float:
        """-log2 p of a code under the prior, the mean; no speaker: under "any speaker".

        With what `VQVAE.nats_per_step` says it gives the paper's log p(x) ≈ log p(x | z_q) +
        log p(z_q).
        """
        return self.generator.bits_per_code(codes, speaker)

    def save_vqs(
        self,
        codes: Any,
        path: Named,
        speaker: VoiceName = None,
        packed: bool = False,
    ) -> int:
        """Write codes as a `.vqs` file (a binary file object too), range-coded by the prior;
        returns its bytes.

        speaker: the voice to decode with: one of `speakers`, which makes for fewer bits, or any
        other; None for the codes' own, if they have one (`dataclasses.replace(codes, voice=None)`
        has none). packed: plain indices instead, as for a model without a prior.
        """
        return self.bitstreams.save(codes, path, speaker, packed)

    def load_vqs(
        self, path: Named, salvage: bool = False, bitrate: float | None = None
    ) -> tuple[Codes, str | None, Contents]:
        """Read a `.vqs` file: (codes, with the voice that it keeps; the speaker that it names or
        None; all that was read).

        path: a binary file object too. salvage: keep the intact blocks of a damaged file. bitrate:
        only those levels that fit into so many bit/s; None: all.
        """
        return self.bitstreams.load(path, salvage, bitrate)

    def generate_codes(
        self,
        speaker: VoiceName = None,
        seconds: float = 4.0,
        options: Generation | None = None,
        **changes,
    ) -> Codes:
        """Draw codes, of one level, from the prior (van den Oord et al. 2017, section 4.3:
        ancestral sampling).

        seconds: of what is invented, rounded up to whole codes. options, changes: of `Generation`.
        """
        return self.generator.codes(speaker, seconds, options, **changes)

    def generate(
        self,
        speaker: VoiceName = None,
        seconds: float = 4.0,
        options: Generation | None = None,
        *,
        preview: bool = False,
        **changes,
    ) -> np.ndarray:
        """Invent speech, float32 [T] at 16 kHz: `generate_codes`, decoded as `decode` does."""
        drawn = chosen(Generation, options, changes)
        speaker = self.voices.any(drawn.seed) if speaker is None else speaker
        codes = self.generate_codes(speaker, seconds, drawn)
        return self.decode(codes, speaker, seed=drawn.seed, preview=preview)
