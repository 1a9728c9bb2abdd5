"""How long a run will take: what is left of it, and real steps that leave nothing in its folder."""

import dataclasses

import pytest
import tiny_whisper
from tiny_runs import CONFIG, with_stage

from vqspeech.config.model import from_dict
from vqspeech.errors import InputError
from vqspeech.training import timing
from vqspeech.training.fit_prior import fit_prior
from vqspeech.training.timing import StageLeft, run_left, step_seconds

PRIOR = {"residual_channels": 4, "skip_channels": 4, "layers": 2, "cycle": 2, "speaker_dim": 2}
PRIOR |= {"steps": 30, "batch": 2, "crop_frames": 8}


@pytest.fixture
def config():
    return from_dict(CONFIG | {"prior": PRIOR})


def taught(config):
    training = dataclasses.replace(config.training, perceptual_weight=0.5, perceptual_layers=2)
    return dataclasses.replace(config, training=training)


def test_what_is_left_of_a_run(runs, config):
    stages = [("codes", 12), ("waveform", 9), ("joint", 6), ("prior", 30)]
    all_of_them = [StageLeft(name, steps, 0) for name, steps in stages]
    assert run_left(config, runs.options()) == all_of_them
    runs.stop_after(16)
    runs.train(config)
    left = run_left(config, runs.options())
    assert left == [StageLeft("waveform", 9, 4), *all_of_them[2:]]
    assert [stage.left for stage in left] == [5, 6, 30]
    longer = with_stage(config, "waveform", steps=100)
    assert run_left(longer, runs.options())[0].left == 96
    runs.go_on()
    runs.train(config, resume=True)
    assert run_left(config, runs.options()) == all_of_them[3:]
    fit_prior(config, runs.options())
    assert run_left(config, runs.options()) == []


def test_another_teacher_is_refused_before_anything_is_timed(runs, config, tmp_path):
    teachers = [tiny_whisper.folder_of(tmp_path / name, seed=i) for i, name in enumerate("ab")]
    runs.stop_after(2)
    runs.train(taught(config), teacher=str(teachers[0]))
    run_left(taught(config), runs.options(teacher=str(teachers[0])))
    with pytest.raises(InputError, match="b is another"):
        run_left(taught(config), runs.options(teacher=str(teachers[1])))
    with pytest.raises(InputError, match="none is given"):
        run_left(taught(config), runs.options())
    with pytest.raises(InputError, match="asks nothing of a teacher"):
        run_left(config, runs.options("new", teacher=str(teachers[0])))


@pytest.mark.parametrize("first", ["codes", "waveform", "prior"])
def test_steps_of_what_is_left_are_timed(runs, config, first, monkeypatch):
    taken = []
    monkeypatch.setattr(timing, "LEAST_STEPS", 2)
    left = [StageLeft("codes", 12, 0), StageLeft("waveform", 9, 4), StageLeft("prior", 30, 0)]
    left = left[[stage.name for stage in left].index(first) :]
    for name, seconds in step_seconds(config, runs.options(), left, 1e-9):
        assert seconds > 0
        taken.append(name)
    assert taken == [stage.name for stage in left]
    assert not (runs.root / "run" / "state.safetensors").exists()


def test_no_more_steps_are_timed_than_there_are_to_do():
    taken = []
    timing._Clock(1e9, 7).mean(lambda: taken.append(1))
    assert len(taken) == timing.WARM_UP + 7
    timing._Clock(1e9, 1).mean(lambda: taken.append(1))
    assert len(taken) == 2 * timing.WARM_UP + 7 + timing.LEAST_STEPS
