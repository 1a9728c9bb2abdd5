"""What the codes of a model know of phonemes (van den Oord et al. 2017, section 4.3).

Every code is taken for the phoneme that it has most often on one half of the recordings, and judged
on the other. Phonemes come from a folder of alignments, or are aligned to the manifest's
transcripts with pocketsphinx (US English). The report goes to stdout as Markdown, and with --out to
DIR/phonemes.md and DIR/phonemes.json.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vqspeech.cli.options import add_corpus, add_device, add_model, add_seed, corpus
from vqspeech.cli.output import files_bar, say
from vqspeech.cli.overwriting import add_force, check_outputs
from vqspeech.errors import InputError

if TYPE_CHECKING:
    from vqspeech.data.corpus import Utterance


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add_corpus(parser)
    add(
        "--alignments",
        metavar="DIR",
        help="folder of <speaker>/<utterance> or <utterance> .TextGrid (tier `phones`), .phn or "
        ".lab (default: forced alignment of the transcripts)",
    )
    add(
        "--out",
        metavar="DIR",
        help="folder for phonemes.md, phonemes.json and, where they were made, alignments/",
    )
    add_force(parser)
    add_model(parser)
    add_device(parser)
    add_seed(parser)


def run(args: argparse.Namespace) -> None:
    from vqspeech.files import make_folder

    manifest, found = corpus(args)
    if args.out is not None:
        _check_outputs(args, found)
    align = _aligner(args, manifest)
    if args.out is not None:
        make_folder(args.out)  # refused before the work, not after it
    from vqspeech.codec import Codec
    from vqspeech.evaluation.phonemes.run import measure_phonemes

    codec = Codec.from_pretrained(args.model, device=args.device)
    report = measure_phonemes(
        codec, found, align, aligned_by=align.about, seed=args.seed, progress=files_bar
    )
    print(report.to_markdown(), end="")
    for path in report.save(args.out) if args.out is not None else ():
        say(f"wrote {path}")


def _check_outputs(args: argparse.Namespace, found: Sequence["Utterance"]) -> None:
    """Raises InputError before any work is begun."""
    from vqspeech.evaluation.phonemes.alignment import saved_alignment
    from vqspeech.evaluation.phonemes.report import JSON_FILE, MARKDOWN_FILE

    outputs = [Path(args.out, name) for name in (MARKDOWN_FILE, JSON_FILE)]
    if args.alignments is None:
        outputs += [saved_alignment(_alignments(args), utterance) for utterance in found]
    check_outputs(outputs, [utterance.path for utterance in found], args.force)


def _alignments(args: argparse.Namespace) -> Path:
    """Where alignments that are made here are kept."""
    return Path(args.out, "alignments")


def _aligner(args: argparse.Namespace, manifest: str | Path | None):
    """What gives the alignment of an utterance. Raises InputError."""
    if args.alignments is not None:
        from vqspeech.evaluation.phonemes.alignment import AlignmentFolder

        return AlignmentFolder(args.alignments)
    from vqspeech.evaluation.phonemes.forced_alignment import TranscriptAligner
    from vqspeech.evaluation.transcripts import read_transcripts

    transcripts = {} if manifest is None else read_transcripts(manifest)
    if not transcripts:
        raise InputError(
            f"{manifest or args.data}: has no transcripts to align; name a --manifest with the "
            "column transcript, or a folder of --alignments"
        )
    keep = None if args.out is None else _alignments(args)
    return TranscriptAligner(transcripts, keep)
