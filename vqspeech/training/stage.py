"""One stage of training under way: its parts, one step, what a checkpoint of it holds."""

import math
import time
from dataclasses import replace

import torch
from safetensors import SafetensorError

from vqspeech.checkpoint.model import Packing, save_checkpoint
from vqspeech.config.training import StageConfig
from vqspeech.data.crops import CropBatch
from vqspeech.errors import InputError
from vqspeech.files import reason
from vqspeech.nn.batch import Batch
from vqspeech.nn.distributed import sum_over_workers
from vqspeech.nn.levels import draw_counts
from vqspeech.training.average import WeightAverage
from vqspeech.training.folder import MODEL_FOLDER
from vqspeech.training.objective import step_figures, total_loss, trained_parameters
from vqspeech.training.optimizer import learning_rate, optimizers, set_learning_rate
from vqspeech.training.run import Run, levels_of, to_batch
from vqspeech.training.state import Parts, Position, load_rest, save_state
from vqspeech.training.validation import previews, validate
from vqspeech.training.watch import CodeUsage, collapse_warning, ignored_warning

LOG_EVERY = 50
"""Steps between two lines of the log."""
SHOWN = ("nats", "mel", "pitch", "perplexity", "samples/s")
"""Figures that stand behind the progress bar."""
FITTING_CROPS = 64
"""Crops, at least, from which the full scale of each sub-band, and a teacher's, is measured."""
FITTING_STEP = 10**9
"""Their first step: beyond the last of any stage, so they are no training batches."""


