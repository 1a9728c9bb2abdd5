"""The loss of a stage, and the parameters that its gradients reach."""

import dataclasses

import pytest
import torch

from vqspeech.nn.vqvae import VQVAE, Losses
from vqspeech.training.objective import step_figures, total_loss, trained_parameters

STAGES = ("codes", "waveform", "joint")


def with_update(config, update):
    quantizer = dataclasses.replace(config.quantizer, update=update)
    return dataclasses.replace(config, quantizer=quantizer)


def parts_of(names):
    return {name.split(".")[0] for name in names}


@pytest.mark.parametrize("update", ["ema", "gradient"])
@pytest.mark.parametrize("name", STAGES)
def test_gradients_reach_exactly_the_trained_parameters(config, name, update):
    config = with_update(config, update)
    stage = config.training.stage(name)
    model = VQVAE(config, 2).train()
    wave, speakers = 0.1 * torch.randn(2, 20 * config.hop), torch.tensor([0, 1])
    model(wave, speakers, with_decoder=False)  # initialises the codes
    chosen = trained_parameters(model, stage)
    losses = model(wave, speakers, freeze_codes=name == "waveform", with_decoder=name != "codes")
    total_loss(config, stage, losses).backward()
    ids = {id(parameter) for parameter in chosen}
    assert len(ids) == len(chosen)
    reached, wanted = set(), set()
    for key, parameter in model.named_parameters():
        assert parameter.requires_grad == (id(parameter) in ids), key
        if parameter.grad is not None and bool(parameter.grad.any()):
            reached.add(key)
        if id(parameter) in ids:
            wanted.add(key)
    assert reached == wanted
    expected = {"speakers", "conditioning"}
    expected |= {"encoder"} if name != "waveform" else set()
    expected |= {"decoder"} if name != "codes" else set()
    expected |= {"quantizer"} if name != "waveform" and update == "gradient" else set()
    assert parts_of(reached) == expected


def test_stages_take_one_another_over(config):
    model = VQVAE(config, 2)
    everything = {id(p) for p in trained_parameters(model, config.training.stage("joint"))}
    codes = {id(p) for p in trained_parameters(model, config.training.stage("codes"))}
    waveform = {id(p) for p in trained_parameters(model, config.training.stage("waveform"))}
    assert codes | waveform == everything and codes - waveform and waveform - codes


def made_up(nats=1.0, mel=10.0):
    def number(value):
        return None if value is None else torch.tensor(value)

    return Losses(
        number(nats), torch.tensor(100.0), torch.tensor(1000.0), number(mel), torch.ones(4)
    )


@pytest.mark.parametrize(
    ("name", "update", "wanted"),
    [
        ("codes", "ema", 2 * 10 + 0.25 * 1000),
        ("codes", "gradient", 2 * 10 + 0.25 * 1000 + 100),
        ("waveform", "ema", 1 + 2 * 10),
        ("waveform", "gradient", 1 + 2 * 10),
        ("joint", "ema", 1 + 2 * 10 + 0.25 * 1000),
        ("joint", "gradient", 1 + 2 * 10 + 0.25 * 1000 + 100),
    ],
)
def test_total_is_the_three_terms_of_the_paper_and_the_auxiliary_one(config, name, update, wanted):
    training = dataclasses.replace(config.training, auxiliary_weight=2.0)
    config = with_update(dataclasses.replace(config, training=training), update)
    losses = made_up(nats=None if name == "codes" else 1.0)
    assert float(total_loss(config, config.training.stage(name), losses)) == wanted


def test_total_without_the_auxiliary_term(config):
    config = with_update(config, "gradient")
    stage = config.training.stage("joint")
    assert float(total_loss(config, stage, made_up(mel=None))) == 1 + 0.25 * 1000 + 100


def test_figures_are_numbers_of_the_terms_there_are():
    figures = step_figures(made_up(nats=None), torch.tensor(7.0))
    assert figures == pytest.approx(
        {"mel": 10, "codebook": 100, "commitment": 1000, "perplexity": 4, "gradient_norm": 7}
    )
    assert set(step_figures(made_up(), torch.tensor(0.0))) == set(figures) | {"nats"}
