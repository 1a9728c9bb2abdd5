"""What int8 weights cost: -log p of recordings by the int8 kernels and by float32, in nats a step.

    python recipes/bench/int8.py FILE... [--model DIR] [--speaker NAME] [--seconds 5]

Teacher-forced on the first seconds of each file: a measure of the model, never a reconstruction.
"""

import argparse
import sys
from pathlib import Path

import numpy as np


def nats(logits: np.ndarray, samples: np.ndarray) -> float:
    """-log p of samples [N, bands] under logits [N, bands, 256], the mean in nats a step."""
    logits = logits.astype(np.float64)
    logits -= logits.max(-1, keepdims=True)
    chosen = np.take_along_axis(logits, samples[..., None].astype(np.int64), -1)[..., 0]
    return float((np.log(np.exp(logits).sum(-1)) - chosen).sum(-1).mean())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--speaker", help="default: the file's folder, or the model's first")
    parser.add_argument("--seconds", type=float, default=5.0)
    args = parser.parse_args()
    import torch

    from vqspeech import Codec, audio
    from vqspeech.audio.pitch import f0_frames
    from vqspeech.sampling.backend import backend_for
    from vqspeech.sampling.work import Work
    from vqspeech.synthesis.levelling import levelled

    codec = Codec.from_pretrained(args.model, device="cpu")
    decoder = codec.model.decoder
    backends = {name: backend_for(decoder, name, codec.device) for name in ("int8", "float32")}
    found = []
    for file in args.files:
        folder = Path(file).resolve().parent.name
        own = folder if folder in codec.speakers else codec.speakers[0]
        speaker = torch.tensor([codec.speaker_row(args.speaker or own)])
        wave = audio.read(file)[: round(args.seconds * 16_000)]
        wave = levelled(wave)
        wave = torch.from_numpy(np.pad(wave, (0, -len(wave) % codec.hop)))[None]
        with torch.inference_mode():
            hidden = codec.model.hidden(codec.model.encode(wave), codec.model.speakers(speaker))
            conditioning = decoder.conditioning(hidden)[0].numpy()
            log_mel = codec.model.conditioning.log_mel(hidden) if decoder.prediction else None
            f0 = torch.from_numpy(f0_frames(wave[0].numpy()))[None]
            excitation = None
            if decoder.excitation is not None:
                wave, excitation = codec.model.teacher_excitation(wave, f0)
            truth, predictor = decoder.truth(wave, log_mel, f0), decoder.predictor(log_mel, f0)
            samples = truth.indices[0].numpy().astype(np.uint8)
            told = [part[0].numpy() for part in predictor]
            inputs = np.zeros((len(samples), decoder.stack.residual_channels), np.float32)
            if excitation is not None:
                inputs = decoder.excitation(excitation)[0].numpy()
        uniforms, row = np.zeros(samples.shape, np.float32), {}
        heat = np.ones((1, decoder.bands), np.float32)
        for name, backend in backends.items():
            work = Work(backend.new_state(), conditioning, inputs, *told, heat, uniforms)
            row[name] = nats(backend.logits(work, samples), samples)
        found.append(row["int8"] - row["float32"])
        print(f"{row['float32']:8.4f} float32 {row['int8']:8.4f} int8 {found[-1]:+8.4f}  {file}")
    print(f"int8 costs {np.mean(found):+.4f} nats a step (largest {max(found):+.4f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
