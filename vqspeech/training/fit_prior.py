"""The stage "prior": fits the model of the codes once the codec is trained.

Minutes where the codec takes hours, so it is not resumed but done again. The prior kept is the one
with the fewest bits per code on held-out utterances; once these no longer fall the fit ends, and
the model gets it.
"""

import math
import os
import shutil
import time
from pathlib import Path

import torch
from safetensors import SafetensorError

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.location import PRIOR_FILE
from vqspeech.checkpoint.model import Checkpoint, load_checkpoint
from vqspeech.checkpoint.prior import save_prior
from vqspeech.config.model import Config
from vqspeech.config.training import PriorConfig
from vqspeech.data.packed import PackedCorpus, check_packed
from vqspeech.errors import InputError
from vqspeech.files import reason
from vqspeech.nn.prior import Prior
from vqspeech.notices import notify
from vqspeech.training.average import WeightAverage
from vqspeech.training.baselines import baseline_bits
from vqspeech.training.corpus_codes import CorpusCodes, corpus_codes
from vqspeech.training.folder import MODEL_FOLDER, run_folder
from vqspeech.training.log import RunLog, every_quarter_minute
from vqspeech.training.optimizer import adam, set_learning_rate
from vqspeech.training.prior_crops import CodeCrops, bits_per_code
from vqspeech.training.run import Options

STAGE = "prior"
LOG_EVERY = 50
LEAST_GAIN = 1e-4
"""Bits per held-out code that count as better."""


def fit_prior(config: Config, options: Options, model: str | None = None) -> None:
    """Fit `config.prior` to the codes of a trained model; it goes into OUT/model.

    model: folder or hub name of a model that is copied to OUT/model first; None for the one that
    training left there. Raises InputError: no such model, no `[prior]`, a corpus that does not fit.
    """
    if config.prior is None:
        raise InputError(f"the configuration '{config.name}' has no [prior]; add one")
    try:
        # Both are looked for before anything is made, as they may not be there.
        check_packed(options.data)
        given = None if model is None else load_checkpoint(model)
        if given is None and not options.out.is_dir():
            raise _untrained(options.out)
        with run_folder(options.out):
            _fit_prior(config.prior, options, _open_model(options, given))
    except (OSError, SafetensorError) as error:
        where = getattr(error, "filename", None) or options.out
        raise InputError(
            f"{where}: cannot be read or written ({reason(error)}); put it right"
        ) from None


def _fit_prior(config: PriorConfig, options: Options, loaded: Checkpoint) -> None:
    if (loaded.folder / PRIOR_FILE).exists():
        notify(f"nothing to do: {loaded.folder} has a prior; remove it to fit another")
        return
    log = RunLog(options.out, options.quiet)
    try:
        Fit(config, options, loaded, log).run()
    finally:
        log.close()


def _open_model(options: Options, given: Checkpoint | None) -> Checkpoint:
    """The model in the run's folder; `given` is copied there first.

    If that was done before, by a run that was killed, --resume goes on.
    """
    folder = options.out / MODEL_FOLDER
    if not folder.is_dir():
        if given is None:
            raise _untrained(options.out)
        _copy_model(given.folder, folder)
        given = None
    loaded = load_checkpoint(folder)
    if given is None or given.folder.resolve() == folder.resolve():
        same = True
    else:
        same = options.resume and given.about.fingerprint == loaded.about.fingerprint
    if not same:
        raise InputError(f"{folder} exists already; leave --model out, or choose another --out")
    if not loaded.model.quantizer.initialised:
        raise InputError(f"{loaded.folder}: its codes are not trained; train the stage 'codes'")
    if (folder / PRIOR_FILE).exists() and not options.resume:
        raise InputError(f"{folder} has a prior already; remove its {PRIOR_FILE} to fit another")
    return loaded


def _copy_model(source: Path, folder: Path) -> None:
    """Copy a model without its prior, whole or not at all."""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    try:
        shutil.copytree(source, partial, ignore=lambda *_: [PRIOR_FILE])
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _untrained(out: Path) -> InputError:
    return InputError(
        f"{out} has no trained model: train its codes there first, or name a model with --model"
    )