class StageRun:
    """Trains one stage of `run` from `position`; with its step above zero, from the saved state.

    Raises InputError where the stage before it is missing.
    """

    def __init__(self, run: Run, stage: StageConfig, position: Position):
        self.run, self.stage, self.position = run, stage, position
        config, model = run.config, run.model
        self.crops = run.crops(stage, "train", run.options.seed)
        self.with_decoder = stage.name in ("waveform", "joint")
        self.frozen = stage.name in ("levels", "waveform")
        self.window = config.decoder_window(stage)
        if self.frozen and not model.quantizer.initialised:
            raise InputError(
                f"stage '{stage.name}' builds on trained codes, and {run.options.out} has none: "
                "train the stage 'codes' there first"
            )
        model.to(run.accelerator.device)
        if stage.name == "codes" and not position.step and model.levels is not None:
            model.levels.forget()
        self.levels = levels_of(run, stage)
        self.teacher = run.teacher_of(stage)
        if self.with_decoder:
            self._fit_scale()
        if self.teacher is not None:
            with run.accelerator.autocast():
                self.teacher.fit(model.target_mel(self._fitting_crops().wave))
        if self.with_decoder and run.options.compile:
            model.decoder.compile(dynamic=False)
        self.parameters = trained_parameters(model, stage, run.has_phonemes, position.strangers)
        average = WeightAverage(model, stage.ema_decay)
        decay = config.training.weight_decay
        found = optimizers(self.parameters, model.decoder, stage, decay)
        self.model, *self.optimizers = run.accelerator.prepare(model, *found)
        self.model.train()
        crops_a_step = stage.batch * run.accelerator.num_processes
        epoch = run.corpus.samples("train") // (crops_a_step * self.crops.shape.samples)
        usage = CodeUsage(config.quantizer.entries, epoch, position.step)
        speakers = run.corpus.speakers
        recordings = run.corpus.recordings
        self.parts = Parts(model, average, found, usage, run.names, speakers, recordings)
        if position.step:
            load_rest(run.options.out, position, self.parts)
        frames = self.window[1] - self.window[0] if self.with_decoder else config.crop_frames(stage)
        self._samples_a_step = crops_a_step * frames * config.hop
        self._started, self._start = time.monotonic(), position

    def _fit_scale(self) -> None:
        """Full scale of the sub-bands, once: a decoder that is trained already keeps its own."""
        decoder = self.run.model.decoder
        if bool((decoder.scale == 1).all()):
            crops = self._fitting_crops()
            decoder.fit_scale(crops.wave, self.run.model.target_mel(crops.wave), crops.f0)

    def _fitting_crops(self) -> Batch:
        """Crops that are none of the training's, to measure speech by: wave and F0 of them.

        They are the same in every process, and as many however many processes there are.
        """
        batch = self.stage.batch * self.run.accelerator.num_processes
        crops = self.run.crops(self.stage, "train", self.run.options.seed, batch)
        steps = range(FITTING_STEP, FITTING_STEP + math.ceil(FITTING_CROPS / batch))
        found = [to_batch(self.run, crops.batch_at(step)) for step in steps]
        f0 = [one.f0 for one in found if one.f0 is not None]
        waves, speakers = zip(*((one.wave, one.speaker) for one in found), strict=True)
        return Batch(torch.cat(waves), torch.cat(speakers), torch.cat(f0) if f0 else None)

    @property
    def done(self) -> bool:
        return self.position.step >= self.stage.steps

    def step(self, crops: CropBatch) -> None:
        """One update of the weights, and what is said of it.

        Raises InputError where the loss is not finite.
        """
        run, stage, step = self.run, self.stage, self.position.step
        run.seed_step(stage.name, step)
        for optimizer in self.optimizers:
            set_learning_rate(optimizer, stage, step)
        batch, counts = to_batch(run, crops), None
        if self.levels > 1:
            counts = draw_counts(self.levels, len(batch.wave), batch.wave.device)
            if stage.name == "levels" and step < stage.warmup:
                counts = torch.ones_like(counts)  # levels that say nothing yet would mislead
        with run.accelerator.autocast():
            losses = self.model(
                batch,
                window=self.window,
                freeze_codes=self.frozen,
                with_decoder=self.with_decoder,
                teacher=self.teacher,
                counts=counts,
            )
            loss = total_loss(run.config, stage, losses)
        run.accelerator.backward(loss)
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, stage.gradient_clip)
        if self.frozen:  # in training, the quantizer has counted those of all processes
            losses = losses._replace(usage=sum_over_workers(losses.usage))
        figures = step_figures(losses, norm) | {"learning_rate": learning_rate(stage, step)}
        if not all(map(math.isfinite, figures.values())):
            raise self._not_finite("the loss is")
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        self.parts.average.update(run.model)
        seconds = time.monotonic() - self._started
        self.position = replace(
            self.position,
            step=step + 1,
            average_updates=self.parts.average.updates,
            seconds=self._start.seconds + seconds,
        )
        figures["samples/s"] = (step + 1 - self._start.step) * self._samples_a_step / seconds
        epoch_ended = self.parts.usage.add(losses.usage)
        if run.is_main:
            self._report(figures, epoch_ended)

    def _report(self, figures: dict[str, float], epoch_ended: bool) -> None:
        log, quantizer = self.run.log, self.run.model.quantizer
        log.progress({k: v for k, v in figures.items() if k in SHOWN})
        if self.position.step % LOG_EVERY == 0:
            codes = self.parts.usage.figures() | {"dead_codes": quantizer.dead_codes()}
            log.scalars("train", self.stage.name, self.position.step, figures | codes)
        if epoch_ended:
            warning = collapse_warning(self.parts.usage.figures(), quantizer.config.entries)
            if warning:
                log.warn(warning)

    def _not_finite(self, what: str) -> InputError:
        stage, out = self.stage.name, self.run.options.out
        return InputError(
            f"{what} not finite at step {self.position.step} of stage {stage}: lower its "
            f"learning_rate and go on with --resume, from the last checkpoint in {out}, which is "
            "intact; without one, remove the folder and start anew"
        )

    def save(self) -> None:
        """Checkpoint: the model to use, the state to resume from.

        Raises InputError, the last checkpoint intact, if it cannot be written or should not be.
        """
        run, out = self.run, self.run.options.out
        weights = [*run.model.state_dict().values(), *self.parts.average.weights.values()]
        if not all(bool(torch.isfinite(tensor).all()) for tensor in weights):
            raise self._not_finite("weights are")
        try:
            with self.parts.average.applied(run.model):
                table, trained = run.speaker_table(), self.position.trained
                teacher = self.position.teacher
                packing = Packing(prior_of=run.origin.folder if run.origin else None)
                save_checkpoint(run.model, table, out / MODEL_FOLDER, trained, teacher, packing)
            save_state(out, self.position, self.parts)
        except (OSError, SafetensorError) as error:
            raise InputError(
                f"{out}: cannot write a checkpoint ({reason(error)}); "
                "the last one is intact: make room and continue with --resume"
            ) from None

    def validate(self) -> None:
        """Figures and previews of held-out speech to the log, and a warning where they are bad."""
        log, stage, step = self.run.log, self.stage.name, self.position.step
        # What is compiled is compiled for the shapes of training.
        eager = torch.compiler.set_stance("force_eager")
        with self.parts.average.applied(self.run.model), eager:
            figures = validate(self.run, self.stage)
            for name, wave in previews(self.run, self.stage).items():
                log.audio(stage, step, name, wave)
        log.scalars("valid", stage, step, figures)
        log.say(f"{stage} step {step}: " + ", ".join(f"{k} {v:.4g}" for k, v in figures.items()))
        if "nats_per_step_shuffled" in figures:
            warning = ignored_warning(figures["nats_per_step"], figures["nats_per_step_shuffled"])
            if warning:
                log.warn(warning)

    def finish(self) -> None:
        """Leave the averaged weights in the model, for the next stage."""
        self.parts.average.copy_to(self.run.model)
        self.run.accelerator.wait_for_everyone()
        del self.model  # frees what wraps it before the next stage wraps it again
        self.run.accelerator.free_memory()
