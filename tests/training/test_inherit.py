"""Beginning with another model's weights: what is taken over, what cannot be, what is refused."""

import copy
import dataclasses
import shutil

import pytest
import torch
from tiny_runs import CONFIG, with_stage

from vqspeech.checkpoint.identity import codes_identity
from vqspeech.checkpoint.model import load_checkpoint, save_checkpoint
from vqspeech.checkpoint.prior import load_prior, save_prior
from vqspeech.checkpoint.speakers import Speaker
from vqspeech.config.model import from_dict
from vqspeech.config.training import PriorConfig
from vqspeech.errors import InputError
from vqspeech.nn.batch import Batch
from vqspeech.nn.prior import Prior
from vqspeech.nn.vqvae import VQVAE
from vqspeech.training.inherit import inherit, origin_of


@pytest.fixture(scope="module")
def older(tmp_path_factory):
    """(model, its folder) of the speakers bert and carl."""
    torch.manual_seed(7)
    model = VQVAE(from_dict(CONFIG), 2)
    model.quantizer.books[0].initialised.fill_(True)
    folder = tmp_path_factory.mktemp("older") / "model"
    table = [Speaker(name) for name in ("bert", "carl")]
    save_checkpoint(model, table, folder, {"codes": 3})
    return model.state_dict(), folder


def test_all_of_a_model_of_the_same_shape_with_speakers_by_name(older):
    weights, folder = older
    model = VQVAE(from_dict(CONFIG), 3)
    said = inherit(model, ["anna", "carl", "bert"], load_checkpoint(folder))
    for name, value in model.state_dict().items():
        if name != "speakers.weight":
            assert torch.equal(value, weights[name]), name
    theirs = weights["speakers.weight"]
    assert torch.equal(model.speakers.weight[1:], theirs[[1, 0]])
    torch.testing.assert_close(model.speakers.weight[0], theirs.mean(0))
    count = len(weights) - 1
    assert f"{count} of {count} tensors and 2 of 3 speakers" in said
    assert "new ones as the mean of its voices" in said


@pytest.mark.parametrize("names", [["dora", "emil"], ["bert", "dora"], ["carl"]])
def test_new_fewer_and_renamed_speakers_begin_at_a_voice_that_the_layers_know(older, names):
    weights, folder = older
    theirs = weights["speakers.weight"]
    model = VQVAE(from_dict(CONFIG), len(names))
    inherit(model, names, load_checkpoint(folder))
    for name, row in zip(names, model.speakers.weight, strict=True):
        known = {"bert": theirs[0], "carl": theirs[1]}
        torch.testing.assert_close(row, known.get(name, theirs.mean(0)))


def test_new_speakers_cost_no_more_at_the_first_step_than_known_ones(tmp_path):
    # A trained model's layers are tuned to vectors of its own speakers, far from those drawn anew.
    model = VQVAE(from_dict(CONFIG), 8)
    with torch.no_grad():
        model.speakers.weight.mul_(0.1)
        for part in (model.conditioning.speaker, *(b.speaker for b in model.conditioning.blocks)):
            part.weight.mul_(100)
    save_checkpoint(model, [Speaker(f"s{i}") for i in range(8)], tmp_path / "model", {})
    other, batch = load_checkpoint(tmp_path / "model"), 0.1 * torch.randn(2, 3200)

    def mel(names: list[str]) -> float:
        own = VQVAE(from_dict(CONFIG), len(names)).eval()
        inherit(own, names, other)
        with torch.no_grad():
            return float(own(Batch(batch, torch.tensor([0, 1])), with_decoder=False).mel)

    known, new = mel(["s0", "s1"]), mel(["dora", "emil"])
    assert new < 1.5 * known


def paired():
    """The configuration of a model with a second codebook."""
    return from_dict(CONFIG | {"quantizer": CONFIG["quantizer"] | {"codebooks": 2}})


def test_of_other_shapes_the_rest_and_a_quantizer_whole_or_not_at_all(older):
    weights, folder = older
    model = VQVAE(paired(), 1)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inherit(model, ["dora"], load_checkpoint(folder))
    after = model.state_dict()
    assert torch.equal(after["decoder.output.weight"], weights["decoder.output.weight"])
    assert torch.equal(after["encoder.stem.linear.weight"], weights["encoder.stem.linear.weight"])
    kept = [name for name in after if name.startswith("quantizer.")]
    assert len(kept) > 2
    for name in (*kept, "encoder.project.weight"):
        assert torch.equal(after[name], before[name]), name
    theirs = weights["speakers.weight"].mean(0, keepdim=True)
    torch.testing.assert_close(after["speakers.weight"], theirs)


def test_one_codebook_of_two_is_not_taken(tmp_path):
    other = VQVAE(paired(), 1)
    save_checkpoint(other, [Speaker("bert")], tmp_path / "model", {})
    model = VQVAE(from_dict(CONFIG), 1)
    before = model.quantizer.codebook.clone()
    inherit(model, ["bert"], load_checkpoint(tmp_path / "model"))
    assert torch.equal(model.quantizer.codebook, before)


