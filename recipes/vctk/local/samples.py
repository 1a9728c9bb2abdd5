"""Stage 5: a few held-out utterances through the model, to listen to.

    python recipes/vctk/local/samples.py MANIFEST MODEL OUT [--number 3]

For each: the original, its codes decoded in its own voice and in another one, and the preview
(Griffin-Lim). Free-running always. Does nothing where OUT has them from this model already.
"""

import argparse
import sys
from pathlib import Path

from vqspeech import Codec
from vqspeech.audio.reading import read
from vqspeech.audio.writing import write
from vqspeech.data.corpus import Utterance, find_utterances
from vqspeech.errors import InputError
from vqspeech.files import below, make_folder

LIST = "samples.tsv"
SPLITS = ("eval-seen", "eval-unseen")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--number", type=int, default=3, help="of each split (default: 3)")
    parser.add_argument("--device", default="auto")
    args = parser.parse_args()
    try:
        codec = Codec.from_pretrained(args.model, device=args.device)
        print(write_samples(codec, choose(args.manifest, args.number), args.out))
    except (InputError, OSError) as error:
        print(f"samples.py: error: {error}", file=sys.stderr)
        return 2
    return 0


def choose(manifest: Path, number: int) -> list[Utterance]:
    """`number` utterances of each split, spread over its speakers."""
    chosen = []
    for split in SPLITS:
        try:
            found = find_utterances(manifest.parent, manifest, [split])
        except InputError:  # a subset may have none
            continue
        count = min(number, len(found))
        chosen += [found[i * len(found) // count] for i in range(count)]
    return chosen


def write_samples(codec: Codec, utterances: list[Utterance], out: Path) -> str:
    """Decode all; the list of files, written last, names the model. Raises InputError, OSError."""
    lines = [f"# model {codec.fingerprint}"] + [f"{u.speaker}\t{u.name}" for u in utterances]
    content = "\n".join(lines) + "\n"
    listed = out / LIST
    if listed.exists() and listed.read_text() == content:
        return f"nothing to do: {out} has samples of this model"
    out.mkdir(parents=True, exist_ok=True)
    listed.unlink(missing_ok=True)
    for utterance in utterances:
        row = codec.speakers.index(utterance.speaker) if utterance.speaker in codec.speakers else 0
        own = codec.speakers[row]
        other = codec.speakers[(row + len(codec.speakers) // 2) % len(codec.speakers)]
        codes = codec.encode_file(utterance.path)

        def place(kind: str, name: str = utterance.name) -> Path:
            return below(out, name, suffix=f"-{kind}.wav")

        make_folder(place("original").parent)
        write(place("original"), read(utterance.path, quiet=True))
        codec.decode_file(codes, place(f"as-{own}"), own)
        codec.decode_file(codes, place(f"as-{own}-preview"), own, preview=True)
        if other != own:
            codec.decode_file(codes, place(f"as-{other}"), other)
    listed.write_text(content)
    return f"wrote samples of {len(utterances)} utterances to {out}"


if __name__ == "__main__":
    sys.exit(main())
