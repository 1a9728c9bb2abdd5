"""What a bottleneck does to the same network: vector quantizers beside one another, and a Gaussian.

    python recipes/paper/bottlenecks.py PACKED OUT [TOML ...] [--minutes 10 | --steps 2000]

Trains every TOML (default: recipes/paper/ablations/*.toml) with equation 3 alone, each for as long
as all others and from the same seed; and the first one twice more. `gaussian`: with a variational
bottleneck in the quantizer's place: z ~ N(mu, sigma^2), prior N(0, 1), the evidence lower bound in
place of equation 3 (Kingma and Welling 2014). `default-init`: with PyTorch's own weights to begin
with in the encoder's convolutions, instead of such as keep the variance.

The table goes to stdout and to OUT/bottlenecks.md; what is measured is kept, and the same command
goes on with the next. Columns, on held-out crops:

- bit/s: what the latents say: the entropy of the codes, or the KL divergence.
- codes: how many were used.
- nats: -log p of an audio sample at 16 bits, teacher-forced, with the right latents, with those of
  other frames (shuffled), and what the right ones are worth. 0: the decoder ignores them.
"""

import argparse
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vqspeech.config.model import Config
from vqspeech.config.reading import load_preset
from vqspeech.data.packed import PackedCorpus
from vqspeech.errors import InputError
from vqspeech.files import make_folder, whole_path
from vqspeech.nn.quantizer import Quantized, perplexity
from vqspeech.training.objective import total_loss, trained_parameters
from vqspeech.training.optimizer import optimizers, set_learning_rate
from vqspeech.training.run import Options, Run, to_batch

TOMLS = Path(__file__).with_name("ablations")
FIRST = "as-published"
"""What the others are compared with stands first."""
GAUSSIAN, DEFAULT_INIT = "gaussian", "default-init"
STAGE = "joint"
VALID_BATCHES = 16
SEED = 20_171_102
"""Of the held-out crops and of what is shuffled."""
SMALLEST_DEVIATION = -6.0
"""Log of sigma: below, the latents are certain enough."""


class GaussianBottleneck(nn.Module):
    """Stands for the quantizer: z_e [B, D, F] to a sample of N(mu, sigma^2), its KL divergence from
    N(0, 1) in nats an audio sample as the codebook's loss, which equation 3 adds to -log p(x|z).

    A sample in evaluation too: its mean would say more than the divergence pays for.
    """

    def __init__(self, dim: int, hop: int):
        super().__init__()
        self.hop = hop
        self.parts = nn.Linear(dim, 2 * dim)

    def forward(self, z_e: Tensor) -> Quantized:
        with torch.autocast(z_e.device.type, enabled=False):
            mean, log_deviation = self.parts(z_e.float().transpose(1, 2)).chunk(2, -1)
            log_deviation = log_deviation.clamp(SMALLEST_DEVIATION, 2.0)
            variance = (2 * log_deviation).exp()
            divergence = 0.5 * (mean.square() + variance - 1) - log_deviation
            z = mean + log_deviation.exp() * torch.randn_like(mean)
            return Quantized(
                z_q=z.transpose(1, 2),
                indices=torch.zeros(z.shape[:2], dtype=torch.long),
                codebook_loss=divergence.sum(-1).mean() / self.hop,
                commitment_loss=z.new_zeros(()),
                usage=torch.ones(1),
            )


class Trained(NamedTuple):
    """A run that is over: how far it came, and what it is worth."""

    steps: int
    minutes: float
    bits: float
    codes: int | None
    right: float
    shuffled: float

    def __str__(self) -> str:
        codes = "-" if self.codes is None else str(self.codes)
        nats = f"{self.right:.3f} | {self.shuffled:.3f} | {self.shuffled - self.right:.3f}"
        return f"{self.steps} | {self.minutes:.1f} | {self.bits:.0f} | {codes} | {nats}"


COLUMNS = ("steps", "minutes", "bit/s", "codes", "nats", "shuffled", "worth")