def test_a_wavenet_that_is_told_of_upper_levels_too_begins_deaf_to_them(older):
    """Levels make hidden frames wider: what the WaveNet knew of them stays."""
    table = copy.deepcopy(CONFIG)
    table["quantizer"] |= {"levels": 2, "jitter": 0.0, "upper_dim": 5}
    wider, plain = VQVAE(from_dict(table), 2), load_checkpoint(older[1]).model
    inherit(wider, ["bert", "carl"], load_checkpoint(older[1]))
    told = wider.decoder.condition.weight
    assert told.shape[1] == plain.decoder.condition.weight.shape[1] + 5
    assert torch.equal(told[:, :-5], plain.decoder.condition.weight) and not told[:, -5:].any()
    indices, voice = torch.randint(16, (1, 9)), torch.randn(1, 4)
    with torch.no_grad():
        one, other = (
            model.decoder.conditioning(model.hidden(indices, voice)) for model in (plain, wider)
        )
    torch.testing.assert_close(one, other)


def test_a_wavenet_that_has_no_upper_levels_any_more_keeps_the_rest(tmp_path):
    table = copy.deepcopy(CONFIG)
    table["quantizer"] |= {"levels": 2, "jitter": 0.0, "upper_dim": 5}
    wider = VQVAE(from_dict(table), 2)
    save_checkpoint(wider, [Speaker("bert"), Speaker("carl")], tmp_path / "model", {"codes": 3})
    plain = VQVAE(from_dict(CONFIG), 2)
    inherit(plain, ["bert", "carl"], load_checkpoint(tmp_path / "model"))
    told, known = plain.decoder.condition.weight, wider.decoder.condition.weight
    assert torch.equal(told, known[:, :-5])


def test_a_run_begins_there_and_only_once(runs, config, whole_run):
    still = with_stage(config, "codes", steps=2, learning_rate=1e-8, ema_decay=0.0)
    given = runs.weights(whole_run)
    out = runs.train(still, stages=("codes",), init=str(whole_run / "model"))
    assert any("begin as those of" in said for said in runs.said)
    own = runs.weights(out)
    for name in ("encoder.stem.linear.weight", "decoder.output.weight", "speakers.weight"):
        torch.testing.assert_close(own[name], given[name], rtol=0, atol=1e-6)
    runs.said.clear()
    longer = with_stage(still, "codes", steps=3)
    runs.train(longer, stages=("codes",), init="/nowhere", resume=True)
    assert not any("begin as those of" in said for said in runs.said)


def test_what_leaves_the_codes_alone_keeps_their_prior_and_history(runs, config, whole_run):
    """A run that goes on with a WaveNet only: what packs and generates codes fits still."""
    first = with_stage(config, "waveform", steps=2)
    given = runs.root / "given"
    shutil.copytree(whole_run / "model", given)
    weights = load_checkpoint(given)
    codes = codes_identity(weights.model.state_dict())
    names = [speaker.name for speaker in weights.about.speakers]
    prior = Prior(PriorConfig(4, 4, 2, 2), config.quantizer, len(names))
    name = save_prior(prior, names, given, codes)
    out = runs.train(first, "on", stages=("waveform",), init=str(given))
    about = load_checkpoint(out / "model").about
    assert about.trained == weights.about.trained | {"waveform": 2}
    assert load_prior(out / "model", load_checkpoint(out / "model").model).fingerprint == name
    other = runs.train(
        with_stage(config, "codes", steps=1), "new", stages=("codes",), init=str(given)
    )
    assert load_checkpoint(other / "model").about.trained == {"codes": 1}
    assert not (other / "model" / "prior.safetensors").exists()


def test_no_such_model(runs, config):
    with pytest.raises(InputError, match="no such model"):
        runs.train(dataclasses.replace(config), init="/nowhere")


@pytest.mark.parametrize(
    ("decoder", "anew"),
    [
        ({"scaled": True}, True),
        ({"scaled": True, "prediction": 3}, True),
        ({"temperature": 0.5}, False),
    ],
)
def test_a_wavenet_that_draws_something_else_begins_anew(older, decoder, anew):
    """Its full scale above all: that of samples would cut all residuals off."""
    weights, folder = older
    config = from_dict(CONFIG | {"decoder": CONFIG["decoder"] | decoder})
    model = VQVAE(config, 2)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    said = inherit(model, ["bert", "carl"], load_checkpoint(folder))
    assert ("begins anew" in said) == anew
    for name, value in model.state_dict().items():
        kept = before if anew and name.startswith("decoder.") else weights
        assert torch.equal(value, kept[name]), name


