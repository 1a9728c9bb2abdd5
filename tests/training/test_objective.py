"""The loss of a stage, and the parameters that its gradients reach."""

import dataclasses

import pytest
import torch

from vqspeech.nn.batch import Batch, Losses
from vqspeech.nn.vqvae import VQVAE
from vqspeech.training.objective import step_figures, total_loss, trained_parameters

STAGES = ("codes", "waveform", "joint")


def with_update(config, update):
    quantizer = dataclasses.replace(config.quantizer, update=update)
    return dataclasses.replace(config, quantizer=quantizer)


def parts_of(names):
    return {name.split(".")[0] for name in names}


CROPS = 12
"""Enough that some have the speaker's identity and some the speaker encoder's vector."""


def batch_for(config, phonemes=True):
    """Crops with whatever the model of `config` is trained on, half of it voiced and known."""
    wave, f0, labels, reference = 0.1 * torch.randn(CROPS, 20 * config.hop), None, None, None
    if config.conditioning.pitch_head:
        f0 = torch.empty(CROPS, wave.shape[1] // 160).uniform_(80, 300)
        f0[:, ::2] = 0
    if config.conditioning.phoneme_head and phonemes:
        labels = torch.randint(0, 40, (CROPS, 20))
        labels[:, ::2] = -1
    if config.speaker_encoder is not None:
        reference = 0.1 * torch.randn(CROPS, config.reference_samples)
    return Batch(wave, torch.arange(CROPS) % 2, f0, labels, reference)


def assert_gradients_reach_exactly_what_is_trained(config, name, phonemes=True):
    """Returns the parts of the model that they reach."""
    stage = config.training.stage(name)
    model, batch = VQVAE(config, 2).train(), batch_for(config, phonemes)
    model(batch, with_decoder=False)  # initialises the codes
    chosen = trained_parameters(model, stage, phonemes)
    losses = model(batch, freeze_codes=name == "waveform", with_decoder=name != "codes")
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
    return parts_of(reached)


@pytest.mark.parametrize("update", ["ema", "gradient"])
@pytest.mark.parametrize("name", STAGES)
@pytest.mark.parametrize("kind", ["config", "everything"])
def test_gradients_reach_exactly_the_trained_parameters(kind, name, update, request):
    config = with_update(request.getfixturevalue(kind), update)
    expected = {"speakers", "conditioning"}
    expected |= {"encoder"} if name != "waveform" else set()
    expected |= {"decoder"} if name != "codes" else set()
    expected |= {"quantizer"} if name != "waveform" and update == "gradient" else set()
    expected |= {"phoneme_head"} if name != "waveform" and kind == "everything" else set()
    expected |= {"speaker_encoder"} if kind == "everything" else set()
    assert assert_gradients_reach_exactly_what_is_trained(config, name) == expected


@pytest.mark.parametrize("name", STAGES)
def test_without_phonemes_what_reads_them_is_frozen(everything, name):
    """Else processes of one run would wait for its gradient."""
    reached = assert_gradients_reach_exactly_what_is_trained(everything, name, phonemes=False)
    assert "phoneme_head" not in reached and "conditioning" in reached


def test_the_new_terms_reach_what_they_are_for(everything):
    """Each alone: pitch the whole way to the encoder, phonemes all but the speaker's side."""
    for term, expected in (
        ("pitch", {"encoder", "conditioning", "speakers", "speaker_encoder"}),
        ("phonemes", {"encoder", "phoneme_head"}),
    ):
        model, batch = VQVAE(everything, 2).train(), batch_for(everything)
        model(batch, with_decoder=False)
        trained_parameters(model, everything.training.stage("codes"))
        getattr(model(batch, with_decoder=False), term).backward()
        reached = {
            key
            for key, parameter in model.named_parameters()
            if parameter.grad is not None and bool(parameter.grad.any())
        }
        assert parts_of(reached) == expected, term


def test_stages_take_one_another_over(config):
    model = VQVAE(config, 2)
    everything = {id(p) for p in trained_parameters(model, config.training.stage("joint"))}
    codes = {id(p) for p in trained_parameters(model, config.training.stage("codes"))}
    waveform = {id(p) for p in trained_parameters(model, config.training.stage("waveform"))}
    assert codes | waveform == everything and codes - waveform and waveform - codes


def test_a_wavenet_learns_alone_where_conditioning_stands_still(everything):
    stage = dataclasses.replace(everything.training.stage("waveform"), conditioning=0.0)
    model, batch = VQVAE(everything, 2).train(), batch_for(everything)
    model(batch, with_decoder=False)  # initialises the codes
    chosen = trained_parameters(model, stage)
    assert {id(p) for p in chosen} == {id(p) for p in model.decoder.parameters()}
    total_loss(everything, stage, model(batch, freeze_codes=True)).backward()
    reached = {key for key, p in model.named_parameters() if p.grad is not None}
    assert parts_of(reached) == {"decoder"}


def test_the_waveform_stage_leaves_the_phonemes_alone(everything):
    stages = everything.training.stages
    reading = {}
    for stage in stages:
        model = VQVAE(everything, 2)
        ids = {id(parameter) for parameter in trained_parameters(model, stage)}
        reading[stage.name] = {id(p) in ids for p in model.phoneme_head.parameters()}
    assert reading == {"codes": {True}, "waveform": {False}, "joint": {True}}


def made_up(nats=1.0, mel=10.0, cepstra=6.0, pitch=None, phonemes=None):
    def number(value):
        return None if value is None else torch.tensor(value)

    codebook, commitment, usage = torch.tensor(100.0), torch.tensor(1000.0), torch.ones(4)
    terms = [number(value) for value in (mel, cepstra, pitch, phonemes)]
    return Losses(number(nats), codebook, commitment, *terms, usage)


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
    training = dataclasses.replace(config.training, log_mel_weight=2.0)
    config = with_update(dataclasses.replace(config, training=training), update)
    losses = made_up(nats=None if name == "codes" else 1.0)
    assert float(total_loss(config, config.training.stage(name), losses)) == wanted


@pytest.mark.parametrize("name", STAGES)
def test_weights_of_the_other_auxiliary_terms(config, name):
    stage = config.training.stage(name)
    plain = float(total_loss(config, stage, made_up(cepstra=0.0)))
    assert float(total_loss(config, stage, made_up())) == plain, "not asked for"
    weights = {"pitch_weight": 0.5, "phoneme_weight": 3.0, "cepstrum_weight": 0.25}
    config = dataclasses.replace(config, training=dataclasses.replace(config.training, **weights))
    assert float(total_loss(config, stage, made_up(cepstra=0.0))) == plain
    plain = float(total_loss(config, stage, made_up()))
    assert float(total_loss(config, stage, made_up(cepstra=0.0))) == plain - 0.25 * 6
    pitch = float(total_loss(config, stage, made_up(pitch=7.0)))
    phonemes = float(total_loss(config, stage, made_up(phonemes=5.0)))
    assert pitch == plain + 0.5 * 7
    assert phonemes == plain + (3 * 5 if name != "waveform" else 0)


@pytest.mark.parametrize("name", STAGES)
def test_weights_of_what_a_teacher_says(config, name):
    stage = config.training.stage(name)
    plain = float(total_loss(config, stage, made_up()))
    said = made_up()._replace(perceptual=torch.tensor(3.0), states=torch.tensor(7.0))
    assert float(total_loss(config, stage, said)) == plain, "not asked for"
    for weights, more in (
        ({"perceptual_weight": 0.5}, 1.5),
        ({"states_weight": 2.0}, 14.0),
        ({"perceptual_weight": 0.5, "states_weight": 2.0}, 15.5),
    ):
        asked = dataclasses.replace(config.training, **weights)
        asked = dataclasses.replace(config, training=asked)
        found = float(total_loss(asked, stage, said))
        assert found == plain + (more if name != "waveform" else 0)
        assert float(total_loss(asked, stage, made_up())) == plain, "nobody teaches"


def test_total_without_the_auxiliary_term(config):
    config = with_update(config, "gradient")
    stage = config.training.stage("joint")
    assert (
        float(total_loss(config, stage, made_up(mel=None, cepstra=None))) == 1 + 0.25 * 1000 + 100
    )


def test_figures_are_numbers_of_the_terms_there_are():
    figures = step_figures(made_up(nats=None), torch.tensor(7.0))
    assert figures == pytest.approx(
        {"mel": 10, "cepstra": 6, "codebook": 100}
        | {"commitment": 1000, "perplexity": 4, "gradient_norm": 7}
    )
    assert set(step_figures(made_up(), torch.tensor(0.0))) == set(figures) | {"nats"}
    told = step_figures(made_up(pitch=3.0, phonemes=2.0), torch.tensor(0.0))
    assert (told["pitch"], told["phonemes"]) == (3, 2)
    said = made_up()._replace(perceptual=torch.tensor(3.0), states=torch.tensor(7.0))
    told = step_figures(said, torch.tensor(0.0))
    assert (told["perceptual"], told["states"]) == (3, 7)
