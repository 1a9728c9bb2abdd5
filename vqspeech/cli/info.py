"""Describe a codes file (.npy, .vqs), an audio file, or a model (default: the shipped one).

- is what comes through standard input.
"""

import argparse
import os
from typing import TYPE_CHECKING

from vqspeech.cli import pipes
from vqspeech.cli.options import add_model
from vqspeech.codes.kinds import NPY, START_BYTES, VQS, kind_by
from vqspeech.errors import InputError
from vqspeech.files import opened

if TYPE_CHECKING:
    from vqspeech.checkpoint.model import Checkpoint


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", nargs="?", help="codes file, audio file or model folder, or -"
    )
    add_model(parser)


def run(args: argparse.Namespace) -> None:
    if args.file is None or os.path.isdir(args.file):
        if args.file and args.model:
            raise InputError(f"{args.file} and --model name a model each; leave out one of them")
        facts = about_model(args.file or args.model)
    elif pipes.is_piped_input(args.file):
        pipes.check_terminals(args.file)
        with pipes.as_file(args.file) as path:
            facts = about_file(path, args.model)
    else:
        facts = about_file(args.file, args.model)
    width = max(map(len, facts)) + 1
    for name, value in facts.items():
        print(f"{name + ':':{width}} {value}")


def about_file(path: str, model: str | None) -> dict[str, str]:
    """What a file of codes or sound holds; its first bytes say which, or else its name. Raises
    InputError, also for a `model` that would say nothing about it."""
    start = b""
    if os.path.isfile(path) and os.path.getsize(path):  # others are refused as what they should be
        with opened(path, "a codes or audio file") as file:
            start = file.read(START_BYTES)
    kind = kind_by(start, path)
    if kind == NPY:
        return about_codes(path, model)
    if model is not None:
        raise InputError(
            f"{path}: says itself what it is; leave out --model, which is for .npy codes"
        )
    return about_vqs(path) if kind == VQS else about_audio(path)


def about_model(name: str | None) -> dict[str, str]:
    """What a model is, from its folder or hub name. Raises InputError."""
    from vqspeech.audio.signal import SAMPLE_RATE
    from vqspeech.checkpoint.model import load_checkpoint
    from vqspeech.synthesis.loaded import LoadedModel

    loaded = load_checkpoint(name)
    about, model = loaded.about, loaded.model
    config, books = about.config, about.config.quantizer.codebooks
    rates = LoadedModel.of(loaded, "cpu").bit_rates
    parameters = sum(parameter.numel() for parameter in model.parameters())
    seen = (2 * model.encoder.context_frames + 1) * config.hop / SAMPLE_RATE
    steps = model.decoder.stack.receptive_field
    heard = steps * config.decoder.bands / SAMPLE_RATE
    return {
        "model": config.name,
        "folder": str(loaded.folder),
        "fingerprint": about.fingerprint,
        "hop": f"{config.hop} samples at {SAMPLE_RATE} Hz ({config.frame_rate:g} codes/s)",
        "codes": str(config.quantizer.codebook_size)
        + (f" in each of {books} codebooks, taken in turn" if books > 1 else ""),
        "bit rate": f"{', '.join(f'{rate:g}' for rate in rates)} bit/s",
        "speakers": f"{len(about.speakers)} (`vqspeech speakers` lists them)",
        "parameters": f"{parameters:,}",
        "prior": _about_prior(loaded),
        "trained": ", ".join(f"{stage} {steps:,} steps" for stage, steps in about.trained.items())
        or "not at all",
        "teacher": str(about.teacher or "none"),
        "speaker encoder": "none"
        if config.speaker_encoder is None
        else f"a voice from {config.speaker_encoder.reference_seconds:g} s of anybody",
        "receptive field": f"encoder {seen:.2f} s around each code, WaveNet {steps} steps "
        f"({heard:.2f} s) back",
    }


def _about_prior(loaded: "Checkpoint") -> str:
    from vqspeech.checkpoint.location import PRIOR_FILE
    from vqspeech.checkpoint.prior import load_prior

    if not (loaded.folder / PRIOR_FILE).exists():
        return "none"
    stored = load_prior(loaded.folder, loaded.model)
    parameters = sum(parameter.numel() for parameter in stored.prior.parameters())
    return f"{stored.fingerprint} ({parameters:,} parameters)"


def about_codes(path: str, model: str | None) -> dict[str, str]:
    """What a codes file holds, read as codes of `model`. Raises InputError."""
    from vqspeech.checkpoint.about import read_about
    from vqspeech.checkpoint.location import resolve
    from vqspeech.codes.npy import load_npy
    from vqspeech.evaluation.usage import CodebookUsage

    config = read_about(resolve(model)).config
    codes = load_npy(path, config.hop, config.quantizer.codebook_size)
    rate = codes.bits_per_second(config.quantizer.codebook_size)
    usage = CodebookUsage(config.quantizer)
    usage.add(codes.by_level[0], codes.samples, rate)
    used = usage.summary()
    each = " each" if used["codebooks"] > 1 else ""
    return {
        "codes of": f"{config.name} (hop {codes.hop} samples)",
        "frames": f"{codes.frames:,}" + _in_levels(codes.levels),
        "seconds": f"{codes.seconds:.2f}",
        "bit rate": f"{rate:g} bit/s",
        "codes used": f"{used['used']} of {used['entries']} "
        f"(perplexity {used['perplexity']:.0f}{each})",
        "range": f"{codes.indices.min()} to {codes.indices.max()}",
    }


def about_vqs(path: str) -> dict[str, str]:
    """What a `.vqs` file holds, its checksums verified; no model is needed. Raises InputError."""
    from vqspeech.audio.signal import SAMPLE_RATE
    from vqspeech.codes.header import MODES
    from vqspeech.codes.vqs import measure_vqs

    measured = measure_vqs(path)
    header = measured.header
    seconds, frames = measured.samples / SAMPLE_RATE, measured.frames
    facts = {
        "model": f"{header.model} (codes {header.codes})",
        "speaker": header.speaker or ("their own voice" if header.voice else "not named"),
        "samples": f"{measured.samples:,} at {SAMPLE_RATE} Hz",
        "seconds": f"{seconds:.2f}",
        "codes": f"{frames:,} from a codebook of {header.codebook_size}, "
        f"one every {header.hop} samples" + _in_levels(header.levels),
        "mode": MODES[header.mode] + (f" with prior {header.prior}" if header.prior else ""),
        "blocks": f"{measured.blocks}, all intact",
        "file": f"{measured.size:,} bytes, of which {measured.payload:,} are codes",
    }
    if frames:
        plain = SAMPLE_RATE / header.hop * header.bits * header.levels
        each = 8 * measured.payload / frames / header.levels
        facts["bits per code"] = f"{each:.3f} (plain: {header.bits})"
        facts["bit rate"] = (
            f"{8 * measured.payload / seconds:.1f} bit/s, {8 * measured.size / seconds:.1f} with "
            f"headers and checksums (plain codes: {plain:g})"
        )
    return facts


def _in_levels(levels: int) -> str:
    return f", {levels} levels" if levels > 1 else ""


def about_audio(path: str) -> dict[str, str]:
    """What an audio file holds; it is read to the end. Raises InputError."""
    from vqspeech.audio import reading as audio

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
