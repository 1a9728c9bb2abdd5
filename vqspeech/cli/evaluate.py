"""Measure a model on recordings: encode, decode free-running, convert, compare with the original.

Every recording is decoded with its own speaker's identity where the model has it, else in its own
voice where the model has a speaker encoder; converted to another voice of the model, and to one of
which it hears 5 s only; and sent through other codecs where their programs are installed. The
report goes to stdout as Markdown, and with --out to DIR/report.md, report.json and report.html:
one page, with plots, spectrograms and players.
"""

import argparse

from vqspeech.cli import options
from vqspeech.cli.output import files_bar, say
from vqspeech.cli.overwriting import add_force, check_outputs

MAX_JOBS = 1024
MAX_SEEDS = 64
MAX_STRANGERS = 1_000
LISTEN = 4
"""Recordings that the page lets hear."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    options.add_corpus(parser)
    add(
        "--methods",
        type=options.names,
        metavar="A,B",
        help="of original, preview, wavenet, wavenet-unfiltered (before its post-filter), "
        "convert-preview, convert-wavenet, convert-wavenet-unfiltered, convert-unseen-preview, "
        "convert-unseen-wavenet, convert-unseen-wavenet-unfiltered, codec2-700c, codec2-1300, "
        "codec2-3200, speex-2150, opus-6000 (default: all that can be run here)",
    )
    add(
        "--metrics",
        type=options.names,
        metavar="A,B",
        help="of dnsmos, words, speaker, f0, mel, estoi, pesq, visqol (default: all)",
    )
    add(
        "--recogniser",
        type=options.names,
        metavar="A,B",
        help="who hears the words, of pocketsphinx and whisper, each with rows of its own "
        "(default: pocketsphinx, and whisper with --whisper)",
    )
    add(
        "--whisper",
        metavar="DIR",
        help="Whisper's model, in CTranslate2's format: a folder, or a name on the hub (default: "
        "base)",
    )
    add(
        "--speaker",
        metavar="NAME",
        help="the voice for speakers that the model does not know (default: their own, as a .vqs "
        "file keeps it; without a speaker encoder `other`, else the model's first voice)",
    )
    options.add_bitrate(
        parser,
        "bit/s to encode at, one that the model has (default: the lowest); conversion is always "
        "from the lowest",
    )
    add(
        "--refine",
        action=argparse.BooleanOptionalAction,
        help="refine these own voices, as `vqspeech encode` does of one recording (the default)",
    )
    add(
        "--search",
        action=argparse.BooleanOptionalAction,
        help="search the codes, as `vqspeech encode` does of one recording, and `vqspeech convert` "
        "(the default, of a model that can)",
    )
    add(
        "--targets",
        type=options.names,
        metavar="A,B",
        help="voices to convert to, with recordings in the corpus (default: up to three women and "
        "three men)",
    )
    add(
        "--unseen-targets",
        type=options.whole(0, MAX_STRANGERS),
        metavar="N",
        help="convert to N voices of the corpus too that the model never heard, from 5 s of each: "
        "no speakers of the model or of a split train... (default: 12 with a speaker encoder)",
    )
    add(
        "--seeds",
        type=options.whole(1, MAX_SEEDS),
        default=1,
        metavar="N",
        help="sample everything with N seeds from --seed on, and print the spread over them",
    )
    add(
        "--temperature",
        type=options.real(0.0, 2.0),
        metavar="T",
        help="of the WaveNet's sampling (default: the model's own)",
    )
    add(
        "--jobs",
        type=options.whole(0, MAX_JOBS),
        default=2,
        metavar="N",
        help="processes that compute metrics; 0: none beside the decoder's (default: 2)",
    )
    add("--out", metavar="DIR", help="folder for the three files of the report")
    add_force(parser)
    options.add_model(parser)
    options.add_device(parser)
    options.add_seed(parser)


def run(args: argparse.Namespace) -> None:
    from vqspeech.data.corpus import find_utterances
    from vqspeech.evaluation.metrics import recognisers
    from vqspeech.evaluation.metrics.table import GROUPS
    from vqspeech.evaluation.plan import Corpus, Plan
    from vqspeech.evaluation.report.markdown import markdown
    from vqspeech.evaluation.report.save import FILES, save
    from vqspeech.evaluation.runner import evaluate
    from vqspeech.evaluation.transcripts import read_transcripts
    from vqspeech.files import make_folder
    from vqspeech.synthesis.options import Synthesis

    manifest, found = options.corpus(args)
    transcripts = {} if manifest is None else read_transcripts(manifest)
    hearing, note = recognisers.choose(args.recogniser, args.whisper)
    if note is not None:
        say(note)
    plan = Plan(
        methods=args.methods,
        groups=args.metrics or GROUPS,
        speaker=args.speaker,
        targets=args.targets,
        unseen_targets=args.unseen_targets,
        synthesis=Synthesis(args.seed, args.temperature),
        seeds=args.seeds,
        recognisers=hearing,
        refine=args.refine,
        bitrate=args.bitrate,
        search=args.search,
    )
    if args.out is not None:
        folder = make_folder(args.out)  # refused before the work, not after it
        read = [utterance.path for utterance in found]
        read += [] if args.speaker is None else [args.speaker]
        check_outputs([folder / name for name in FILES], read, args.force)
    from vqspeech.codec import Codec

    report = evaluate(
        Codec.from_pretrained(args.model, device=args.device),
        # Voices of every split: only to compare with.
        Corpus(found, transcripts, find_utterances(args.data, manifest)),
        plan,
        jobs=args.jobs,
        listen=min(LISTEN, len(found)) if args.out is not None else 0,
        progress=files_bar,
    )
    print(markdown(report), end="")
    for path in save(report, args.out) if args.out is not None else ():
        say(f"wrote {path}")
