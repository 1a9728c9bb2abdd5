"""The prior: an autoregressive model of the codes, fitted once the codec is trained.

van den Oord et al. 2017, section 3.3 and, for speech, section 4.3: p(z) is uniform while the codec
trains; afterwards a causal network over the indices is fitted, here the stack of the decoder
conditioned on the speaker. Speech is invented by sampling it, and -log2 p(z) is the cost of a
recording in bits.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vqspeech.config_training import PriorConfig
from vqspeech.nn.wavenet import GatedStack


class Prior(nn.Module):
    """Past codes and a speaker to the distribution of the next code.

    Beside the rows of the codes the embedding has two for what comes before the first one: row
    `codes` where a recording begins there, `codes + 1` where it goes on from a past not shown.
    The last of the speakers' rows is "any speaker".
    """

    def __init__(self, config: PriorConfig, codes: int, speakers: int):
        super().__init__()
        self.config, self.codes, self.any_speaker = config, codes, speakers
        width, skip = config.residual_channels, config.skip_channels
        self.embedding = nn.Embedding(codes + 2, width)
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.speakers = nn.Embedding(speakers + 1, config.speaker_dim)
        nn.init.normal_(self.speakers.weight, std=0.3)
        self.stack = GatedStack(width, skip, config.dilations, config.dropout)
        self.condition = nn.Linear(config.speaker_dim, config.layers * 2 * width)
        self.hidden = nn.Linear(skip, skip)
        self.output = nn.Linear(skip, codes)

    def forward(self, indices: Tensor, speaker: Tensor, inside: Tensor) -> Tensor:
        """Logits [B, F, K] of every code given those before it.

        indices: [B, F], the true codes. speaker: [B] rows. inside: [B], true where the first code
        is not the first of its recording.
        """
        first = self.codes + inside.long()
        past = torch.cat([first[:, None], indices[:, :-1]], 1)
        x = F.dropout(self.embedding(past), self.config.dropout, self.training)
        bias = self.condition(self.speakers(speaker))
        bias = bias.view(len(bias), 1, self.config.layers, -1)
        skip = F.dropout(self.stack(x, bias), self.config.dropout, self.training)
        return self.output(F.relu(self.hidden(skip)))

    def nats(self, indices: Tensor, speaker: Tensor, inside: Tensor) -> Tensor:
        """-log p of every code [B, F] in nats; arguments as `forward` has them."""
        logits = self(indices, speaker, inside).float()
        return F.cross_entropy(logits.flatten(0, 1), indices.flatten(), reduction="none").view(
            indices.shape
        )