class Experiment:
    """One network and bottleneck, trained from nothing for so long."""

    def __init__(self, config: Config, args: argparse.Namespace):
        options = Options(args.packed, args.out, device=args.device, seed=args.seed, quiet=True)
        self._run, self._stage = Run(config, options), config.training.stage(STAGE)
        self._config, self._gaussian = config, config.name == GAUSSIAN
        model = self._run.model
        if self._gaussian:
            model.quantizer = GaussianBottleneck(config.quantizer.dim, config.hop)
        if config.name == DEFAULT_INIT:
            for layer in model.encoder.down:
                layer.linear.reset_parameters()
        parameters = trained_parameters(model, self._stage, self._run.has_phonemes)
        decay = config.training.weight_decay
        found = optimizers(parameters, model.decoder, self._stage, decay)
        self._model, *self._optimizers = self._run.accelerator.prepare(model, *found)
        self._parameters = parameters

    def train(self, steps: int | None, minutes: float | None) -> tuple[int, float]:
        """Steps done, and the minutes that they took."""
        crops = self._run.crops(self._stage, "train", self._run.options.seed)
        started, step = time.monotonic(), 0
        self._model.train()
        while step < (steps or math.inf):
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                break
            self._step(crops.batch_at(step), step)
            step += 1
        return step, (time.monotonic() - started) / 60

    def _step(self, crops, step: int) -> None:
        self._run.seed_step(self._stage.name, step)
        for optimizer in self._optimizers:
            set_learning_rate(optimizer, self._stage, step)
        with self._run.accelerator.autocast():
            losses = self._model(to_batch(self._run, crops))
            loss = total_loss(self._config, self._stage, losses)
        if not torch.isfinite(loss):
            raise InputError(f"{self._config.name}: the loss is not finite at step {step}")
        self._run.accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._parameters, self._stage.gradient_clip)
        for optimizer in self._optimizers:
            optimizer.step()
            optimizer.zero_grad()

    @torch.no_grad()
    def measure(self, steps: int, minutes: float) -> Trained:
        """On held-out crops."""
        model, totals = self._run.model.eval(), torch.zeros(3, dtype=torch.float64)
        usage = torch.zeros(self._config.quantizer.entries)
        crops = self._run.crops(self._stage, "valid", SEED)
        generator = torch.Generator().manual_seed(SEED)
        torch.manual_seed(SEED)
        window = (0, self._config.crop_frames(self._stage))
        for number in range(VALID_BATCHES):
            batch = to_batch(self._run, crops.batch_at(number))
            with self._run.accelerator.autocast():
                said = model.quantizer(model.encoder(batch.wave))
                vectors = model.speakers(batch.speaker)
                for place, z in enumerate((said.z_q, shuffled(said.z_q, generator))):
                    hidden = model.conditioning(z, vectors)
                    nats = model.nats(batch.wave, hidden, window, batch.f0, at_16_bits=True)
                    totals[place] += float(nats) / VALID_BATCHES
            totals[2] += float(said.codebook_loss) / VALID_BATCHES
            if not self._gaussian:
                usage += said.usage.cpu()
        if self._gaussian:
            bits, codes = float(totals[2]) / math.log(2) * 16_000, None
        else:
            bits = math.log2(float(perplexity(usage))) * self._config.frame_rate
            codes = int((usage > 0).sum())
        return Trained(steps, minutes, bits, codes, float(totals[0]), float(totals[1]))


def shuffled(z: Tensor, generator: torch.Generator) -> Tensor:
    """Latents [B, D, F], each frame's from elsewhere in the batch."""
    batch, dim, frames = z.shape
    order = torch.randperm(batch * frames, generator=generator).to(z.device)
    mixed = z.transpose(1, 2).reshape(-1, dim)[order]
    return mixed.view(batch, frames, dim).transpose(1, 2)


def row_of(name: str, config: Config, args: argparse.Namespace) -> Trained:
    """Trained and measured now, or before by the same command."""
    asked = {"config": config.to_dict(), "steps": args.steps, "minutes": args.minutes}
    asked |= {"seed": args.seed}
    kept = args.out / f"{name}.json"
    try:
        known = json.loads(kept.read_text())
        if known["asked"] == json.loads(json.dumps(asked)):
            return Trained(**known["found"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    experiment = Experiment(config, args)
    found = experiment.measure(*experiment.train(args.steps, args.minutes))
    with whole_path(kept) as partial:
        partial.write_text(json.dumps({"asked": asked, "found": found._asdict()}))
    return found


def configurations(tomls: list[Path]) -> dict[str, Config]:
    """By name, in the order of the table. Raises InputError."""
    paths = tomls or sorted(TOMLS.glob("*.toml"), key=lambda path: (path.stem != FIRST, path.stem))
    found = {path.stem: load_preset(path) for path in paths}
    for config in found.values():
        config.training.stage(STAGE)
    name, first = next(iter(found.items()))
    rest = {other: config for other, config in found.items() if other != name}
    # Whose divergence stands where the codebook's own loss does.
    learned = replace(first, quantizer=replace(first.quantizer, update="gradient"))
    return {
        name: first,
        GAUSSIAN: replace(learned, name=GAUSSIAN),
        DEFAULT_INIT: replace(first, name=DEFAULT_INIT),
        **rest,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("packed", type=Path, metavar="PACKED")
    add("out", type=Path, metavar="OUT")
    add("tomls", type=Path, nargs="*", metavar="TOML", help="default: all of the folder ablations")
    add("--steps", type=int, help="of each (default: the first TOML's)")
    add("--minutes", type=float, help="of each, at most")
    add("--seed", type=int, default=0)
    add("--device", default="auto")
    args = parser.parse_intermixed_args()
    chosen = configurations(args.tomls)
    if not len(PackedCorpus(args.packed).rows("valid")):
        raise InputError(f"{args.packed}: holds no speech out; prepare a larger corpus")
    if args.steps is None and args.minutes is None:
        args.steps = next(iter(chosen.values())).training.stage(STAGE).steps
    make_folder(args.out)
    lines = [f"| | {' | '.join(COLUMNS)} |", f"|---|{'---:|' * len(COLUMNS)}"]
    print("\n".join(lines), flush=True)
    for name, config in chosen.items():
        lines.append(f"| {name} | {row_of(name, config, args)} |")
        print(lines[-1], flush=True)
        with whole_path(args.out / "bottlenecks.md") as partial:  # as far as it goes
            partial.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    import sys

    try:
        main()
    except (InputError, OSError) as error:
        print(f"bottlenecks.py: error: {error}", file=sys.stderr)
        sys.exit(2)
