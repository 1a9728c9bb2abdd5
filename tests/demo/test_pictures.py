import base64
import io
import re

import numpy as np
from tones import vowel

from vqspeech.demo.pictures import Panel, code_colours, picture


def images(html):
    from PIL import Image

    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(text)))) for text in found]


def test_a_picture_has_panels_pitch_and_codes():
    wave, colours = vowel(1.0, 200.0), code_colours(np.random.default_rng(0).normal(size=(8, 4)))
    indices = np.array([0, 1, 7, 7, 2])
    html = picture(
        [Panel("<source>", wave), Panel("result", np.zeros(8000, "f4"))],
        indices,
        colours[indices],
    )
    assert html.count("<figure") == 3 and "&lt;source&gt;" in html and "<source>" not in html
    assert "no pitch found" in html and "<polyline" in html
    median = int(re.search(r"median pitch (\d+) Hz", html)[1])
    assert abs(median - 200) < 6
    np.testing.assert_array_equal(images(html)[-1], colours[indices][None])
    assert "codes<span>5 codes, 4 different" in html
    several = picture([Panel("x", wave)], np.stack([indices, 0 * indices]), colours[indices])
    assert "codes of the first of 2 levels<span>5 codes, 4 different" in several


def test_near_codes_have_near_colours():
    line = np.linspace(0, 1, 32)[:, None] * np.array([[1.0, 0.5, 0.0, 0.0]])
    colours = code_colours(line + 1e-9 * np.random.default_rng(0).normal(size=line.shape))
    main = colours[:, 0].astype(int)
    steps = np.diff(main)
    assert (steps > 0).all() or (steps < 0).all()
    assert code_colours(np.ones((4, 2))).shape == (4, 3)