def test_a_long_term_prediction_may_come_later(tmp_path):
    parts = {"scaled": True, "prediction": 3}
    table = CONFIG | {"conditioning": CONFIG["conditioning"] | {"pitch_head": True}}
    short = VQVAE(from_dict(table | {"decoder": CONFIG["decoder"] | parts}), 2)
    save_checkpoint(short, [Speaker("bert"), Speaker("carl")], tmp_path / "short", {"codes": 3})
    longer = from_dict(table | {"decoder": CONFIG["decoder"] | parts | {"long_term": 0.8}})
    model = VQVAE(longer, 2)
    inherit(model, ["bert", "carl"], load_checkpoint(tmp_path / "short"))
    assert torch.equal(model.decoder.embedding, short.decoder.embedding)


def test_a_residual_of_another_order_is_measured_anew(tmp_path):
    """It is much the same, so the WaveNet goes on, once its full scale is fitted again."""
    table = CONFIG | {"decoder": CONFIG["decoder"] | {"scaled": True, "prediction": 3}}
    low = VQVAE(from_dict(table), 2)
    low.decoder.scale.fill_(7.0)
    save_checkpoint(low, [Speaker("bert"), Speaker("carl")], tmp_path / "low", {"codes": 3})
    high = VQVAE(from_dict(table | {"decoder": table["decoder"] | {"prediction": 5}}), 2)
    said = inherit(high, ["bert", "carl"], load_checkpoint(tmp_path / "low"))
    assert "anew" not in said
    assert torch.equal(high.decoder.output.weight, low.decoder.output.weight)
    assert (high.decoder.scale == 1).all()


@pytest.mark.parametrize(
    "encoder", [{"coarse_dilations": [2]}, {"channels": 12}, {"fine_dilations": [1, 1]}]
)
def test_no_codebook_beside_another_encoder(runs, whole_run, encoder):
    other = from_dict(CONFIG | {"encoder": CONFIG["encoder"] | encoder})
    with pytest.raises(InputError, match="builds on trained codes"):
        runs.train(other, stages=("waveform",), init=str(whole_run / "model"))
    assert any("codebooks begin anew" in said for said in runs.said)
    model = VQVAE(other, 1)
    inherit(model, ["anna"], load_checkpoint(whole_run / "model"))
    assert not model.quantizer.initialised


def test_how_an_encoder_hears_in_training_changes_no_codes(whole_run):
    model = VQVAE(from_dict(CONFIG | {"encoder": CONFIG["encoder"] | {"vtlp": 0.1}}), 1)
    inherit(model, ["anna"], load_checkpoint(whole_run / "model"))
    assert model.quantizer.initialised


@pytest.mark.parametrize(
    ("decoder", "trained"),
    [
        ({}, {"codes", "waveform", "joint"}),
        ({"residual_channels": 12}, {"codes"}),
        ({"scaled": True}, {"codes"}),
    ],
)
def test_a_wavenet_counts_as_trained_where_it_is_the_others(whole_run, decoder, trained):
    model = VQVAE(from_dict(CONFIG | {"decoder": CONFIG["decoder"] | decoder}), 2)
    other = load_checkpoint(whole_run / "model")
    inherit(model, ["anna", "bert"], other)
    origin = origin_of(model, other, ["levels"])
    assert origin is not None and set(origin.trained) == trained


def test_new_speakers_learn_where_conditioning_stands_still(runs, config, older):
    still = with_stage(config, "waveform", conditioning=0.0, steps=4)
    out = runs.train(still, stages=("waveform",), init=str(older[1]))
    own = runs.weights(out)
    anna, bert = own["speakers.weight"]
    mean = older[0]["speakers.weight"].mean(0)
    assert not torch.allclose(anna, mean, atol=1e-4), "she would be the mean of other voices"
    assert not torch.equal(bert, older[0]["speakers.weight"][0])
    for name, value in older[0].items():
        if name.startswith("conditioning."):
            assert torch.equal(own[name], value), name
    # A run that goes on knows it still.
    longer = with_stage(still, "waveform", steps=8)
    runs.train(longer, stages=("waveform",), init=str(older[1]), resume=True)
    assert not torch.equal(runs.weights(out)["speakers.weight"][0], anna)


def test_speakers_that_are_known_stand_still_with_conditioning(runs, config, whole_run):
    still = with_stage(config, "waveform", conditioning=0.0, steps=4)
    out = runs.train(still, stages=("waveform",), init=str(whole_run / "model"))
    given = runs.weights(whole_run)["speakers.weight"]
    torch.testing.assert_close(runs.weights(out)["speakers.weight"], given)


def test_conditioning_at_random_that_would_stand_still(runs, config, whole_run):
    table = CONFIG | {"conditioning": CONFIG["conditioning"] | {"channels": 12}}
    still = with_stage(from_dict(table), "waveform", conditioning=0.0)
    with pytest.raises(InputError, match="has another conditioning net"):
        runs.train(still, stages=("waveform",), init=str(whole_run / "model"))
    moved = with_stage(still, "waveform", conditioning=1.0, steps=1)
    runs.train(moved, "moved", stages=("waveform",), init=str(whole_run / "model"))
