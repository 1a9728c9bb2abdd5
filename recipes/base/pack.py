"""Pack a trained model for the package: half precision, with its prior and its model card.

    python recipes/base/pack.py exp/base/run/model vqspeech/models/base

What the card says of steps, identities, minutes, teacher and training is read from the model; whose
recordings they are, from sources.toml. Does nothing where OUT was made from this model already.
"""

import argparse
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from shared import finish

from vqspeech.checkpoint.about import About
from vqspeech.checkpoint.model import Checkpoint, load_checkpoint
from vqspeech.checkpoint.packing import made_from, pack_model
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.config.model import Config
from vqspeech.synthesis.loaded import LoadedModel

CARD = Path(__file__).with_name("card.md")
SOURCES = Path(__file__).with_name("sources.toml")
WIDTH = 100
UNTAUGHT = "nobody: no teacher was given"
NAMES = {
    "reverberation": "in a room",
    "noise": "in noise",
    "babble": "among other voices",
    "narrow_band": "through a telephone",
}


def card(loaded: Checkpoint) -> str:
    """The text of the model card."""
    model, about, _ = loaded
    config = about.config
    return CARD.read_text().format(
        rate=config.frame_rate,
        codes=config.quantizer.codebook_size,
        books=config.quantizer.codebooks,
        bits=config.bit_rate,
        levels=levels(loaded),
        stages=steps(about),
        source=made_from(loaded),
        hours=f"{minutes(about.speakers) / 60:.1f}",
        speakers=len(about.speakers),
        parameters=f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M",
        data="\n".join(wrapped(f"- {line}", "  ") for line in data(about.speakers)),
        teacher=wrapped(f"- **Teacher**: {taught(about)}"),
        degradation=wrapped(f"- **What the encoder heard in training**: {heard(config)}"),
        voices=wrapped(f"- **Speaker encoder**: {voices(config)}"),
        supervision=wrapped(f"- **Supervision**: {supervision(config)}"),
    )


def levels(loaded: Checkpoint) -> str:
    """What more a frame may have; nothing where there is one level, or one that is trained."""
    rates = LoadedModel.of(loaded, "cpu").bit_rates
    more = f"; up to {len(rates)} codes at a time, {rates[-1]:,.0f} bit/s"
    return more if len(rates) > 1 else ""


def steps(about: About) -> str:
    return ", ".join(f"{name}: {steps:,}" for name, steps in about.trained.items())


def minutes(speakers: Sequence[Speaker]) -> float:
    return sum(speaker.minutes for speaker in speakers)


def data(speakers: Sequence[Speaker]) -> Iterator[str]:
    """A line on each source of the identities, and on those whose source nobody noted."""
    unknown = list(speakers)
    for source in tomllib.loads(SOURCES.read_text())["source"]:
        own = [speaker for speaker in speakers if speaker.name.startswith(source["prefix"])]
        unknown = [speaker for speaker in unknown if speaker not in own]
        if own:
            yield f"{counted(own)}: {source['text']}"
    if unknown:
        yield f"{counted(unknown)}: recordings that recipes/base/sources.toml does not name."


def counted(speakers: Sequence[Speaker]) -> str:
    """How many identities with how much speech."""
    own = sorted(speaker.minutes for speaker in speakers)
    if len(own) == 1:
        return f"`{speakers[0].name}`, {own[0]:.0f} minutes"
    return (
        f"{len(own)} identities, {own[0]:.1f} to {own[-1]:.1f} minutes each, {sum(own):.0f} in all"
    )


def taught(about: About) -> str:
    if about.teacher is None:
        return f"{UNTAUGHT}."
    return (
        f"the encoder of {about.teacher}: Whisper (Radford et al. 2022, OpenAI; MIT). It taught "
        "the codes in training only: nothing of it is in this model, or needed to use it."
    )


def heard(config: Config) -> str:
    shares = config.training.degradation
    found = [f"{getattr(shares, k):.0%} {v}" for k, v in NAMES.items() if getattr(shares, k)]
    if not found:
        return "the recordings, augmented (vocal tract length, pitch, equaliser)."
    return (
        f"the recordings, augmented (vocal tract length, pitch, equaliser), {', '.join(found)}, "
        "while what it was to tell stayed clean."
    )


def voices(config: Config) -> str:
    encoder = config.speaker_encoder
    if encoder is None:
        return "none; voices of other people are enrolled."
    return (
        f"a voice vector of some seconds of anybody's speech, trained beside the identities (in "
        f"{encoder.share:.0%} of the crops, {encoder.reference_seconds:g} s each)."
    )


def supervision(config: Config) -> str:
    told = "codes are learned from the recordings"
    if config.conditioning.phoneme_head:
        told += (
            " and, for a part of them, from phonemes, which pocketsphinx aligned to the corpora's "
            "transcripts: so the codes know more of phonemes than unsupervised ones"
        )
    return f"{told}. F0 is pYIN's."


def wrapped(text: str, indent: str = "") -> str:
    """A list item of Markdown."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of the trained model")
    parser.add_argument("out", type=Path, help="folder to write")
    args = parser.parse_args()
    loaded = load_checkpoint(args.model)
    if not pack_model(loaded, args.out, card(loaded)):
        print(f"nothing to do: {args.out} was made from this model")
        return
    size = sum(file.stat().st_size for file in args.out.iterdir())
    print(f"wrote {args.out} ({size / 1e6:.1f} MB; steps: {steps(loaded.about)})")


if __name__ == "__main__":
    finish(main)
