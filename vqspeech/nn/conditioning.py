"""Codes and speaker to hidden frames for the WaveNet; heads read log-mel and pitch from these."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.networks import ConditioningConfig
from vqspeech.nn.distributed import dropout
from vqspeech.nn.embedding import embedding
from vqspeech.nn.heads import DetailHead, LogMelHead, Pitch, PitchHead
from vqspeech.nn.interleaving import spread, turns
from vqspeech.nn.timeconv import TimeConv


class SpeakerBlock(nn.Module):
    """Residual dilated convolution, [B, F, H], whose inner layer is shifted by the speaker and,
    with `film`, scaled too (Perez et al. 2018, "FiLM")."""

    def __init__(self, config: ConditioningConfig, dilation: int):
        super().__init__()
        channels, self.dropout = config.channels, config.dropout
        self.dilated = TimeConv(channels, channels, 3, dilation=dilation, padding=dilation)
        self.speaker = nn.Linear(config.speaker_dim, channels, bias=False)
        self.film = None
        if config.film:
            self.film = nn.Linear(config.speaker_dim, channels, bias=False)
            nn.init.zeros_(self.film.weight)
        self.mix = nn.Linear(channels, channels)

    def forward(self, x: Tensor, speaker: Tensor) -> Tensor:
        h = self.dilated(F.gelu(x))
        if self.film is not None:
            h = h * (1 + self.film(speaker)[:, None])
        h = h + self.speaker(speaker)[:, None]
        return x + self.mix(dropout(F.gelu(h), self.dropout, self.training))


class Conditioning(nn.Module):
    """z_q [B, D, F] and speaker vectors [B, S] to hidden frames [B, H, F].

    books: how many codebooks the frames take in turn, from the first on. levels: codes of a frame,
    at most. upper_dim: values of what those above the first say of the log-mel (`nn.levels`); the
    last books * upper_dim of the H channels of hidden frames are these, each frame's in its turn's,
    so that log-mel and WaveNet have them as they are.
    """

    def __init__(
        self,
        config: ConditioningConfig,
        dim: int,
        mels: int,
        hop: int,
        books: int = 1,
        levels: int = 1,
        upper_dim: int = 0,
    ):
        super().__init__()
        width = config.channels
        self.books, self.width = books, width
        self.channels = width + books * upper_dim
        """H, of hidden frames."""
        # Sees a frame's whole group, whatever its place there, and the groups beside it.
        self.stem = TimeConv(books * dim, width, 2 * books + 1, padding=books)
        self.turn = embedding(books, width, 0.1) if books > 1 else None
        # Tells how much the codes can be trusted with; of one level it says nothing at first.
        self.level = embedding(levels, width, 0.0) if levels > 1 else None
        self.speaker = nn.Linear(config.speaker_dim, width)
        self.blocks = nn.ModuleList(SpeakerBlock(config, dilation) for dilation in config.dilations)
        self.upper = None
        if upper_dim:
            self.upper = nn.Linear(books * upper_dim, width, bias=False)
            nn.init.zeros_(self.upper.weight)
        self.log_mel_head = LogMelHead(width, mels, hop) if config.log_mel_head else None
        self.detail = DetailHead(upper_dim, mels, hop, books) if upper_dim else None
        self.pitch_head = PitchHead(width, hop) if config.pitch_head else None
        self.context_frames = books + sum(config.dilations)
        """Frames to either side of a frame that it may depend on."""

    def forward(
        self,
        z_q: Tensor,
        speaker: Tensor,
        counts: Tensor | int = 1,
        upper: Tensor | None = None,
    ) -> Tensor:
        """Hidden frames [B, H, F].

        counts: how many levels the codes have, of all or [B]. upper: [B, upper_dim, F], what those
        above the first say of the log-mel; None: nothing.
        """
        x = self.stem(spread(z_q.transpose(1, 2), self.books)) + self.speaker(speaker)[:, None]
        if self.turn is not None:
            x = x + self.turn(turns(x.shape[1], self.books, x.device))
        if self.level is not None:
            x = x + self.level(torch.as_tensor(counts, device=x.device).view(-1, 1) - 1)
        said = None
        if self.upper is not None:
            said = x.new_zeros(1, x.shape[1], self.channels - self.width)
            if upper is not None:
                said = spread(upper.transpose(1, 2), self.books).to(x.dtype)
                x = x + self.upper(said)
            said = said.expand(len(x), -1, -1)
        for block in self.blocks:
            x = block(x, speaker)
        if said is not None:
            x = torch.cat([x, said], -1)
        return x.transpose(1, 2)

    def log_mel(self, hidden: Tensor) -> Tensor:
        """Hidden frames [B, H, F] to predicted log-mel [B, mels, F * hop / 160], natural log; of a
        model with a log-mel head only."""
        assert self.log_mel_head is not None
        found = self.log_mel_head(hidden[:, : self.width])
        return found if self.detail is None else found + self.detail(hidden[:, self.width :])

    def pitch(self, hidden: Tensor) -> Pitch:
        """F0 and voicing that hidden frames [B, H, F] predict; a model with a pitch head only."""
        assert self.pitch_head is not None
        return self.pitch_head(hidden[:, : self.width])
