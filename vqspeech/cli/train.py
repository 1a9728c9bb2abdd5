"""Train a model on a corpus packed by `vqspeech prepare`. OUT/model is always ready to use.

Several processes or machines: `accelerate launch -m vqspeech train ...`.
"""

import argparse
import dataclasses
import os
import signal
from importlib.util import find_spec
from pathlib import Path

from vqspeech.checkpoint.location import CONFIG_FILE
from vqspeech.cli.options import add_device, add_seed, names, real, whole
from vqspeech.cli.overwriting import check_outputs
from vqspeech.config.model import Config
from vqspeech.config.reading import load_preset
from vqspeech.endings import signal_parents_end
from vqspeech.errors import InputError

PRECISIONS = ("auto", "no", "bf16")
MAX_STEPS = 10**9
MAX_MINUTES = 1e6
SMALLEST_MINUTES = 0.01
LARGEST_SEED = 2**32 - 1
"""What NumPy's old random generator takes, which `accelerate` seeds too."""
EXTRA = ("accelerate", "tensorboard")
"""What training needs beyond what encoding and decoding need."""
LAUNCHED = "TORCHELASTIC_RUN_ID"
"""What `accelerate launch` and `torchrun` set for the processes that they start."""
PRIOR = "prior"
"""The stage that is none of the loop's: it fits another network to what the others made."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--config",
        required=True,
        metavar="NAME",
        help="preset (base, paper, paper-128, phonemes) or a .toml file",
    )
    add("--data", required=True, metavar="DIR", help="corpus packed by `vqspeech prepare`")
    add("--out", required=True, metavar="DIR", help="folder of the run: model, state, logs")
    add(
        "--stages",
        "--stage",
        type=names,
        metavar="A,B",
        help="only these stages of the configuration; `prior` alone fits a prior to trained codes",
    )
    add(
        "--steps",
        type=stage_steps,
        nargs="+",
        action="extend",  # also where it is given more than once
        default=[],
        metavar="STAGE=N",
        help="another length for a stage than the configuration's",
    )
    add("--resume", action="store_true", help="go on with the run in OUT, or start it")
    add(
        "--init",
        metavar="MODEL",
        help="begin with the weights of another model (`shipped`: the one in the package), where "
        "names and shapes agree, and with its speakers of the same names",
    )
    add(
        "--teacher",
        metavar="DIR",
        help="Whisper's model, a folder or a name on the hub, whose encoder the codes are learned "
        "from as far as the configuration says (perceptual_weight, states_weight)",
    )
    add(
        "--max-minutes",
        type=real(SMALLEST_MINUTES, MAX_MINUTES),
        metavar="M",
        help="save and stop after this long; --resume goes on",
    )
    add(
        "--save-minutes",
        type=real(SMALLEST_MINUTES, MAX_MINUTES),
        default=5.0,
        metavar="M",
        help="time between checkpoints (default: 5)",
    )
    add(
        "--mixed-precision",
        choices=PRECISIONS,
        default="auto",
        help="auto: bf16 where a GPU or the processor multiplies it itself (default: auto)",
    )
    add(
        "--compile",
        action="store_true",
        help="have PyTorch compile the WaveNet first: a minute or two, for faster steps after it; "
        "a processor needs a C++ compiler for it",
    )
    add(
        "--model",
        metavar="MODEL",
        help="for --stage prior: a trained model to copy into OUT (default: the one of the run)",
    )
    add("--quiet", action="store_true", help="no progress bar, no lines but warnings")
    add_device(parser)
    add_seed(parser, LARGEST_SEED)


def run(args: argparse.Namespace) -> None:
    if LAUNCHED in os.environ:  # by a launcher that is this process's parent
        signal_parents_end(signal.SIGTERM)
    config = with_steps(load_preset(args.config), dict(args.steps))
    with_prior = PRIOR in (args.stages or ())
    if with_prior and len(args.stages) > 1:
        raise InputError("the stage 'prior' goes alone, once the others are done")
    if args.model is not None and not with_prior:
        raise InputError("--model is for --stage prior; continue a run with --out and --resume")
    if args.init is not None and with_prior:
        raise InputError("--init is not for --stage prior, which is fitted to codes from nothing")
    if args.teacher is not None and with_prior:
        raise InputError("--teacher is not for --stage prior: the codes are there already")
    if args.compile and with_prior:
        raise InputError("--compile is not for --stage prior, which has no WaveNet")
    for stage in args.stages or ():
        if not with_prior:
            config.training.stage(stage)
    if any(find_spec(package) is None for package in EXTRA):
        raise InputError("training needs the extra: pip install 'vqspeech[train]'")
    from vqspeech.checkpoint.model import check_replaceable
    from vqspeech.training.folder import MODEL_FOLDER
    from vqspeech.training.loop import train
    from vqspeech.training.run import Options

    check_outputs([Path(args.out, CONFIG_FILE)], advice="name another --out")
    check_replaceable(Path(args.out, MODEL_FOLDER))
    options = Options(
        data=Path(args.data),
        out=Path(args.out),
        stages=args.stages,
        resume=args.resume,
        init=args.init,
        teacher=args.teacher,
        max_minutes=args.max_minutes,
        save_minutes=args.save_minutes,
        device=args.device,
        mixed_precision=args.mixed_precision,
        seed=args.seed,
        compile=args.compile,
        quiet=args.quiet,
    )
    if with_prior:
        from vqspeech.training.fit_prior import fit_prior

        fit_prior(config, options, args.model)
    else:
        train(config, options)


def with_steps(config: Config, steps: dict[str, int]) -> Config:
    """`config` with other numbers of steps for the stages named. Raises InputError."""
    prior = config.prior
    for name in steps:
        if name == PRIOR and prior is not None:
            prior = dataclasses.replace(prior, steps=steps[name])
        else:
            config.training.stage(name)
    stages = tuple(
        dataclasses.replace(stage, steps=steps.get(stage.name, stage.steps))
        for stage in config.training.stages
    )
    training = dataclasses.replace(config.training, stages=stages)
    return dataclasses.replace(config, training=training, prior=prior)


def stage_steps(text: str) -> tuple[str, int]:
    """The stage and the steps of STAGE=N; for argparse."""
    name, _, number = text.partition("=")
    if not name or not number:
        raise argparse.ArgumentTypeError(f"{text!r} is not STAGE=N, such as codes=6000")
    return name, whole(1, MAX_STEPS)(number)
