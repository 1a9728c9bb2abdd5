"""Training throughput of `base` against the same network written with `Conv1d`, in one run.

    python recipes/base/throughput.py [--rounds 5] [--batch 8]

Both are float32 and take whole steps of the waveform stage (encoder, conditioning, WaveNet, loss,
backward, AdamW) on the same random crops. "base" is what `vqspeech train` runs; "conv1d" replaces
every convolution over time by `torch.nn.functional.conv1d` on [batch, channels, time], the way in
which WaveNets are usually written, with the C library's default handling of freed memory. Each
round runs each of them once, in a process of its own, and the ratio is taken within a round.
"""

import argparse
import dataclasses
import json
import platform
import statistics
import subprocess
import sys
import time

WARM_UP, STEPS = 2, 5


def conv1d_forms() -> None:
    """Replace the matrix forms of the network's layers by `conv1d`, with the same weights."""
    import torch
    import torch.nn.functional as F

    from vqspeech.nn.timeconv import TimeConv
    from vqspeech.nn.wavenet import GatedStack

    def kernel(linear, width):
        weight = linear.weight  # [O, width * C], taps side by side
        return weight.view(len(weight), width, -1).transpose(1, 2).contiguous()

    def time_conv(self, x):
        x = F.pad(x.transpose(1, 2), (self.padding, self.padding))
        weight = kernel(self.linear, self.width)
        out = F.conv1d(x, weight, self.linear.bias, self.stride, dilation=self.dilation)
        return out.transpose(1, 2)

    def stack(self, x, conditioning):
        x = x.transpose(1, 2)
        hold, skip, width = x.shape[2] // conditioning.shape[1], 0, self.residual_channels
        for layer, dilation in enumerate(self.dilations):
            bias = conditioning[:, :, layer].transpose(1, 2).repeat_interleave(hold, 2)
            weight = kernel(self.gates[layer], 2)
            h = F.conv1d(F.pad(x, (dilation, 0)), weight, dilation=dilation) + bias
            a, b = h.chunk(2, 1)
            z = torch.tanh(a) * torch.sigmoid(b)
            part = self.skip.weight[:, layer * width : (layer + 1) * width, None].contiguous()
            skip = skip + F.conv1d(z, part, self.skip.bias if layer == 0 else None)
            if layer < len(self.residual):
                residual = self.residual[layer]
                x = x + F.conv1d(z, residual.weight[..., None], residual.bias)
        return F.relu(skip).transpose(1, 2)

    TimeConv.forward, GatedStack.forward = time_conv, stack


def measure(form: str, batch: int) -> dict:
    """Audio samples a second through the WaveNet, and the first loss (the forms must agree)."""
    import torch

    from vqspeech.config import load_preset
    from vqspeech.nn.vqvae import VQVAE
    from vqspeech.training.memory import keep_freed_memory
    from vqspeech.training.objective import total_loss, trained_parameters

    if form == "conv1d":
        conv1d_forms()
    else:
        keep_freed_memory()
    torch.manual_seed(0)
    config = load_preset("base")
    stage = dataclasses.replace(config.training.stage("waveform"), batch=batch)
    window = config.decoder_window(stage)
    model = VQVAE(config, 16)
    optimizer = torch.optim.AdamW(trained_parameters(model, stage), 1e-3, foreach=True)
    model.train()
    samples = round(stage.crop_seconds * 16_000 / config.hop) * config.hop
    wave = 0.05 * torch.randn(batch, samples)
    speaker = torch.arange(batch) % 16
    times, first = [], None
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        loss = total_loss(config, stage, model(wave, speaker, window=window, freeze_codes=True))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        times.append(time.perf_counter() - start)
        first = float(loss.detach()) if first is None else first
    seconds = statistics.median(times[WARM_UP:])
    return {"rate": batch * (window[1] - window[0]) * config.hop / seconds, "loss": first}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--form", choices=("base", "conv1d"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.form:
        print(json.dumps(measure(args.form, args.batch)))
        return 0
    ratios, rates = [], {"base": [], "conv1d": []}
    for number in range(args.rounds):
        found = {}
        for form in ("base", "conv1d") if number % 2 == 0 else ("conv1d", "base"):
            command = [sys.executable, __file__, "--form", form, "--batch", str(args.batch)]
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            found[form] = json.loads(run.stdout.splitlines()[-1])
            rates[form].append(found[form]["rate"])
        if abs(found["base"]["loss"] - found["conv1d"]["loss"]) > 1e-3:
            raise SystemExit(f"the two forms do not compute the same loss: {found}")
        ratios.append(rates["base"][-1] / rates["conv1d"][-1])
        print(f"round {number + 1}: base / conv1d = {ratios[-1]:.2f}", flush=True)
    print(
        f"base {statistics.median(rates['base']):,.0f}, "
        f"conv1d {statistics.median(rates['conv1d']):,.0f} audio samples/s; "
        f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
        f"over {args.rounds} rounds, batch {args.batch}, {platform.machine()}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
