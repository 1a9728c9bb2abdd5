"""What a checkpoint is worth: losses on held-out crops, free-running previews."""

import numpy as np
import torch

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.config.training import StageConfig
from vqspeech.nn.batch import Batch
from vqspeech.nn.quantizer import perplexity
from vqspeech.nn.vqvae import VQVAE
from vqspeech.sampling.stream import Frames, WaveNetSampler, to_numpy
from vqspeech.synthesis.griffin_lim import griffin_lim
from vqspeech.training.run import Run, levels_of, to_batch

BATCHES = 4
SEED = 20_171_102
"""Held-out crops are the same at every checkpoint, whatever the run's seed."""
PREVIEW_SECONDS = 3.0


@torch.no_grad()
def validate(run: Run, stage: StageConfig) -> dict[str, float]:
    """Losses of the model as it stands on fixed held-out crops; {} without held-out speech."""
    if not len(run.corpus.rows("valid")):
        return {}
    model, window = run.model, run.config.decoder_window(stage)
    crops = run.crops(stage, "valid", SEED, stage.batch)
    totals: dict[str, float] = {}
    usage = torch.zeros(run.config.quantizer.entries)
    for step in range(BATCHES):
        batch = to_batch(run, crops.batch_at(step))
        with run.accelerator.autocast():
            how = {"with_decoder": stage.name in ("waveform", "joint")}
            losses = model(batch, window=window, teacher=run.teacher_of(stage), **how)
            terms = ("mel", "cepstra", "pitch", "phonemes", "perceptual", "states", "nats")
            found = {name: getattr(losses, name) for name in terms}
            if losses.nats is not None:
                bands, indices = run.config.decoder.bands, model.encode(batch.wave)
                right = nats_of(model, batch, indices, window)
                wrong = nats_of(model, batch, shuffled(indices), window)
                found |= {
                    "nats_per_step": right * bands,
                    "nats_per_step_shuffled": wrong * bands,
                }
                if run.config.decoder.own_envelope:
                    own = nats_of(model, batch, indices, window, model.target_mel(batch.wave))
                    found["nats_per_step_own"] = own * bands
            for count in range(2, levels_of(run, stage) + 1):
                found |= upper_levels(model, batch, count)
            if batch.reference is not None and losses.mel is not None:
                found["mel_heard"] = heard_mel(model, batch)
        usage += losses.usage.cpu()
        for name, value in found.items():
            if value is not None:
                totals[name] = totals.get(name, 0.0) + float(value) / BATCHES
    used = {"perplexity": float(perplexity(usage)), "codes_used": float((usage > 0).sum())}
    return totals | used


def upper_levels(model, batch: Batch, count: int) -> dict[str, torch.Tensor]:
    """Log-mel L1 in nats with `count` levels, and the perplexity of the codes of the last."""
    counts = torch.full_like(batch.speaker, count)
    losses = model(batch, with_decoder=False, counts=counts)
    used = perplexity(losses.upper_usage[count - 2])
    return {f"mel_of_{count}": losses.mel, f"perplexity_of_{count}": used}


def heard_mel(model, batch: Batch) -> torch.Tensor:
    """Log-mel L1 in nats with the speaker encoder's vectors in place of the identities."""
    hidden = model.hidden(model.encode(batch.wave), model.voice(batch.reference))
    return (model.conditioning.log_mel(hidden).float() - model.target_mel(batch.wave)).abs().mean()


def nats_of(
    model: VQVAE,
    batch: Batch,
    indices: torch.Tensor,
    window: tuple[int, int],
    log_mel: torch.Tensor | None = None,
) -> torch.Tensor:
    """Nats per audio sample of 16 bits, given codes [B, F], and, by a model with `own_envelope`,
    the recording's log_mel [B, mels, n]."""
    hidden = model.hidden(indices, model.speakers(batch.speaker))
    return model.nats(batch.wave, hidden, window, batch.f0, log_mel, at_16_bits=True)


def shuffled(indices: torch.Tensor) -> torch.Tensor:
    """Every frame gets the code of another of the batch."""
    order = torch.randperm(indices.numel(), generator=torch.Generator().manual_seed(SEED))
    return indices.flatten()[order.to(indices.device)].view_as(indices)


@torch.no_grad()
def previews(run: Run, stage: StageConfig) -> dict[str, np.ndarray]:
    """Free-running reconstructions, float32 [T], of the start of a held-out utterance.

    "original", "preview" (Griffin-Lim from the auxiliary log-mel) and, once the decoder trains,
    "wavenet". {} without held-out speech.
    """
    _, row, audio = next(run.corpus.utterances("valid"), (None, 0, None))
    if audio is None:
        return {}
    model, steps_per_frame = run.model, run.config.steps_per_frame
    samples = min(len(audio), round(PREVIEW_SECONDS * SAMPLE_RATE))
    original = audio[:samples].astype(np.float32) / 32768
    wave = torch.from_numpy(original).to(run.accelerator.device)[None]
    speaker = model.speakers(torch.tensor([row], device=wave.device))
    hidden = model.hidden(model.encode(wave), speaker)
    found, conditioning, log_mel, f0 = {"original": original}, model.conditioning, None, None
    if conditioning.pitch_head is not None:
        f0 = conditioning.pitch(hidden).f0()
    if conditioning.log_mel_head is not None:
        log_mel = conditioning.log_mel(hidden)
        found["preview"] = griffin_lim(to_numpy(log_mel[0]), SEED)[:samples]
    if stage.name in ("waveform", "joint"):
        sampler = WaveNetSampler(
            model.decoder, steps_per_frame, "float32"
        )  # exactly what was trained
        stream = sampler.stream(SEED, run.config.decoder.temperature)
        told = Frames(hidden, f0, log_mel)
        blocks = [*sampler.add([stream], [told]), stream.finish()]
        found["wavenet"] = np.concatenate(blocks)[:samples]
    return found