class Fit:
    """One fit under way.

    Raises InputError: a corpus with other speakers than the model's, or without audio for a split.
    """

    def __init__(self, config: PriorConfig, options: Options, loaded: Checkpoint, log: RunLog):
        self.config, self.options, self.loaded, self.log = config, options, loaded, log
        self.started = time.monotonic()
        self.device = torch.device("cpu" if options.on_cpu else "cuda")
        torch.manual_seed(options.seed)
        self.identity = codes_identity(loaded.model.state_dict())
        self.names = [speaker.name for speaker in loaded.about.speakers]
        self.codes = self._codes()
        self.quantizer = loaded.about.config.quantizer
        self.prior = Prior(config, self.quantizer, len(self.names)).to(self.device)
        self.baselines = baseline_bits(self.codes["train"], self.codes["valid"], self.quantizer)
        self.crops = CodeCrops(
            self.codes["train"],
            config.crop_frames,
            config.batch,
            options.seed,
            self.quantizer.codebooks,
        )
        self.optimizer = adam(self.prior.parameters(), config.weight_decay)
        self.average = WeightAverage(self.prior, config.ema_decay)
        self.done = 0

    def _codes(self) -> dict[str, CorpusCodes]:
        corpus = PackedCorpus(self.options.data)
        if corpus.speakers != self.names:
            raise InputError(
                f"{corpus.folder} has other speakers than {self.loaded.folder}; "
                "use the corpus that the model was trained on"
            )
        tell = every_quarter_minute(self.log.say, "extracting codes")
        model = self.loaded.model.to(self.device)
        return corpus_codes(model, self.identity, corpus, self.options.out, tell)

    def run(self) -> None:
        """Train until the held-out bits no longer fall, the steps are done or time is up."""
        config, log = self.config, self.log
        log.say(
            f"{len(self.codes['train'].indices):,} codes; bits per held-out code: "
            + ", ".join(f"{name} {bits:.3f}" for name, bits in self.baselines.items())
        )
        kept = worse = 0  # the step of the prior that is kept; measurements since that were worse
        least = math.inf
        log.start(STAGE, 0, config.steps)
        while self.done < config.steps:
            figures = self.step()
            log.progress({"bits": figures["bits"]})
            if self.done % LOG_EVERY == 0:
                log.scalars("train", STAGE, self.done, figures)
            late = self.options.out_of_time(self.started)
            if self.done % config.evaluate_every and self.done < config.steps and not late:
                continue
            with self.average.applied(self.prior):
                bits = self._measure()
                if not kept or bits < least - LEAST_GAIN:
                    kept, least, worse = self.done, bits, 0
                    save_prior(self.prior, self.names, self.options.out, self.identity)
                else:
                    worse += 1
            if late or worse >= config.patience:
                break
        os.replace(self.options.out / PRIOR_FILE, self.loaded.folder / PRIOR_FILE)
        log.say(
            f"kept the prior of step {kept}: {least:.3f} bits per held-out code; "
            f"{self.loaded.folder / PRIOR_FILE}"
        )

    def step(self) -> dict[str, float]:
        """One update of the weights and of their average; what is said of it. Raises InputError."""
        config, prior, step, optimizer = self.config, self.prior.train(), self.done, self.optimizer
        torch.manual_seed(self.options.seed * self.config.steps + step)
        rate = set_learning_rate(optimizer, config, step)
        indices, speakers, inside, counts = (
            part.to(self.device) for part in self.crops.batch_at(step)
        )
        hidden = torch.rand(len(speakers), device=self.device) < config.speaker_dropout
        speakers = torch.where(hidden, prior.any_speaker, speakers)
        nats = prior.nats(indices, speakers, inside)
        loss = (nats * counts).sum() / counts.sum()
        optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        if not bool(torch.isfinite(norm)):
            raise InputError(f"the loss is not finite at step {step}: lower prior.learning_rate")
        optimizer.step()
        self.average.update(prior)
        self.done += 1
        return {"bits": float(loss.detach()) / math.log(2), "learning_rate": rate}

    def _measure(self) -> float:
        """Bits per held-out code, written to the log; the speaker told."""
        bits = bits_per_code(self.prior, self.codes["valid"])
        any_speaker = bits_per_code(self.prior, self.codes["valid"], any_speaker=True)
        figures = {"bits": bits, "bits_any_speaker": any_speaker}
        figures |= {f"bits_{name}": value for name, value in self.baselines.items()}
        self.log.scalars("valid", STAGE, self.done, figures)
        self.log.say(
            f"prior step {self.done}: {bits:.4f} bits per held-out code, "
            f"{any_speaker:.4f} as anybody"
        )
        return bits
