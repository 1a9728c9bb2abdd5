"""A run: its options, what its steps share, and how crops become tensors."""

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import which

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object, set_seed

from vqspeech.checkpoint.speakers import Speaker
from vqspeech.config.model import Config
from vqspeech.config.training import StageConfig
from vqspeech.data.crops import BatchShape, CropBatch, Crops, Tracks
from vqspeech.data.index import OTHER
from vqspeech.data.packed import PackedCorpus
from vqspeech.data.tracks import load_phonemes, track_f0
from vqspeech.endings import PutOff
from vqspeech.errors import InputError
from vqspeech.nn.batch import Batch
from vqspeech.nn.teacher import Teacher
from vqspeech.nn.vqvae import VQVAE
from vqspeech.training.inherit import Origin
from vqspeech.training.log import RunLog, every_quarter_minute
from vqspeech.training.teaching import Teaching

DEVICES = ("auto", "cpu", "cuda")
CPP_COMPILERS = ("g++", "clang++")
"""What PyTorch looks for, unless CXX names another one."""
PRECISIONS = ("auto", "no", "bf16")
"""Not fp16: it overflows now and then, and the scale that it then needs is no part of the state."""


@dataclass(frozen=True)
class Options:
    """How to run, as opposed to what to train (`Config`). Raises InputError.

    data: folder made by `vqspeech prepare`. out: folder of the run. stages: which of the
    configuration's stages, None for all. resume: go on with the run in `out`, if there is one.
    init: folder, hub name or "shipped": a model to begin with (`training.inherit`); a run that is
    resumed has begun already.
    teacher: folder or hub name of the network that codes are learned from (`training.teaching`).
    max_minutes: stop (resumably) after this long. save_minutes: time between checkpoints.
    compile: have PyTorch compile the WaveNet first. quiet: no progress bar, no lines but warnings.
    """

    data: Path
    out: Path
    stages: Sequence[str] | None = None
    resume: bool = False
    init: str | None = None
    teacher: str | None = None
    max_minutes: float | None = None
    save_minutes: float = 5.0
    device: str = "auto"
    mixed_precision: str = "auto"
    seed: int = 0
    compile: bool = False
    quiet: bool = False

    def __post_init__(self):
        if self.device not in DEVICES:
            raise InputError(f"device '{self.device}' must be one of {', '.join(DEVICES)}")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("no CUDA device here; use --device cpu, or auto")
        if self.mixed_precision not in PRECISIONS:
            raise InputError(
                f"mixed precision '{self.mixed_precision}' must be one of {', '.join(PRECISIONS)}"
            )
        if self.seed < 0:
            raise InputError(f"seed {self.seed} must not be negative")
        if self.compile and self.on_cpu and not any(map(which, cpp_compilers())):
            raise InputError(
                "to compile for this processor PyTorch needs a C++ compiler: install g++ (or name "
                "another one in CXX), or train without --compile"
            )

    @property
    def on_cpu(self) -> bool:
        """Whether this machine's processor trains."""
        return self.device == "cpu" or not torch.cuda.is_available()

    def out_of_time(self, started: float) -> bool:
        """Whether `max_minutes` are over since `started` (`time.monotonic()`)."""
        limit = self.max_minutes
        return limit is not None and time.monotonic() - started > 60 * limit


def cpp_compilers() -> tuple[str, ...]:
    """Any of these can compile for a processor, if it is there."""
    own = os.environ.get("CXX")
    return (own,) if own else CPP_COMPILERS


