"""The prior: an autoregressive model of the codes, fitted once the codec is trained.

van den Oord et al. 2017, section 3.3 and, for speech, section 4.3: p(z) is uniform while the codec
trains; afterwards a causal network over the indices is fitted, here the stack of the decoder
conditioned on the speaker. Speech is invented by sampling it, and -log2 p(z) is the cost of a
recording in bits.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config.networks import QuantizerConfig
from vqspeech.config.training import PriorConfig
from vqspeech.nn.embedding import embedding
from vqspeech.nn.interleaving import picked
from vqspeech.nn.wavenet import GatedStack


class Prior(nn.Module):
    """Past codes and a speaker to the distribution of the next code.

    quantizer: of the codes, whose codebooks have rows of their own in embedding and output. The
    embedding has two more for what comes before the first code: where a recording begins there, and
    where it goes on from a past not shown. The last of the speakers' rows is "any speaker".
    Sequences begin with the first codebook's turn.
    """

    def __init__(self, config: PriorConfig, quantizer: QuantizerConfig, speakers: int):
        super().__init__()
        self.config, self.quantizer, self.any_speaker = config, quantizer, speakers
        width, skip = config.residual_channels, config.skip_channels
        self.embedding = embedding(quantizer.entries + 2, width, 0.5)
        self.speakers = embedding(speakers + 1, config.speaker_dim, 0.3)
        self.stack = GatedStack(width, skip, config.dilations, config.dropout)
        self.condition = nn.Linear(config.speaker_dim, config.layers * 2 * width)
        self.hidden = nn.Linear(skip, skip)
        self.output = nn.Linear(skip, quantizer.entries)

    def forward(self, indices: Tensor, speaker: Tensor, inside: Tensor) -> Tensor:
        """Logits [B, F, K] of every code given those before it.

        indices: [B, F], the true codes. speaker: [B] rows. inside: [B], true where the first code
        is not the first of its recording.
        """
        first = self.quantizer.entries + inside.long()
        places = torch.arange(indices.shape[1], device=indices.device)
        past = torch.cat([first[:, None], self.quantizer.rows(indices, places)[:, :-1]], 1)
        x = F.dropout(self.embedding(past), self.config.dropout, self.training)
        bias = self.condition(self.speakers(speaker))
        bias = bias.view(len(bias), 1, self.config.layers, -1)
        skip = F.dropout(self.stack(x, bias), self.config.dropout, self.training)
        return picked(self.output(F.relu(self.hidden(skip))), self.quantizer.codebooks)

    def nats(self, indices: Tensor, speaker: Tensor, inside: Tensor) -> Tensor:
        """-log p of every code [B, F] in nats; arguments as `forward` has them."""
        logits = self(indices, speaker, inside).float()
        return F.cross_entropy(logits.flatten(0, 1), indices.flatten(), reduction="none").view(
            indices.shape
        )
