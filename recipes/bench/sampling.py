"""How fast WaveNets are sampled: this package's kernels, other ways, and what the machine allows.

    python recipes/bench/sampling.py [--rounds 5] [--seconds 0.5] [--out DIR] [--vocoder PATH]

Each round measures everything once, so that what is compared shares its moment; the table has the
median over rounds and the range. Weights are random: speed does not depend on them. "times real
time" is seconds of 16 kHz audio over seconds of work, summed over streams.

Limits of the machine, for one core: the rate at which it reads a buffer of as many bytes as the
weights have, over the bytes that a step reads; the rate of multiply-adds that its registers and
first cache allow, over those that a step makes. float32: `numpy.dot` of matrices. int8: the
product kernel itself, four streams on a matrix that stays in the first cache.
"""

import argparse
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import numpy as np

STREAMS = (1, 2, 4, 8, 16, 32)
TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)
PLAIN_STEPS, VOCODER_STEPS, NAIVE_STEPS = 150, 100, 4


def timed(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Subject:
    """One preset's WaveNet with random weights, and ways to sample it."""

    def __init__(self, preset: str, seconds: float):
        import torch

        from vqspeech.config.reading import load_preset
        from vqspeech.nn.decoder import WaveNetDecoder
        from vqspeech.sampling.backend import backend_for
        from vqspeech.sampling.reference import ReferenceBackend

        torch.manual_seed(0)
        self.config = load_preset(preset)
        self.name = self.config.name
        self.channels = self.config.conditioning.channels
        mels = self.config.encoder.mels
        self.decoder = WaveNetDecoder(self.config.decoder, self.channels, mels).eval()
        self.steps_per_frame, self.bands = self.config.steps_per_frame, self.config.decoder.bands
        frames = max(1, round(seconds * 16_000 / self.config.hop))
        self.frames, self.steps = frames, frames * self.steps_per_frame
        device = torch.device("cpu")
        self.backends = {
            name: backend_for(self.decoder, name, device) for name in ("int8", "float32")
        }
        self.reference = ReferenceBackend(self.decoder)
        self.multiply_adds = sum(
            layer.weight.numel()
            for name, layer in self.decoder.named_modules()
            if isinstance(layer, torch.nn.Linear) and name not in ("condition", "excitation")
        )

    def work(self, backend, frames: int | None = None):
        """What a new stream is to do, for a voice of 120 Hz; frames: only so many."""
        import torch

        from vqspeech.audio.signal import FILTER_BANK_HOP
        from vqspeech.sampling.stream import Frames, WaveNetStream

        frames = frames or self.frames
        count = frames * self.config.hop // FILTER_BANK_HOP
        log_mel = torch.full((1, self.config.encoder.mels, count), -4.0)
        hidden = torch.randn(1, self.channels, frames)
        stream = WaveNetStream(self.decoder, backend.new_state(), seed=0, temperature=1.0)
        with torch.inference_mode():
            return stream.work(
                Frames(hidden, torch.full((1, count), 120.0), log_mel), self.steps_per_frame
            )

    def kernels(self, weights: str, streams: int, threads: int) -> float:
        """Samples a second, all streams together."""
        backend = self.backends[weights]
        work = [self.work(backend) for _ in range(streams)]
        seconds = timed(lambda: backend.sample(work, threads))
        return streams * self.steps * self.bands / seconds

    def plain(self) -> float:
        """The plain PyTorch sampler."""
        work = self.work(self.reference, -(-PLAIN_STEPS // self.steps_per_frame))
        return work.uniforms.size / timed(lambda: self.reference.sample([work], 1))

    def naive(self) -> float:
        """Every step computed again from its whole receptive field."""
        import torch

        reach = self.config.decoder.receptive_field
        frames = -(-reach // self.steps_per_frame)
        indices = torch.randint(0, 256, (1, frames * self.steps_per_frame, self.bands))
        heard = self.config.decoder.input_rows - self.bands
        known = torch.randint(0, 256, (*indices.shape[:2], heard)) if heard else None
        hidden = torch.randn(1, self.channels, frames)
        excitation = torch.randn(1, indices.shape[1], 2 * self.decoder.harmonics)

        def run():
            with torch.inference_mode():
                for _ in range(NAIVE_STEPS):
                    self.decoder(indices, hidden, indices.shape[1] - 1, excitation, known)

        return NAIVE_STEPS * self.bands / timed(run)

    def vocoder(self, module) -> float:
        """`wavenet_vocoder`'s incremental forward, same layers, channels and dilations.

        It is a full-band network: one sample a step.
        """
        import torch

        config = self.config.decoder
        network = module.WaveNet(
            out_channels=256,
            layers=config.layers,
            stacks=config.layers // config.cycle,
            residual_channels=config.residual_channels,
            gate_channels=2 * config.residual_channels,
            skip_out_channels=config.skip_channels,
            kernel_size=2,
            cin_channels=self.channels,
            weight_normalization=False,
        ).eval()
        start, c = torch.zeros(1, 256, 1), torch.randn(1, self.channels, VOCODER_STEPS)
        start[0, 128] = 1

        def run():
            with torch.inference_mode():
                network.incremental_forward(start, c=c, T=VOCODER_STEPS)

        return VOCODER_STEPS / timed(run)


def cache_rate(size: int) -> float:
    """Bytes a second that one core reads of a buffer of `size` bytes, again and again."""
    from limits import read

    data = np.zeros(size // 4, np.float32)
    rounds = max(1, int(5e8 / size))
    read(data, 1)
    return rounds * data.nbytes / timed(lambda: read(data, rounds))


def float_rate() -> float:
    """float32 multiply-adds a second of one core in a product of matrices."""
    a = np.ones((768, 768), np.float32)
    a @ a
    return 4 * 768**3 / timed(lambda: [a @ a for _ in range(4)])


def int8_rate() -> float:
    """int8 x int16 multiply-adds a second of one core, weights in the first cache."""
    from limits import products

    from vqspeech.sampling.matvec import pack_int8

    weights = pack_int8(np.ones((64, 128), np.int8))
    x, sums = np.ones((4, 64), np.int16), np.zeros((4, 128), np.int32)
    products(weights, 64, 128, x, sums, 10)
    rounds = 10_000
    return rounds * 4 * 64 * 128 / timed(lambda: products(weights, 64, 128, x, sums, rounds))


def find_vocoder(path: str | None):
    """The module `wavenet_vocoder`, from a checkout or as installed; None if there is none."""
    if path:
        sys.path.insert(0, path)
    try:
        import wavenet_vocoder
    except ImportError as error:
        print(f"wavenet_vocoder is left out ({error}); pip install --no-deps wavenet_vocoder, or")
        print("name a checkout with --vocoder")
        return None
    return wavenet_vocoder


def measure(subjects: list[Subject], cores: int, vocoder) -> dict[str, float]:
    """One round: a number for every line of the table."""
    import torch

    found = {}
    for subject in subjects:
        name = subject.name
        for weights in subject.backends:
            for threads in sorted({1, cores}):
                for streams in STREAMS if weights == "int8" else (1, 16):
                    if streams >= threads:
                        key = f"{name}/{weights}/{streams} streams/{threads} cores"
                        found[key] = subject.kernels(weights, streams, threads)
        torch.set_num_threads(1)
        found[f"{name}/plain PyTorch"] = subject.plain()
        found[f"{name}/naive recomputation"] = subject.naive()
        if vocoder is not None:
            found[f"{name}/wavenet_vocoder"] = subject.vocoder(vocoder)
        torch.set_num_threads(cores)
        samples = subject.bands / subject.multiply_adds  # audio samples a multiply-add
        found[f"{name}/limit float32 cache"] = cache_rate(4 * subject.multiply_adds) * samples / 4
        found[f"{name}/limit int8 cache"] = cache_rate(subject.multiply_adds) * samples
        found[f"{name}/limit float32 arithmetic"] = float_rate() * samples
        found[f"{name}/limit int8 arithmetic"] = int8_rate() * samples
    return found


def summary(rounds: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Median and range over rounds."""
    return {
        key: {
            "samples/s": statistics.median(r[key] for r in rounds),
            "low": min(r[key] for r in rounds),
            "high": max(r[key] for r in rounds),
        }
        for key in rounds[0]
    }


def ratio(rounds: list[dict[str, float]], above: str, below: str) -> str:
    values = sorted(r[above] / r[below] for r in rounds)
    return f"{statistics.median(values):,.2f} ({values[0]:,.2f} to {values[-1]:,.2f})"


def table(rounds: list[dict[str, float]], vocoder: bool) -> str:
    """Markdown."""
    lines = ["| | samples/s | times real time | range |", "|---|---:|---:|---:|"]
    for key, row in summary(rounds).items():
        speed = row["samples/s"] / 16_000
        span = f"{row['low'] / 16_000:.3g} to {row['high'] / 16_000:.3g}"
        lines.append(
            f"| {key.replace('/', ', ')} | {row['samples/s']:,.0f} | {speed:.3g} | {span} |"
        )
    lines += ["", "| ratio, within a round | |", "|---|---:|"]
    for name in sorted({key.split("/")[0] for key in rounds[0]}):
        one, batch = (f"{name}/int8/{streams} streams/1 cores" for streams in (1, 16))
        others = ["plain PyTorch", "naive recomputation"] + ["wavenet_vocoder"] * vocoder
        pairs = [(f"one stream over {other}", one, f"{name}/{other}") for other in others]
        pairs += [("one stream over the cache limit", one, f"{name}/limit int8 cache")]
        for kind in ("int8", "float32"):
            limit = f"{name}/limit {kind} arithmetic"
            pairs += [(f"16 streams over the {kind} arithmetic limit", batch, limit)]
        lines += [f"| {name}, int8: {what} | {ratio(rounds, a, b)} |" for what, a, b in pairs]
    return "\n".join(lines)


def cores_of(number: int) -> str:
    return "1 core" if number == 1 else f"{number} cores"


def plot(rounds: list[dict[str, float]], cores: int, path: Path) -> None:
    """Times real time over the number of streams."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    rows = summary(rounds)
    for name in sorted({key.split("/")[0] for key in rows}):
        for threads in sorted({1, cores}):
            keys = [(s, f"{name}/int8/{s} streams/{threads} cores") for s in STREAMS]
            shown = [(s, rows[k]) for s, k in keys if k in rows]
            x = [s for s, _ in shown]
            y, low, high = (
                np.array([r[part] for _, r in shown]) / 16_000
                for part in ("samples/s", "low", "high")
            )
            axes.errorbar(
                x, y, (y - low, high - y), marker="o", label=f"{name}, {cores_of(threads)}"
            )
    axes.axhline(1, color="grey", linestyle=":", label="real time")
    axes.set(xscale="log", yscale="log", xlabel="streams", ylabel="times real time")
    axes.set_xticks(STREAMS, [str(s) for s in STREAMS])
    axes.set_yticks([t for t in TICKS if axes.get_ylim()[0] < t < axes.get_ylim()[1]])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5, help="of speech a stream and call")
    parser.add_argument("--presets", default="base,paper", help="or TOML files")
    parser.add_argument("--out", type=Path, default=Path("exp/bench"))
    parser.add_argument("--vocoder", metavar="PATH", help="checkout of r9y9/wavenet_vocoder")
    args = parser.parse_args()
    import torch

    sys.path.insert(0, str(Path(__file__).parent))
    cores, vocoder = torch.get_num_threads(), find_vocoder(args.vocoder)
    subjects = [Subject(name, args.seconds) for name in args.presets.split(",")]
    for subject in subjects:
        for weights in subject.backends:
            subject.kernels(weights, 2, 1)  # compile
    rounds = []
    for number in range(args.rounds):
        rounds.append(measure(subjects, cores, vocoder))
        print(f"round {number + 1} of {args.rounds}", file=sys.stderr, flush=True)
    args.out.mkdir(parents=True, exist_ok=True)
    about = {"processor": platform.processor() or platform.machine(), "cores": cores}
    found = {"about": about, "rounds": rounds, "summary": summary(rounds)}
    (args.out / "sampling.json").write_text(json.dumps(found, indent=1))
    text = table(rounds, vocoder is not None)
    (args.out / "sampling.md").write_text(text + "\n")
    plot(rounds, cores, args.out / "sampling.png")
    print(text)
    print(f"\nwrote {args.out}/sampling.json, .md and .png", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
