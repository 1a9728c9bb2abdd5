"""The examples run as they stand, with the shipped model and the sounds beside them."""

import importlib.util
import json
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile

from vqspeech import Codec

EGS = Path(__file__).parents[1] / "egs"
SENTENCE = EGS / "sentence.flac"


def run(name, *arguments):
    spec = importlib.util.spec_from_file_location(name, EGS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.main(*map(str, arguments))


def test_encode_folder(tmp_path, capsys):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "sentence.flac").symlink_to(SENTENCE)
    soundfile.write(tmp_path / "start.wav", soundfile.read(SENTENCE)[0][:16_000], 16_000)
    (tmp_path / "sentence.wav").write_text("no sound")
    run("encode_folder", tmp_path, tmp_path / "codes")
    assert np.load(tmp_path / "codes" / "sentence.flac.npy").shape == (225,)
    said = capsys.readouterr().out
    assert "sentence.flac: 4.50 s, 225 codes, 282 bytes\nleft out: " in said
    assert "start.wav: 1.00 s, 50 codes" in said


def test_convert_voice(tmp_path):
    run("convert_voice", SENTENCE, tmp_path / "out", "m")
    found = sorted((tmp_path / "out").iterdir())
    men = [voice.name for voice in Codec.from_pretrained().speaker_table if voice.gender == "m"]
    assert len(found) == 3 and {path.stem for path in found} <= set(men)
    assert all(soundfile.info(path).duration == pytest.approx(4.5) for path in found)


def test_continue_sentence(tmp_path, capsys):
    run("continue_sentence", SENTENCE, tmp_path / "out", "libri-19")
    waves = [soundfile.read(tmp_path / "out" / f"continued-{i}.wav")[0] for i in range(3)]
    assert [len(wave) for wave in waves] == [5 * 16_000] * 3
    assert all(np.sqrt(np.mean(wave[32_000:] ** 2)) > 1e-3 for wave in waves)
    assert not np.array_equal(waves[0][40_000:], waves[1][40_000:])
    assert "150 codes that nobody said" in capsys.readouterr().out


def test_plot_codes(tmp_path):
    run("plot_codes", SENTENCE, "libri-19", tmp_path / "picture.html")
    text = (tmp_path / "picture.html").read_text()
    assert text.count("<figure") == 3 and "<polyline" in text and ".vq-plot" in text


def test_notebook(monkeypatch):
    """All its cells in order, with few steps of training."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    heard, shown = [], types.ModuleType("IPython.display")
    shown.Audio = lambda wave, rate: heard.append((wave, rate))
    shown.display = lambda thing: None
    around = types.ModuleType("IPython")  # matplotlib asks it, too
    around.version_info, around.get_ipython = (9, 0), lambda: None
    monkeypatch.setitem(sys.modules, "IPython", around)
    monkeypatch.setitem(sys.modules, "IPython.display", shown)
    notebook = json.loads((EGS / "vqvae_from_the_paper.ipynb").read_text())
    cells = ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]
    assert sum("STEPS = 500" in cell for cell in cells) == 1
    names = {}
    for cell in cells:
        exec(compile(cell.replace("STEPS = 500", "STEPS = 12"), "cell", "exec"), names)
    matplotlib.pyplot.close("all")
    assert len(heard) == 4 and all(rate == 16_000 and len(wave) > 7000 for wave, rate in heard)
    likelihoods = [nats for nats, _ in names["log"]]
    assert len(likelihoods) == 12 and likelihoods[-1] < likelihoods[0] < np.log(256) + 0.1
