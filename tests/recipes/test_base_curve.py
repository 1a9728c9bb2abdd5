"""recipes/base/curve.py: one curve over all runs of a WaveNet."""

import json
import sys

import pytest

from vqspeech.errors import InputError


def run_of(folder, steps, start, valid, seconds=2.0, stage="waveform"):
    """A run's folder with a line every 50 `steps` of a log, of so many seconds a step, and `valid`
    figures at some of them."""
    folder.mkdir()
    found = []
    for step in steps:
        line = {"stage": stage, "step": step, "time": start + seconds * (step - steps[0])}
        found.append({"kind": "train", "nats": 4.0} | line)
        if step in valid:
            nats = {"nats_per_step": valid[step], "nats_per_step_shuffled": 20.0, "mel": 0.4}
            found.append({"kind": "valid"} | line | {"time": line["time"] + 0.5} | nats)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in found))
    return folder


@pytest.fixture
def curve(base_script, tmp_path, monkeypatch, capfd):
    """curve(*arguments): the committed log's lines after the script's run, and what it printed."""
    script, log = base_script("curve"), tmp_path / "learning.jsonl"

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["curve.py", *map(str, arguments), "--log", str(log)])
        script.main()
        return script.lines(log), capfd.readouterr().out

    return run


def test_steps_and_hours_are_counted_on(curve, tmp_path):
    steps = range(50, 301, 50)
    first = run_of(tmp_path / "first", steps, 1000, {150: 17.0, 300: 16.5})
    second = run_of(tmp_path / "second", steps, 90_000, {300: 16.0}, seconds=4.0)
    known, said = curve(first, second)
    assert [line["steps"] for line in known] == [150, 300, 600]
    assert [line["nats_per_step"] for line in known] == [17.0, 16.5, 16.0]
    hours = [150 * 2 / 3600, 300 * 2 / 3600, (300 * 2 + 300 * 4) / 3600]
    assert [line["hours"] for line in known] == pytest.approx(hours, abs=1e-3)
    assert "| 600 | 0.50 | 16.000 | 20.000 |  |" in said


def test_a_run_that_went_on_adds_what_is_new(curve, tmp_path):
    folder = tmp_path / "run"
    run_of(folder, range(50, 301, 50), 1000, {150: 17.0, 300: 16.5})
    before, _ = curve(folder)
    (folder / "log.jsonl").unlink()
    folder.rmdir()
    run_of(folder, range(50, 601, 50), 1000, {150: 17.0, 300: 16.5, 600: 16.1})
    after, _ = curve(folder)
    assert after[:2] == before and [line["steps"] for line in after] == [150, 300, 600]
    assert curve(folder)[0] == after, "nothing twice"
    assert curve()[0] == after, "and without a run it is what it was"


def test_pauses_and_steps_done_again_are_no_hours(curve, tmp_path):
    run = run_of(tmp_path / "run", range(50, 201, 50), 1000, {200: 17.0})
    log = run / "log.jsonl"
    later = run_of(tmp_path / "later", range(150, 401, 50), 50_000, {400: 16.0}) / "log.jsonl"
    log.write_text(log.read_text() + later.read_text())  # stopped after 200, resumed from 100
    known, _ = curve(run)
    assert [line["steps"] for line in known] == [200, 400]
    assert [line["hours"] for line in known] == pytest.approx([400 / 3600, 800 / 3600], abs=1e-3)


def test_nats_under_the_recordings_envelope_stand_beside_the_others(curve, tmp_path):
    first = run_of(tmp_path / "first", range(50, 301, 50), 1000, {300: 16.5})
    second = run_of(tmp_path / "second", range(50, 301, 50), 90_000, {300: 17.5})
    log = second / "log.jsonl"
    log.write_text(log.read_text().replace('"mel"', '"nats_per_step_own": 15.25, "mel"'))
    known, said = curve(first, second)
    assert [line.get("nats_per_step_own") for line in known] == [None, 15.25]
    assert "| 300 | 0.17 | 16.500 | 20.000 |  |" in said
    assert "| 600 | 0.33 | 17.500 | 20.000 | 15.250 |" in said


def test_what_is_no_such_run_is_refused(curve, tmp_path):
    codes = run_of(tmp_path / "codes", range(50, 101, 50), 0, {100: 17.0}, stage="codes")
    with pytest.raises(InputError, match="no figures of stage waveform"):
        curve(codes)
    with pytest.raises(InputError, match="no figures of stage waveform"):
        curve(tmp_path / "nowhere")
    (codes / "log.jsonl").write_text("{")
    with pytest.raises(InputError, match="no log of JSON lines"):
        curve(codes)
    with pytest.raises(InputError, match="has nothing yet"):
        curve()
    assert not (tmp_path / "learning.jsonl").exists()


def test_the_committed_curve_and_its_picture(base_script, tmp_path):
    script = base_script("curve")
    known = script.lines(script.LOG)
    steps, hours = ([line[name] for line in known] for name in ("steps", "hours"))
    assert len(known) > 5 and steps == sorted(steps) and hours == sorted(hours)
    pytest.importorskip("matplotlib")
    made = [tmp_path / "one" / "learning.svg", tmp_path / "two" / "learning.svg"]
    for path in made:
        path.parent.mkdir()
        script.picture(known, path)
    assert made[0].read_bytes() == made[1].read_bytes() and b"<svg" in made[0].read_bytes()
    assert b"recording's envelope" in made[0].read_bytes()
    script.picture([line for line in known if script.OWN not in line], made[0])
    assert b"recording's envelope" not in made[0].read_bytes(), "none of these learned so"
