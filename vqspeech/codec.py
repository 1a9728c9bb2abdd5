"""The codec: files and waveforms to codes and back. Order and plumbing; the maths is below."""

import os
from collections.abc import Callable, Iterable

import numpy as np
import torch

from vqspeech.audio import reading as audio
from vqspeech.audio.pitch import f0_frames
from vqspeech.audio.signal import SAMPLE_RATE, HighPass, frames_for
from vqspeech.checkpoint.model import Checkpoint, load_checkpoint
from vqspeech.checkpoint.speakers import Speaker, find_row
from vqspeech.checkpoint.voices import Voice, is_voice_file, load_voice
from vqspeech.codes.codes import Codes
from vqspeech.errors import InputError
from vqspeech.nn.excitation import teacher_excitation
from vqspeech.sampling.checks import EMPHASIS
from vqspeech.sampling.stream import WaveNetSampler
from vqspeech.synthesis import conversion
from vqspeech.synthesis.generation import WithPrior
from vqspeech.synthesis.rendering import Decoding
from vqspeech.synthesis.streaming import ChunkEncoder


class Codec(Decoding, WithPrior):
    """A trained model, ready to encode and decode. Make one with `Codec.from_pretrained`."""

    def __init__(self, checkpoint: Checkpoint, device: str = "auto"):
        self.device = choose_device(device)
        self.model = checkpoint.model.to(self.device)
        about = checkpoint.about
        self.config = about.config
        self.speaker_table: list[Speaker] = about.speakers
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
        """Codes that a frame has to choose from."""
        return self.config.quantizer.codebook_size

    def codebook_rows(self, codes: Codes) -> np.ndarray:
        """Each frame's row, int64 [F], in the table of all codebooks, of `config.quantizer.entries`
        rows: its index, and which codebook's turn it is."""
        return self.config.quantizer.rows(codes.indices, np.arange(codes.frames))

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
        return [speaker.name for speaker in self.speaker_table]

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
        return self.speaker_table[self.speaker_row(speaker)].f0

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

    # Converting

    def convert(
        self,
        wave: np.ndarray,
        rate: int = SAMPLE_RATE,
        speaker: str | os.PathLike | None = None,
        *,
        pitch: str | float = "target",
        emphasis: float = EMPHASIS,
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        postfilter: bool = True,
    ) -> np.ndarray:
        """A recording as another speaker would say it, at its own level: float32 [T] at 16 kHz.

        wave and rate as in `encode`. pitch: "target" moves it to the speaker's where both are
        known, "keep" leaves it, a number moves it by semitones; before encoding, as codes carry
        pitch. emphasis: how much further than the speaker's identity alone the sound is moved away
        from the average voice's, 0 to 2, of a model that predicts a log-mel (`nn.guidance`). The
        rest as in `decode`. Raises InputError.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        options["postfilter"] = postfilter
        return conversion.convert(self, as_mono(wave), rate, speaker, pitch, emphasis, **options)

    def convert_file(
        self,
        source: str | os.PathLike,
        path: str | os.PathLike,
        speaker: str | os.PathLike | None = None,
        *,
        pitch: str | float = "target",
        emphasis: float = EMPHASIS,
        seed: int = 0,
        temperature: float | None = None,
        preview: bool = False,
        postfilter: bool = True,
        progress: Callable[[float], None] | None = None,
    ) -> int:
        """`convert` an audio file to a 16-bit WAV or FLAC file, in memory that its length does not
        move; returns the samples written. progress: called with the seconds done so far.
        """
        options = {"seed": seed, "temperature": temperature, "preview": preview}
        options |= {"postfilter": postfilter, "progress": progress}
        return conversion.convert_file(self, source, path, speaker, pitch, emphasis, **options)

    # Measuring

    @torch.inference_mode()
    def nats_per_step(self, wave: np.ndarray, speaker: str, shuffle: bool = False) -> float:
        """-log p(x | codes, speaker) of a recording [T] at 16 kHz, in nats a WaveNet step.

        Of a model with `decoder.harmonics`: -log p(x | codes, speaker, phase of the fundamental).
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
        whole = torch.from_numpy(level)[None].to(self.device)
        target = decoder.encode(whole)
        [hidden] = self._hidden_blocks(codes, vector, codes.frames)
        past = frames_for(decoder.stack.receptive_field, hold)
        told = None
        if decoder.excitation is not None:
            f0 = torch.from_numpy(f0_frames(level))[None].to(self.device)
            told = teacher_excitation(whole, f0, decoder.bands, decoder.harmonics)
        total, size = 0.0, self._frames(2.0)
        for start in range(0, codes.frames, size):
            left, end = max(0, start - past), min(codes.frames, start + size)
            truth = target[:, left * hold : end * hold]
            first = (start - left) * hold
            here = None if told is None else told[:, left * hold : end * hold]
            logits = decoder(truth, hidden[..., left:end], first, here)
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


def choose_device(name: str) -> torch.device:
    """ "auto", "cpu" or "cuda" to a device; InputError if there is no such device."""
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device '{name}' must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("no CUDA device here; use --device cpu, or auto")
    has_gpu = name != "cpu" and torch.cuda.is_available()
    return torch.device("cuda" if has_gpu else "cpu")
