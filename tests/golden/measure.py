"""What the shipped model makes of the recordings in `sounds`: hashes of all of it, as one dict.

python tests/golden/measure.py > tests/golden/golden.json     # after a change that is meant
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))

import sounds

VOICE, TARGET = "libri-19", "libri-27"
SECONDS = 1.0
"""Of each recording that is decoded."""


def digest(array: np.ndarray) -> str:
    """16 hex digits that name an array's values and type."""
    about = f"{array.dtype} {list(array.shape)} ".encode()
    return hashlib.blake2b(about + np.ascontiguousarray(array).tobytes(), digest_size=8).hexdigest()


def arithmetic() -> str:
    """16 hex digits that differ between machines whose float arithmetic rounds otherwise.

    Products and exponentials of the sizes that the model has; where they agree, so do its samples.
    """
    rng = np.random.Generator(np.random.Philox(3))
    x = torch.from_numpy(rng.standard_normal((64, 640), dtype=np.float32))
    w = torch.from_numpy(rng.standard_normal((640, 384), dtype=np.float32))
    found = [x @ w, torch.tanh(x), torch.nn.functional.gelu(x), torch.fft.rfft(x).abs()]
    return digest(np.concatenate([tensor.numpy().ravel() for tensor in found]))


def measure() -> dict:
    """Hashes by recording; `arithmetic` says on which machines the samples are these."""
    import soundfile

    from vqspeech import Codec, Codes

    torch.set_num_threads(1)
    codec, found = Codec.from_pretrained(device="cpu"), {}
    speech, _ = soundfile.read(sounds.SPEECH, dtype="float32")
    for name, wave in {"speech": speech, **sounds.signals()}.items():
        codes = codec.encode(wave)
        frames = min(codes.frames, round(SECONDS * codec.frame_rate))
        start = Codes(codes.indices[:frames], min(codes.samples, frames * codes.hop), codes.hop)
        high = codec.encode(wave, bitrate=codec.bit_rates[-1])
        found[name] = one = {"codes": digest(codes.indices), "samples": codes.samples}
        one["all levels"] = digest(high.by_level)
        assert np.array_equal(high.by_level[0], codes.indices), "the first level hangs on others"
        for weights in ("int8", "float32"):
            one[weights] = digest(codec.decode(start, VOICE, weights=weights, postfilter=False))
        one["filtered"] = digest(codec.decode(start, VOICE))
        one["preview"] = digest(codec.decode(start, VOICE, preview=True))
        one["converted"] = digest(
            codec.convert(wave[: round(SECONDS * sounds.RATE)], speaker=TARGET)
        )
        one["bits per code"] = codec.bits_per_code(codes, VOICE)
        with tempfile.TemporaryDirectory() as folder:
            files = {"vqs": (codes, False), "packed": (codes, True), "high vqs": (high, False)}
            for kind, (said, packed) in files.items():
                path = Path(folder, f"{kind}.vqs")
                codec.save_vqs(said, path, VOICE, packed=packed)
                one[kind] = digest(np.frombuffer(path.read_bytes(), np.uint8))
    generated = codec.generate_codes(VOICE, 2.0, seed=5)
    return {"arithmetic": arithmetic(), "generated": digest(generated.indices), "sounds": found}


if __name__ == "__main__":
    json.dump(measure(), sys.stdout, indent=1)
    print()
