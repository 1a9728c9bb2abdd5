"""Stage 6: a trained model to a folder that can be published: half precision, with a model card.

    python recipes/vctk/local/publish.py exp/vctk/run/model exp/vctk/publish --report DIR

The weights are rounded to 16 bits first and named (fingerprint) after that. A prior beside the
model goes along. Does nothing where OUT was made from this model already.
"""

import argparse
import sys
from pathlib import Path

from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.checkpoint.packing import made_from, pack_model
from vqspeech.errors import InputError

CARD = Path(__file__).resolve().parents[1] / "conf" / "card.md"
SPLITS = ("eval-seen", "eval-unseen")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path, help="folder of the trained model")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--report", type=Path, help="folder of stage 5, for the card")
    args = parser.parse_args()
    try:
        print(publish(args.model, args.out, args.report))
    except (InputError, OSError) as error:
        print(f"publish.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def publish(folder: Path, out: Path, report: Path | None) -> str:
    """Write `out` whole or not at all; a line about it. Raises InputError, OSError."""
    loaded = load_checkpoint(folder)
    model, about, _ = loaded
    hours = sum(speaker.minutes for speaker in about.speakers) / 60
    config = about.config
    card = CARD.read_text().format(
        name=config.name,
        source=made_from(loaded),
        rate=f"{config.frame_rate:g}",
        codes=config.quantizer.codebook_size,
        bits=f"{config.bit_rate:g}",
        parameters=f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M",
        steps=", ".join(f"{name}: {steps:,}" for name, steps in about.trained.items()),
        hours=f"{hours:.2f}",
        speakers=len(about.speakers),
        figures=_figures(report),
    )
    if not pack_model(loaded, out, card):
        return f"nothing to do: {out} was made from this model"
    size = sum(file.stat().st_size for file in out.iterdir())
    return f"wrote {out} ({size / 1e6:.1f} MB): `vqspeech decode codes.npy out.wav --model {out}`"


def _figures(report: Path | None) -> str:
    """The tables of stage 5, one below another."""
    found = []
    for split in SPLITS:
        path = report / split / "report.md" if report else None
        if path is not None and path.is_file():
            text = path.read_text(encoding="utf-8").removeprefix("# Evaluation\n")
            found.append(f"### {split}\n{text.rstrip()}")
    return "\n\n".join(found) or "Not measured."


if __name__ == "__main__":
    sys.exit(main())
