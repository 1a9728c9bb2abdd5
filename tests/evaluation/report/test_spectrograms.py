import base64
import io
from importlib import import_module

import numpy as np

from vqspeech.evaluation.report import pictures
from vqspeech.evaluation.report.pictures import spectrogram


def test_a_spectrogram_is_light_where_the_sound_is():
    time = np.arange(16_000) / 16_000
    pixels = spectrogram(0.1 * np.sin(2 * np.pi * 2000 * time).astype(np.float32))
    assert pixels.shape == (pictures.HEIGHT, 101, 3) and pixels.dtype == np.uint8
    rows = pixels.sum((1, 2))
    assert abs(np.argmax(rows) - pictures.HEIGHT * 3 // 4) <= 1  # 2 of 8 kHz from the bottom
    assert rows[10] < rows.max() / 3


def test_long_recordings_make_no_wider_picture():
    assert spectrogram(np.zeros(16_000 * 30, "f4")).shape[1] == pictures.MAX_WIDTH


def test_an_image_is_inside_its_address():
    image = import_module("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 255, (4, 5, 3), dtype=np.uint8)
    kind, _, content = pictures.image(pixels, "PNG").partition(";base64,")
    assert kind == "data:image/png"
    np.testing.assert_array_equal(image.open(io.BytesIO(base64.b64decode(content))), pixels)
