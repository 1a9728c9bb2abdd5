"""Training throughput of `base` against the same network written with `Conv1d`, in one run.

    python recipes/base/throughput.py [--rounds 5] [--batch 8] [--bfloat16] [--forms base,compiled]

All are float32, or with --bfloat16 in mixed precision, and take whole steps of the waveform stage
(encoder, conditioning, WaveNet, loss, backward, AdamW) on the same random crops, and must agree in
their first loss.

- base: what `vqspeech train` runs.
- compiled: the same with --compile. Needs a C++ compiler; compiling, a minute or two, is not timed.
- conv1d: the same network in the form in which WaveNets are usually written: `conv1d` over
  [batch, channels, time], the conditioning repeated for every step and projected by a 1 x 1
  convolution in each layer, the C library's default handling of freed memory.
- conv1d-ahead: the same, but for the conditioning: projected once a frame, as in base.

Each round runs each of them once, in a process of its own; ratios are taken within a round.
"""

import argparse
import dataclasses
import json
import platform
import statistics
import subprocess
import sys
import time

FORMS = ("base", "compiled", "conv1d", "conv1d-ahead")
WARM_UP, STEPS = 2, 5


def conv1d_forms(project_ahead: bool) -> None:
    """Replace the matrix forms of the network's layers by `conv1d`, with the same weights."""
    import torch
    import torch.nn.functional as F

    from vqspeech.audio.signal import MU_LEVELS, MU_ZERO
    from vqspeech.nn.decoder import WaveNetDecoder
    from vqspeech.nn.timeconv import TimeConv

    def kernel(linear, width=1):
        weight = linear.weight  # [O, width * C], taps side by side
        return weight.view(len(weight), width, -1).transpose(1, 2).contiguous()

    def time_conv(self, x):
        x = F.pad(x.transpose(1, 2), (self.padding, self.padding))
        weight = kernel(self.linear, self.width)
        out = F.conv1d(x, weight, self.linear.bias, self.stride, dilation=self.dilation)
        return out.transpose(1, 2)

    def decoder(self, indices, hidden, first=0, excitation=None, known=None):
        stack, hold = self.stack, indices.shape[1] // hidden.shape[2]
        heard = F.pad(indices[:, :-1], (0, 0, 1, 0), value=MU_ZERO)
        if known is not None:
            heard = torch.cat([heard, known], -1)
        x, skip, width = self.embed(heard).transpose(1, 2), 0, stack.residual_channels
        if self.excitation is not None:
            x = x + F.conv1d(excitation.transpose(1, 2), kernel(self.excitation))
        condition = (kernel(self.condition), self.condition.bias)
        if project_ahead:
            biases = F.conv1d(hidden, *condition).chunk(len(stack.dilations), 1)
        else:
            held = hidden.repeat_interleave(hold, 2)
            parts = zip(*(part.chunk(len(stack.dilations)) for part in condition), strict=True)
        for layer, dilation in enumerate(stack.dilations):
            if project_ahead:
                bias = biases[layer].repeat_interleave(hold, 2)
            else:
                bias = F.conv1d(held, *next(parts))
            weight = kernel(stack.gates[layer], 2)
            h = F.conv1d(F.pad(x, (dilation, 0)), weight, dilation=dilation) + bias
            a, b = h.chunk(2, 1)
            z = torch.tanh(a) * torch.sigmoid(b)
            part = stack.skip.weight[:, layer * width : (layer + 1) * width, None].contiguous()
            skip = skip + F.conv1d(z, part, stack.skip.bias if layer == 0 else None)
            if layer < len(stack.residual):
                residual = stack.residual[layer]
                x = x + F.conv1d(z, kernel(residual), residual.bias)
        out = F.relu(F.conv1d(F.relu(skip), kernel(self.hidden), self.hidden.bias))
        logits = F.conv1d(out, kernel(self.output), self.output.bias).transpose(1, 2)
        return logits[:, first:].unflatten(-1, (self.bands, MU_LEVELS))

    TimeConv.forward, WaveNetDecoder.forward = time_conv, decoder


def measure(form: str, batch: int, bfloat16: bool) -> dict:
    """Audio samples a second through the WaveNet, and the first loss (the forms must agree)."""
    import torch

    from vqspeech.audio.signal import FILTER_BANK_HOP
    from vqspeech.config.reading import load_preset
    from vqspeech.nn.batch import Batch
    from vqspeech.nn.vqvae import VQVAE
    from vqspeech.training.memory import keep_freed_memory
    from vqspeech.training.objective import total_loss, trained_parameters

    if form in ("base", "compiled"):
        keep_freed_memory()
    else:
        conv1d_forms(project_ahead=form == "conv1d-ahead")
    torch.manual_seed(0)
    config = load_preset("base")
    stage = dataclasses.replace(config.training.stage("waveform"), batch=batch)
    window = config.decoder_window(stage)
    model = VQVAE(config, 16)
    optimizer = torch.optim.AdamW(trained_parameters(model, stage), 1e-3, fused=True)
    model.train()
    if form == "compiled":
        model.decoder.compile(dynamic=False)
    samples = round(stage.crop_seconds * 16_000 / config.hop) * config.hop
    f0 = torch.full((batch, samples // FILTER_BANK_HOP), 120.0)
    crops = Batch(0.05 * torch.randn(batch, samples), torch.arange(batch) % 16, f0)
    times, first = [], None
    for _ in range(WARM_UP + STEPS):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, bfloat16):
            loss = total_loss(config, stage, model(crops, window=window, freeze_codes=True))
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
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.form:
        print(json.dumps(measure(args.form, args.batch, args.bfloat16)))
        return 0
    forms = args.forms.split(",")
    if unknown := set(forms) - set(FORMS):
        parser.error(f"--forms {', '.join(sorted(unknown))}: there are {', '.join(FORMS)}")
    rates, within = {form: [] for form in forms}, 0.05 if args.bfloat16 else 1e-3
    for number in range(args.rounds):
        losses = []
        for form in forms if number % 2 == 0 else forms[::-1]:
            command = [sys.executable, __file__, "--form", form, "--batch", str(args.batch)]
            command += ["--bfloat16"] * args.bfloat16
            run = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(run.stdout.splitlines()[-1])
            rates[form].append(found["rate"])
            losses.append(found["loss"])
        if max(losses) - min(losses) > within:
            raise SystemExit(f"the forms do not compute the same loss: {losses}")
        print(f"round {number + 1} of {args.rounds}", flush=True)
    print(f"audio samples/s, batch {args.batch}, {platform.machine()}; ratio within a round")
    for form in forms:
        ratios = [a / b for a, b in zip(rates[forms[0]], rates[form], strict=True)]
        rate, ratio = statistics.median(rates[form]), statistics.median(ratios)
        spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
        print(f"{form:>12} {rate:>9,.0f}   {forms[0]} is {ratio:.2f} times as fast {spread}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
