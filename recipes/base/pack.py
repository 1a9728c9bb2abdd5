"""Pack a trained model for the package: half precision, with its model card.

    python recipes/base/pack.py exp/base/run/model vqspeech/models/base

The weights are rounded to 16 bits first and named (fingerprint) after that, so that what is
shipped is exactly what its name and its codes say. A prior beside the model goes along.
"""

import argparse
import sys
from pathlib import Path

import torch

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.model import Packing, load_checkpoint, save_checkpoint
from vqspeech.checkpoint.prior import load_prior, save_prior
from vqspeech.errors import InputError

CARD = Path(__file__).with_name("card.md")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="folder of the trained model")
    parser.add_argument("out", type=Path, help="folder to write")
    args = parser.parse_args()
    try:
        model, about, folder = load_checkpoint(args.model)
        stages = ", ".join(f"{name}: {steps:,}" for name, steps in about.trained.items())
        hours = sum(speaker.minutes for speaker in about.speakers) / 60
        card = CARD.read_text().format(
            rate=model.config.frame_rate,
            codes=model.config.quantizer.codebook_size,
            books=model.config.quantizer.codebooks,
            bits=model.config.bit_rate,
            stages=stages,
            hours=f"{hours:.1f}",
            speakers=len(about.speakers),
            parameters=f"{sum(p.numel() for p in model.parameters()) / 1e6:.1f} M",
        )
        packing = Packing(card, torch.float16)
        rest = about.trained, about.teacher, packing
        save_checkpoint(model, about.speakers, args.out, *rest)
        if (folder / PRIOR_FILE).exists():
            # Rounding the encoder gives its codes another name, and moves hardly any of them.
            stored = load_prior(folder, model)
            codes = codes_identity(load_checkpoint(args.out).model.state_dict())
            save_prior(stored.prior, stored.speakers, args.out, codes, torch.float16)
    except (InputError, OSError) as error:
        print(f"pack.py: error: {error}", file=sys.stderr)
        return 2
    size = sum(file.stat().st_size for file in args.out.iterdir())
    print(f"wrote {args.out} ({size / 1e6:.1f} MB; steps: {stages})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
