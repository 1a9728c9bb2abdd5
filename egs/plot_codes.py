"""Draw a recording, what its codes decode to, pitch and codes: a page for any browser.

python egs/plot_codes.py egs/sentence.flac libri-19 picture.html     (pip install '.[demo]')
"""

import sys
from pathlib import Path

from vqspeech import Codec, audio
from vqspeech.demo.pictures import CSS, Panel, code_colours, picture


def main(source: str, speaker: str, target: str) -> None:
    codec, wave = Codec.from_pretrained(), audio.read(source)
    codes = codec.encode(wave)
    panels = [Panel(source, wave), Panel(speaker, codec.decode(codes, speaker, preview=True))]
    colours = code_colours(codec.model.quantizer.codebook.numpy(force=True))
    strip = colours[codec.codebook_rows(codes)]
    page = f'<meta charset="utf-8"><style>{CSS}</style>{picture(panels, codes.indices, strip)}'
    Path(target).write_text(page, encoding="utf-8")
    print(f"{target}: {codes.frames} codes of {codes.seconds:.2f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
