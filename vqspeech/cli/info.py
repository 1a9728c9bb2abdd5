"""Describe a codes file (.npy), an audio file, or a model's folder (default: the shipped model)."""

import argparse
import os

from vqspeech.cli.options import add_model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="codes file, audio file or model folder"
    )
    add_model(parser)


def run(args: argparse.Namespace) -> None:
    if args.file is None or os.path.isdir(args.file):
        facts = about_model(args.file or args.model)
    elif args.file.lower().endswith(".npy"):
        facts = about_codes(args.file, args.model)
    else:
        facts = about_audio(args.file)
    width = max(map(len, facts)) + 1
    for name, value in facts.items():
        print(f"{name + ':':{width}} {value}")


def about_model(name: str | None) -> dict[str, str]:
    """What a model is, from its folder or hub name. Raises InputError."""
    from vqspeech.checkpoint import load_checkpoint
    from vqspeech.dsp import SAMPLE_RATE

    loaded = load_checkpoint(name)
    about, model = loaded.about, loaded.model
    config = about.config
    parameters = sum(parameter.numel() for parameter in model.parameters())
    seen = (2 * model.encoder.context_frames + 1) * config.hop / SAMPLE_RATE
    steps = model.decoder.stack.receptive_field
    heard = steps * config.decoder.bands / SAMPLE_RATE
    return {
        "model": config.name,
        "folder": str(loaded.folder),
        "fingerprint": about.fingerprint,
        "hop": f"{config.hop} samples at {SAMPLE_RATE} Hz ({config.frame_rate:g} codes/s)",
        "codes": str(config.quantizer.codes),
        "bit rate": f"{config.bit_rate:g} bit/s",
        "speakers": f"{len(about.speakers)} (`vqspeech speakers` lists them)",
        "parameters": f"{parameters:,}",
        "trained": ", ".join(f"{stage} {steps:,} steps" for stage, steps in about.trained.items())
        or "not at all",
        "receptive field": f"encoder {seen:.2f} s around each code, WaveNet {steps} steps "
        f"({heard:.2f} s) back",
    }


def about_codes(path: str, model: str | None) -> dict[str, str]:
    """What a codes file holds, read as codes of `model`. Raises InputError."""
    import numpy as np

    from vqspeech.checkpoint import read_about, resolve
    from vqspeech.codes import load_npy

    config = read_about(resolve(model)).config
    size = config.quantizer.codes
    codes = load_npy(path, config.hop, size)
    counts = np.bincount(codes.indices, minlength=size)
    share = counts[counts > 0] / codes.frames
    perplexity = np.exp(-(share * np.log(share)).sum())
    return {
        "codes of": f"{config.name} (hop {codes.hop} samples)",
        "frames": f"{codes.frames:,}",
        "seconds": f"{codes.seconds:.2f}",
        "bit rate": f"{codes.bits_per_second(size):g} bit/s",
        "codes used": f"{len(share)} of {size} (perplexity {perplexity:.0f})",
        "range": f"{codes.indices.min()} to {codes.indices.max()}",
    }


def about_audio(path: str) -> dict[str, str]:
    """What an audio file holds; it is read to the end. Raises InputError."""
    from vqspeech import audio

    header = audio.probe(path)
    meter = audio.measure_level(path)
    return {
        "format": header.format,
        "rate": f"{header.rate} Hz",
        "channels": str(header.channels),
        "seconds": f"{audio.duration(path):.2f}",
        "level": f"{meter.active_db:.1f} dB re full scale where there is speech, "
        f"{meter.loud_db:.1f} dB in the loudest places",
    }
