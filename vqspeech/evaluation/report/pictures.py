"""Spectrograms as pixels, and pixels as addresses that a page can hold. No plotting library."""

import base64
import io

import numpy as np

HEIGHT = 128
"""Rows of a spectrogram: 0 to 8 kHz."""
MAX_WIDTH = 1_200
FFT, HOP = 512, 160
RANGE_DB = 70.0
COLOURS = ((9, 8, 24), (54, 22, 92), (132, 38, 110), (208, 66, 84), (246, 141, 74), (252, 243, 196))
"""From silence to the loudest: darker to lighter in every kind of colour vision."""


def spectrogram(wave: np.ndarray) -> np.ndarray:
    """Colours uint8 [HEIGHT, <= MAX_WIDTH, 3] of the spectrum of `wave` [T], low at the bottom."""
    padded = np.pad(wave, (FFT // 2, FFT))
    frames = np.lib.stride_tricks.sliding_window_view(padded, FFT)[::HOP]
    frames = frames[: 1 + len(wave) // HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FFT).astype(np.float32), axis=1)) ** 2
    power = power[:, : FFT // 2].reshape(len(power), HEIGHT, -1).mean(2)
    edges = np.linspace(0, len(power), min(len(power), MAX_WIDTH) + 1).astype(int)[:-1]
    power = np.add.reduceat(power, edges) / np.diff(np.append(edges, len(power)))[:, None]
    level = 10 * np.log10(np.maximum(power.T[::-1], 1e-12))
    share = np.clip((level - max(level.max(), -40.0)) / RANGE_DB + 1, 0, 1)
    places = np.linspace(0, 1, len(COLOURS))
    table = np.array(COLOURS, float)
    return np.stack([np.interp(share, places, table[:, c]) for c in range(3)], 2).astype(np.uint8)


def data_address(kind: str, content: bytes) -> str:
    """An address that holds `content` of the media type `kind`."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def image(pixels: np.ndarray, kind: str) -> str:
    """A data address of an image uint8 [H, W, 3]; kind: "PNG" or "WEBP"."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=82)
    return data_address(f"image/{kind.lower()}", file.getvalue())
