"""The VQ-VAE: encoder, quantizer, conditioning, decoder, and the paper's loss over them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.audio.signal import frames_for
from vqspeech.config.model import TEACHER_HOP, Config
from vqspeech.nn.batch import Aims, Batch, Losses
from vqspeech.nn.conditioning import Conditioning
from vqspeech.nn.decoder import Truth, WaveNetDecoder
from vqspeech.nn.degradation import degraded
from vqspeech.nn.embedding import embedding
from vqspeech.nn.encoder import Encoder
from vqspeech.nn.excitation import TeacherExcitation
from vqspeech.nn.filter_banks import LogMel
from vqspeech.nn.heads import CepstralDistance, PhonemeHead, StateHead
from vqspeech.nn.interleaving import InterleavedQuantizer, tied_groups
from vqspeech.nn.levels import UpperLevels
from vqspeech.nn.speaker_encoder import SpeakerEncoder, draw_heard, in_voice
from vqspeech.nn.surroundings import one_thread
from vqspeech.nn.teacher import Teacher

PIECE_SECONDS = 2.0
"""Of a recording whose likelihood is measured, at a time."""


TRAINING_ONLY = "state_head."
"""What the names of tensors begin with that no checkpoint of a model has."""


class VQVAE(nn.Module):
    """The whole trainable graph for a number of speakers.

    states: width of a teacher's states that are read from the codes, in training only; 0 for none.
    """

    def __init__(self, config: Config, speakers: int, states: int = 0):
        super().__init__()
        self.config = config
        dim, books = config.quantizer.dim, config.quantizer.codebooks
        self.encoder = Encoder(config.encoder, config.hop, dim, books)
        self.quantizer = InterleavedQuantizer(config.quantizer)
        self.speakers = embedding(speakers, config.conditioning.speaker_dim, 0.3)
        mels = config.encoder.mels
        levels = config.quantizer.levels
        self.levels, upper_dim = None, 0
        if levels > 1:
            self.levels = UpperLevels(config.quantizer, mels, config.hop)
            upper_dim = config.quantizer.upper_dim
        self.conditioning = Conditioning(
            config.conditioning, dim, mels, config.hop, books, levels, upper_dim
        )
        self.target_mel = LogMel(mels)
        self.cepstral_distance = CepstralDistance(mels)
        self.phoneme_head = None
        if config.conditioning.phoneme_head:
            self.phoneme_head = PhonemeHead(dim, books, config.conditioning.dropout)
        self.speaker_encoder = None
        if config.speaker_encoder is not None:
            width = config.conditioning.speaker_dim
            self.speaker_encoder = SpeakerEncoder(config.speaker_encoder, mels, width)
        self.decoder = WaveNetDecoder(config.decoder, self.conditioning.channels, mels)
        self.teacher_excitation = TeacherExcitation(config.decoder)
        self.state_head = None
        if states:
            self.state_head = StateHead(dim, books, states, config.hop // TEACHER_HOP)

    def encode(self, wave: Tensor, lengths: Tensor | None = None, levels: int = 1) -> Tensor:
        """Waveform [B, T] to code indices [B, ceil(T / hop)] or, of several `levels`, [B, levels,
        ceil(T / hop)] (int64).

        lengths: samples [B] of recordings that differ in them, each with zeros up to T; then of a
        row the first ceil(length / hop) count, and they are those of the recording alone.

        A code depends on the samples that its frame can see and on nothing else: whatever is
        encoded beside it, whole or in chunks. Where it is as near to one code as to another, so
        that the rounding of sums would decide, it is decided from just those samples.
        """
        indices, ties = self.quantizer.encode_with_ties(self.encoder(wave, lengths))
        for row, group in tied_groups(ties[:, None], self.config.quantizer.codebooks):
            own = wave.shape[-1] if lengths is None else int(lengths[row])
            self._decide(wave[row : row + 1, :own], indices[row], group)
        if levels == 1:
            return indices
        upper = self._encode_upper(wave, lengths, indices, levels - 1)
        return torch.cat([indices[:, None], upper], 1)

    def context_frames(self, levels: int = 1) -> int:
        """Code frames to either side of a frame that its codes may depend on."""
        beside = 0 if levels == 1 or self.levels is None else self.levels.context_frames
        return self.encoder.context_frames + beside

    def _encode_upper(
        self, wave: Tensor, lengths: Tensor | None, first: Tensor, count: int
    ) -> Tensor:
        """The codes of `count` upper levels, [B, count, F], over those of the first, [B, F]."""
        assert self.levels is not None
        (batch, frames), hop = first.shape, self.config.hop
        own = first.new_full((batch,), frames) if lengths is None else -(-lengths // hop)
        wave = F.pad(wave, (0, frames * hop - wave.shape[-1]))
        z_q = self.quantizer.lookup(first)
        z_q = z_q * (torch.arange(frames, device=z_q.device) < own[:, None])[:, None]
        return self.levels.encode(wave, z_q, own, count, self.target_mel)

    def _decide(self, wave: Tensor, indices: Tensor, group: int) -> None:
        """Decide the codes of one turn of all codebooks from what they can see of `wave` [1, T], in
        `indices` [F]."""
        books, hop = self.config.quantizer.codebooks, self.config.hop
        frames, first = frames_for(wave.shape[-1], hop), group * books
        if first >= frames:
            return
        context = self.encoder.context_frames
        left = max(0, first - frames_for(context, books) * books)
        right = min(frames, first + books + context)
        with one_thread:  # whose number moves the rounding too
            z_e = self.encoder(wave[:, left * hop : right * hop])
            found, _ = self.quantizer.encode_with_ties(z_e)
        found = found[0, first - left : first - left + books]
        indices[first : first + len(found)] = found

    def hidden(self, indices: Tensor, speaker: Tensor) -> Tensor:
        """Code indices [B, F] or [B, levels, F] and speaker vectors [B, S] to hidden frames [B, H,
        F]."""
        if indices.ndim == 2:
            return self.conditioning(self.quantizer.lookup(indices), speaker)
        z_q, upper = self.quantizer.lookup(indices[:, 0]), None
        if (count := indices.shape[1]) > 1:
            assert self.levels is not None
            upper = self.levels.lookup(indices[:, 1:])
        return self.conditioning(z_q, speaker, count, upper)

    def voice(self, wave: Tensor) -> Tensor:
        """Speaker vectors [B, S] of waveforms [B, n * 160]; of a model with a speaker encoder."""
        assert self.speaker_encoder is not None
        return self.speaker_encoder(self.target_mel(wave))

    def forward(
        self,
        batch: Batch,
        *,
        window: tuple[int, int] | None = None,
        freeze_codes: bool = False,
        with_decoder: bool = True,
        teacher: Teacher | None = None,
        counts: Tensor | None = None,
    ) -> Losses:
        """The terms of the loss on crops of speech.

        window: first and last + 1 frame on which the decoder runs, so that the conditioning net
        sees real context around it.
        freeze_codes: no gradient to, and no statistics in, encoder and codebook, which it puts in
        evaluation mode; and, where a decoder hears it, the conditioning net. Else, in training, the
        encoder hears the crops as degraded (`nn.degradation`); what is predicted stays.
        teacher: hears the predicted and the true log-mel too.
        counts: [B] how many levels each crop has; None: only the first.
        """
        wave = batch.wave
        if freeze_codes:
            self.encoder.eval()
            self.quantizer.eval()
            with torch.no_grad():
                quantized = self.quantizer(self.encoder(wave))
        else:
            heard = degraded(self.config.training.degradation, wave) if self.training else wave
            quantized = self.quantizer(self.encoder(heard))
        log_mel = self.target_mel(wave)
        vectors, aims = self._told(batch, log_mel, with_decoder)
        said = expected = None
        if counts is not None:
            assert self.levels is not None
            if with_decoder:  # whose hearers the upper levels keep
                self.levels.eval()
            guess = self.levels.expected(self.quantizer.lookup(quantized.indices))
            # Of the voice that is to be predicted, invented or not: another's would mislead.
            said = self.levels(self.levels.left(aims.log_mel, guess.detach()), counts)
            if not with_decoder:
                expected = (guess - aims.log_mel).abs().mean()
        if freeze_codes and with_decoder:  # which is to hear what it hears in use: no dropout
            self.conditioning.eval()
        hidden = self.conditioning(
            quantized.z_q,
            vectors,
            1 if counts is None else counts,
            None if said is None else said.z,
        )
        nats = None
        if with_decoder:
            everything = (0, frames_for(wave.shape[-1], self.config.hop))
            nats = self.nats(wave, hidden, window or everything, batch.f0, log_mel)
        return Losses(
            nats=nats,
            codebook=quantized.codebook_loss,
            commitment=quantized.commitment_loss,
            usage=quantized.usage,
            **self._auxiliary(aims, quantized.z_q, hidden, teacher),
            left=None if said is None else said.error,
            upper_usage=None if said is None else said.usage,
            expected=expected,
        )

    def _auxiliary(
        self, aims: Aims, z_q: Tensor, hidden: Tensor, teacher: Teacher | None
    ) -> dict[str, Tensor | None]:
        """The terms of `Losses` for what is read from the codes, by their names."""
        mel = cepstra = pitch = phonemes = perceptual = states = None
        if self.conditioning.log_mel_head is not None:
            predicted = self.conditioning.log_mel(hidden).float()
            off = predicted - aims.log_mel
            mel, cepstra = off.abs().mean(), self.cepstral_distance(off)
            if teacher is not None:
                perceptual, said = teacher(predicted, aims.log_mel)
                if self.state_head is not None and said is not None:
                    states = self.state_head.loss(z_q, said)
        if self.conditioning.pitch_head is not None:
            assert aims.f0 is not None
            pitch = self.conditioning.pitch(hidden).loss(aims.f0)
        if self.phoneme_head is not None and aims.phonemes is not None:
            phonemes = self.phoneme_head.loss(z_q, aims.phonemes)
        read = {"mel": mel, "cepstra": cepstra, "pitch": pitch, "phonemes": phonemes}
        return read | {"perceptual": perceptual, "states": states}

    def _told(self, batch: Batch, log_mel: Tensor, with_decoder: bool) -> tuple[Tensor, Aims]:
        """Speaker vectors [B, S], and what is to be predicted with them of crops of this log-mel.

        In training some vectors are the speaker encoder's, and, where no decoder has to say the
        samples themselves, some of their voices are invented.
        """
        vectors = self.speakers(batch.speaker)
        aims = Aims(log_mel, batch.f0, batch.phonemes)
        if not self.training or self.speaker_encoder is None or batch.reference is None:
            return vectors, aims
        assert self.config.speaker_encoder is not None
        count, device = len(vectors), vectors.device
        heard = draw_heard(self.config.speaker_encoder, count, device, not with_decoder)
        centres = self.target_mel.centres()
        # Only those are listened to that are given its vector; one at least, as processes that
        # train together wait for each other's gradients.
        rows = heard.given.nonzero()[:, 0]
        first = rows if len(rows) else rows.new_zeros(1)
        reference = in_voice(self.target_mel(batch.reference[first]), centres, heard.of(first))
        own = self.speaker_encoder(reference)[: len(rows)]
        vectors = vectors.index_copy(0, rows, own.to(vectors.dtype))
        log_mel = in_voice(log_mel, centres, heard)
        f0 = None if aims.f0 is None else aims.f0 * heard.scale[:, None]
        return vectors, aims._replace(log_mel=log_mel, f0=f0)

    def nats(
        self,
        wave: Tensor,
        hidden: Tensor,
        window: tuple[int, int],
        f0: Tensor | None = None,
        log_mel: Tensor | None = None,
        at_16_bits: bool = False,
    ) -> Tensor:
        """-log p(x | hidden) of a `window` of frames, the mean in nats per audio sample: of what
        the decoder draws, in its own levels, or of samples `at_16_bits`.

        wave: [B, T]. hidden: [B, H, F]. f0: [B, T / 160], for a decoder that is told the phase of
        the fundamental, or its period; log_mel: [B, mels, T / 160], the recording's, by which one
        that learns so (`own_envelope`) predicts, and not by what `hidden` says: then it is -log p(x
        | hidden, those), which is less. Where the window does not begin with the wave, the steps of
        its first receptive field do not count: their past is cut off there.
        """
        skip = self.decoder.stack.receptive_field if window[0] else 0
        own = log_mel if self.config.decoder.own_envelope else None
        truth = self._truth(wave, f0, hidden, own)
        nats = self._step_nats(truth, hidden, window, skip, at_16_bits)
        return nats.mean() / self.config.decoder.bands

    @torch.no_grad()
    def nats_per_step(
        self, wave: Tensor, indices: Tensor, speaker_vector: Tensor, f0: Tensor | None = None
    ) -> Tensor:
        """-log p(x | codes, speaker) of whole recordings, the mean over each one's WaveNet steps.

        Teacher-forced: a measure of the model, never a reconstruction. The decoder runs piece by
        piece, each step with its whole past, so that long recordings fit into memory.

        wave: [B, F * hop] as the encoder is given it, zeros where it ends within a frame. indices:
        [B, F] or [B, levels, F]. speaker_vector: [B, S]. f0: [B, F * hop / 160] in Hz, 0 unvoiced,
        for a decoder that is told the phase of the fundamental, or its period. Returns [B], nats a
        step of samples of 16 bits, of all bands together.
        """
        per_frame, frames = self.config.steps_per_frame, indices.shape[-1]
        hidden = self.hidden(indices, speaker_vector)
        truth = self._truth(wave, f0, hidden)
        past = frames_for(self.decoder.stack.receptive_field, per_frame)
        size = max(1, round(PIECE_SECONDS * self.config.frame_rate))
        total = torch.zeros(len(wave), dtype=torch.float64, device=wave.device)
        for start in range(0, frames, size):
            window = max(0, start - past), min(frames, start + size)
            skip = (start - window[0]) * per_frame
            total += self._step_nats(truth, hidden, window, skip, at_16_bits=True).sum(1)
        return total / (frames * per_frame)

    def _truth(
        self,
        wave: Tensor,
        f0: Tensor | None,
        hidden: Tensor,
        log_mel: Tensor | None = None,
    ) -> tuple[Truth, Tensor | None]:
        """What the decoder is to say of `wave` [B, T], and what it is told of the phase of its
        fundamental or its pulses, [B, T / bands, 2 harmonics]. log_mel: None: the predicted one."""
        told = None
        if self.decoder.excitation is not None:
            assert f0 is not None
            wave, told = self.teacher_excitation(wave, f0)
        if self.decoder.prediction is not None and log_mel is None:
            with torch.no_grad():  # it would make the residual small by making speech loud
                log_mel = self.conditioning.log_mel(hidden)
        return self.decoder.truth(wave, log_mel, f0), told

    def _step_nats(
        self,
        truth: tuple[Truth, Tensor | None],
        hidden: Tensor,
        window: tuple[int, int],
        skip: int,
        at_16_bits: bool,
    ) -> Tensor:
        """Nats of a window's steps but for the first `skip`: [B, N - skip]. truth: of `_truth`."""
        steps = slice(*(frame * self.config.steps_per_frame for frame in window))
        said, told = truth
        indices = said.indices[:, steps]
        known = None if said.known is None else said.known[:, steps]
        told = None if told is None else told[:, steps]
        logits = self.decoder(indices, hidden[..., slice(*window)], skip, told, known)
        nats = self.decoder.nats(logits, indices[:, skip:])
        if at_16_bits:
            full_scale = said.full_scale[:, steps][:, skip:]
            nats = nats + self.decoder.log_widths(indices[:, skip:], full_scale)
        return nats