class Run:
    """What the steps of a run share."""

    def __init__(self, config: Config, options: Options, teaching: Teaching | None = None):
        self.config, self.options, self.teaching = config, options, teaching
        on_cpu = options.on_cpu
        precision = options.mixed_precision
        if precision == "auto":
            precision = "no" if on_cpu and not cpu_has_bfloat16() else "bf16"
        self.accelerator = Accelerator(mixed_precision=precision, cpu=on_cpu)
        set_seed(options.seed)
        self.corpus = PackedCorpus(options.data)
        states = 0 if teaching is None else teaching.width
        self.model = VQVAE(config, len(self.corpus.speakers), states)
        if teaching is not None:
            teaching.on(self.accelerator.device, precision)
        self.names = {id(p): n for n, p in self.model.named_parameters()}
        self.started = time.monotonic()
        self.is_main = self.accelerator.is_main_process
        self.log = RunLog(options.out, options.quiet, silent=not self.is_main)
        self.ending = PutOff(self._say_it_ends)
        """Entered while it trains: a signal that ends the program is heeded after a step."""
        self.origin: Origin | None = None
        self.strangers = False
        """Whether speakers are new, of a model whose stages let conditioning stand still."""
        self._tracks = self._load_tracks()

    def _load_tracks(self) -> Tracks:
        """What the model's heads are trained on beside the samples."""
        f0 = phonemes = None
        wanted = self.config.conditioning
        if wanted.pitch_head:
            with self.accelerator.main_process_first():  # it tracks, the others find what it kept
                tell = every_quarter_minute(self.log.say, "tracking pitch, once")
                f0 = track_f0(self.corpus, tell)
        if wanted.phoneme_head:
            phonemes = load_phonemes(self.corpus)
            if phonemes is None:
                self.log.say(f"no phonemes in {self.corpus.folder}: codes are learned without them")
        return Tracks(f0, phonemes, self.config.hop)

    @property
    def has_phonemes(self) -> bool:
        """Whether crops come with phonemes."""
        return self._tracks.phonemes is not None

    def teacher_of(self, stage: StageConfig) -> Teacher | None:
        """Who has something to say in a stage; None where no codes are trained, or nobody has."""
        return self.teaching.teacher if self.teaching is not None and stage.taught else None

    def speaker_table(self) -> list[Speaker]:
        """What a checkpoint says of each speaker: name, gender, minutes and, where pitch is tracked
        and the identity is one person's, the median F0 in Hz of all their training speech."""
        table = list(self.corpus.speaker_table)
        if self._tracks.f0 is None:
            return table
        rows = self.corpus.rows("train")
        whose = self.corpus.index["utterances"]["speaker"][rows]
        for number, speaker in enumerate(table):
            if speaker.name != OTHER:
                own = [self._tracks.f0.of(row) for row in rows[whose == number]]
                f0 = np.concatenate([np.zeros(0, np.float16), *own])
                voiced = f0[f0 > 0].astype(np.float64)
                median = round(float(np.median(voiced)), 1) if len(voiced) else 0.0
                table[number] = replace(speaker, f0=median)
        return table

    def _say_it_ends(self) -> None:
        with suppress(RuntimeError):  # it came amid another line
            self.log.say("ending after this step, which is saved (at once: ask again)")

    def is_to_stop(self) -> bool:
        """Whether `max_minutes` are over or somebody asked; the same answer in every process."""
        stop = self.ending.wanted or self.options.out_of_time(self.started)
        if self.accelerator.num_processes == 1:
            return stop
        if stop:
            self.accelerator.set_trigger()
        return self.accelerator.check_trigger()

    def seed_step(self, stage: str, step: int) -> None:
        """Make PyTorch's random numbers a function of seed, stage and step.

        They are the same in every process: what is drawn, is drawn for the batch of all of them.
        """
        entropy = [self.options.seed, int.from_bytes(stage.encode()), step]
        torch.manual_seed(int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]))

    def close(self) -> None:
        self.log.close()
        self.accelerator.end_training()

    def crops(self, stage: StageConfig, split: str, seed: int, batch: int | None = None) -> Crops:
        """Crops of whole frames: this process's share, or `batch` that are the same in each."""
        samples = self.config.crop_frames(stage) * self.config.hop
        reference = self.config.reference_samples
        shape = BatchShape(samples, batch or stage.batch, reference=reference)
        if batch is None:
            shape = replace(
                shape, rank=self.accelerator.process_index, world=self.accelerator.num_processes
            )
        return Crops(self.corpus, split, shape, seed, self._tracks)

    def require_agreement(self, position: object) -> None:
        """Raise InputError in every process if they see other corpora or checkpoints."""
        seen = gather_object([(self.corpus.index["source"], position)])
        if any(one != seen[0] for one in seen):
            raise InputError(
                f"the {len(seen)} processes do not see the same {self.options.data} and "
                f"{self.options.out}: put both on storage that all machines share"
            )


def levels_of(run: Run, stage: StageConfig) -> int:
    """Levels of codes that the model has in a stage: all of them once they are being learned, or
    were."""
    upper = run.model.levels
    if upper is None or stage.name == "codes":
        return 1
    known = stage.name == "levels" or upper.initialised
    return run.config.quantizer.levels if known else 1


def cpu_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; where it must emulate it, it is slower."""
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return False
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})


def to_batch(run: Run, crops: CropBatch) -> Batch:
    """Crops to tensors on the device, samples in [-1, 1]."""
    device = run.accelerator.device
    wave, speaker = (torch.from_numpy(part).to(device) for part in crops[:2])
    f0, phonemes, reference = (
        part if part is None else torch.from_numpy(part).to(device) for part in crops[2:]
    )
    reference = None if reference is None else reference.float() / 32768
    return Batch(wave.float() / 32768, speaker, f0, phonemes, reference)
