"""Presets, and what `from_dict` and `load_preset` refuse."""

import copy
import json

import pytest

from vqspeech.codes.header import BLOCK_CODES
from vqspeech.config.model import from_dict
from vqspeech.config.networks import MOST_MELS, DecoderConfig
from vqspeech.config.reading import load_preset, preset_names
from vqspeech.errors import InputError
from vqspeech.nn.filter_banks import LogMel

BIT_RATES = {"base": 500, "paper": 2250, "paper-128": 1125, "phonemes": 175}


def changed(path, value):
    """The table of `base` with the value at `path` ("encoder.mels") replaced or added."""
    table = copy.deepcopy(load_preset("base").to_dict())
    *folders, key = path.split(".")
    inner = table
    for folder in folders:
        inner = inner[int(folder)] if folder.isdigit() else inner[folder]
    inner[key] = value
    return table


def refusal(path, value):
    with pytest.raises(InputError) as caught:
        from_dict(changed(path, value))
    message = str(caught.value)
    assert "\n" not in message and len(message) < 300
    return message


def test_presets_and_their_bit_rates():
    assert {name: load_preset(name).bit_rate for name in preset_names()} == BIT_RATES


@pytest.mark.parametrize("name", BIT_RATES)
def test_preset_survives_json(name):
    config = load_preset(name)
    assert config.name == name and config.training.stages
    assert from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_bit_rate_rounds_a_code_up_to_whole_bits():
    table = changed("quantizer.codebook_size", 513)
    assert from_dict(table).bit_rate == 50 * 10


@pytest.mark.parametrize("name", BIT_RATES)
def test_crops_are_whole_frames_with_the_window_inside(name):
    config = load_preset(name)
    for stage in config.training.stages:
        first, last = config.decoder_window(stage)
        assert 0 <= first < last <= config.crop_frames(stage)
        assert (last - first) / config.frame_rate == pytest.approx(stage.decoder_seconds)
        assert config.crop_frames(stage) / config.frame_rate == pytest.approx(stage.crop_seconds)


def test_receptive_field():
    config = DecoderConfig(layers=5, cycle=3)
    assert config.dilations == (1, 2, 4, 1, 2)
    assert config.receptive_field == 11


@pytest.mark.parametrize("path", ["hopp", "quantizer.code", "training.stages.0.lr"])
def test_unknown_key_is_named(path):
    message = refusal(path, 1)
    assert repr(path.rsplit(".")[-1]) in message and "has no key" in message


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("quantizer.codebook_size", 512.0),
        ("quantizer.codebook_size", True),
        ("quantizer.codebook_size", "512"),
        ("quantizer.codebook_size", None),
        ("quantizer.codebook_size", 10**30),
        ("quantizer.ema_decay", "0.99"),
        ("quantizer.ema_decay", 10**400),
        ("quantizer.normalise", 1),
        ("encoder.low_bins", 64.0),
        ("encoder.vtlp", "0.1"),
        ("conditioning.pitch_head", 1),
        ("conditioning.phoneme_head", "yes"),
        ("decoder.harmonics", 8.5),
        ("decoder.pulses", 1),
        ("decoder.scaled", 1),
        ("decoder.prediction", "8"),
        ("decoder.long_term", "0.8"),
        ("training.pitch_weight", None),
        ("training.perceptual_weight", "0.5"),
        ("training.perceptual_layers", 2.0),
        ("training.states_weight", True),
        ("training.degradation", 0.5),
        ("training.degradation.noise_db", 20.0),
        ("encoder.fine_dilations", 3),
        ("encoder.fine_dilations", "12"),
        ("encoder.fine_dilations", [1.5]),
        ("encoder.fine_dilations", [1] * 65),
        ("encoder.kind", "mfcc"),
        ("encoder", []),
        ("training.stages.0.name", "warmup"),
        ("name", 7),
    ],
)
def test_wrong_types_are_named(path, value):
    assert path.split(".")[-1] in refusal(path, value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_numbers_must_be_finite(value):
    assert "finite" in refusal("quantizer.commitment", value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hop", 0),
        ("hop", 100),
        ("hop", 162),
        ("name", ""),
        ("name", "two\nlines"),
        ("encoder.mels", 2),
        ("encoder.low_bins", -1),
        ("encoder.low_bins", 129),
        ("encoder.vtlp", -0.1),
        ("encoder.vtlp", 0.6),
        ("encoder.pitch_shift", 0.6),
        ("encoder.equaliser", -0.1),
        ("encoder.equaliser", 2.1),
        ("encoder.fine_dilations", [0]),
        ("quantizer.codebook_size", 1),
        ("quantizer.codebook_size", 65537),
        ("quantizer.ema_decay", 1.0),
        ("quantizer.jitter", -0.1),
        ("quantizer.commitment", -1.0),
        ("conditioning.channels", 0),
        ("conditioning.log_mel_head", False),
        ("decoder.bands", 2),
        ("decoder.layers", 0),
        ("decoder.cycle", 40),
        ("decoder.harmonics", -1),
        ("decoder.harmonics", 65),
        ("decoder.prediction", -1),
        ("decoder.prediction", 33),
        ("decoder.long_term", -0.1),
        ("decoder.long_term", 1.0),
        ("training.perceptual_weight", -0.5),
        ("training.perceptual_layers", 0),
        ("training.states_weight", 1e4),
        ("training.degradation.noise", 1.5),
        ("training.degradation.babble", -0.1),
        ("training.degradation.noise_db", [30.0, 10.0]),
        ("training.degradation.babble_db", [10.0]),
        ("training.degradation.direct_db", []),
        ("training.degradation.upper_hz", [3000.0, 3500.0, 4000.0]),
        ("training.degradation.upper_hz", [3000.0, 9000.0]),
        ("training.degradation.reverberation_seconds", [0.0, 0.5]),
        ("training.pitch_weight", -0.5),
        ("training.pitch_weight", 1e4),
        ("training.phoneme_weight", -0.5),
        ("training.phoneme_weight", 1e4),
        ("training.stages.0.steps", 0),
        ("training.stages.0.batch", 0),
        ("training.stages.0.crop_seconds", 0.0),
        ("training.stages.0.decoder_seconds", 2.0),
        ("training.stages.0.learning_rate", 0.0),
        ("training.stages.0.ema_decay", 1.0),
        ("training.stages.0.conditioning", 0.5),
        ("training.stages.1.conditioning", 0.0),
        ("training.stages.2.conditioning", -1.0),
        ("training.stages.1.name", "codes"),
        ("training.stages.2.decoder_seconds", 0.1),
    ],
)
def test_impossible_values(path, value):
    refusal(path, value)


def test_decoder_window_must_exceed_the_receptive_field():
    message = refusal("training.stages.2.decoder_seconds", 0.1)
    assert "400 WaveNet steps" in message and "511" in message
    table = changed("training.stages.2.decoder_seconds", 0.1)
    table["training"]["stages"][2]["crop_seconds"] = 0.1  # the whole crop: all steps count
    table["quantizer"]["codebooks"] = 1  # of an odd number of frames
    assert from_dict(table)


def test_harmonics_need_pitch():
    message = refusal("conditioning.pitch_head", False)
    assert "[decoder]" in message and "conditioning.pitch_head = true" in message
    table = changed("conditioning.pitch_head", False)
    table["decoder"] |= {"harmonics": 0, "pulses": False, "long_term": 0.0}
    table["decoder"]["voiced_temperatures"] = []
    assert from_dict(table)


def test_voiced_temperatures_are_one_a_band_and_need_pitch():
    table = changed("decoder.voiced_temperatures", [0.5, 0.7, 0.9, 1.0])
    assert from_dict(table).decoder.voiced_temperatures == (0.5, 0.7, 0.9, 1.0)
    assert "2 numbers for 4 bands" in refusal("decoder.voiced_temperatures", [0.5, 0.7])
    assert "0.0..2.0" in refusal("decoder.voiced_temperatures", [0.5, 0.7, 0.9, 3.0])
    table["conditioning"]["pitch_head"] = False
    table["decoder"] |= {"harmonics": 0, "pulses": False, "long_term": 0.0}
    with pytest.raises(InputError, match="conditioning.pitch_head = true, which says"):
        from_dict(table)


def test_a_prediction_needs_a_log_mel_and_its_scale():
    table = changed("decoder.scaled", False)
    table["decoder"]["prediction"] = 8
    with pytest.raises(InputError, match="prediction = 8 needs scaled = true"):
        from_dict(table)
    table["decoder"] |= {"prediction": 0, "long_term": 0.0, "own_envelope": True}
    with pytest.raises(InputError, match="own_envelope = true needs scaled = true"):
        from_dict(table)
    table["decoder"] |= {"prediction": 8, "own_envelope": False}
    table["decoder"]["scaled"] = True
    assert from_dict(table).decoder.input_rows == 12
    for parts in ({"prediction": 0}, {"prediction": 4}):
        table = load_preset("paper").to_dict()
        table["decoder"] |= {"scaled": True} | parts
        with pytest.raises(InputError, match="conditioning.log_mel_head = true"):
            from_dict(table)


def test_a_long_term_prediction_needs_a_short_one_and_a_pitch():
    assert "long_term = 0.8 needs prediction above 0" in refusal("decoder.prediction", 0)
    table = changed("decoder.long_term", 0.7)
    assert from_dict(table).decoder.long_term == 0.7
    table["decoder"] |= {"harmonics": 0, "pulses": False}
    table["conditioning"]["pitch_head"] = False
    with pytest.raises(InputError, match="long_term needs conditioning.pitch_head = true"):
        from_dict(table)


def test_pulses_are_told_by_harmonics():
    table = changed("decoder.pulses", True)
    assert from_dict(table).decoder.pulses
    table["decoder"]["harmonics"] = 0
    with pytest.raises(InputError, match="pulses = true needs harmonics above 0"):
        from_dict(table)


@pytest.mark.parametrize("mels", [8, MOST_MELS])
def test_every_mel_band_has_its_place(mels):
    """Warping, scales and equalisers go by it."""
    assert LogMel(mels).centres().isfinite().all()
    assert f"8..{MOST_MELS}" in refusal("encoder.mels", MOST_MELS + 1)


def test_a_crop_is_long_enough_for_a_log_mel():
    table = load_preset("paper").to_dict()
    stage = table["training"]["stages"][0]
    stage.update(crop_seconds=0.01, decoder_seconds=0.01)  # two frames of 64 samples
    with pytest.raises(InputError, match="crop_seconds = 0.01 is 128 samples, which must be 160"):
        from_dict(table)


def test_warping_needs_bands_that_lie_apart():
    assert "128" in refusal("encoder.mels", 129)
    table = changed("encoder.mels", 129)
    table["encoder"]["vtlp"] = 0.0
    assert from_dict(table)
    assert from_dict(changed("encoder.mels", 128))


@pytest.mark.parametrize("change", [{"low_bins": 8}, {"vtlp": 0.1}, {"equaliser": 0.1}])
def test_a_strided_encoder_has_no_bands(change):
    table = load_preset("paper").to_dict()
    table["encoder"] |= change
    with pytest.raises(InputError, match="logmel"):
        from_dict(table)


def test_deviation_is_the_strided_encoders():
    assert load_preset("paper").encoder.deviation == 0.05
    assert "strided" in refusal("encoder.deviation", 0.05)
    table = load_preset("paper").to_dict()
    del table["encoder"]["deviation"]
    assert from_dict(table).encoder.deviation == 1.0, "models of before have none"


def test_a_second_spectrum_is_scaled_only_where_there_is_one():
    table = changed("encoder.low_bins", 0)
    table["encoder"]["pitch_shift"] = 0.1
    with pytest.raises(InputError, match="low_bins above 0"):
        from_dict(table)


def test_pitch_needs_whole_frames_of_ten_milliseconds():
    table = load_preset("paper").to_dict()
    assert not table["conditioning"]["log_mel_head"] and table["hop"] % 160
    table["conditioning"]["pitch_head"] = True
    with pytest.raises(InputError, match="pitch_head need a hop that is a multiple of 160"):
        from_dict(table)
    table["conditioning"] |= {"pitch_head": False, "phoneme_head": True}
    assert from_dict(table)


def test_what_older_configurations_do_not_say():
    table = load_preset("base").to_dict()
    for part, keys in {
        "encoder": ("low_bins", "vtlp", "pitch_shift", "equaliser"),
        "quantizer": ("codebooks",),
        "conditioning": ("pitch_head", "phoneme_head", "film"),
        "decoder": (
            *("harmonics", "pulses", "scaled", "prediction"),
            *("own_envelope", "long_term", "voiced_temperatures"),
        ),
    }.items():
        for key in keys:
            del table[part][key]
    old = from_dict(table)
    assert (old.encoder.low_bins, old.encoder.vtlp, old.decoder.harmonics) == (0, 0.0, 0)
    assert (old.encoder.pitch_shift, old.encoder.equaliser) == (0.0, 0.0)
    assert (old.decoder.scaled, old.decoder.prediction, old.decoder.long_term) == (False, 0, 0.0)
    assert not old.decoder.pulses and not old.decoder.own_envelope
    assert not old.conditioning.pitch_head and not old.conditioning.phoneme_head
    assert old.quantizer.codebooks == 1


def test_one_frame_cannot_be_normalised():
    table = changed("training.stages.0.batch", 1)
    stage, quantizer = table["training"]["stages"][0], table["quantizer"]
    for books in (1, 2):  # one frame of each
        quantizer["codebooks"] = books
        stage.update(crop_seconds=0.02 * books, decoder_seconds=0.02)
        with pytest.raises(InputError, match="normalise"):
            from_dict(table)


def test_blocks_of_a_file_hold_whole_turns_of_the_codebooks():
    assert BLOCK_CODES % 2 == 0


def test_crops_hold_whole_turns_of_the_codebooks():
    table = changed("quantizer.codebooks", 2)
    table["training"]["stages"][0].update(crop_seconds=1.3)
    with pytest.raises(InputError, match=r"65 frames.*codebooks = 2"):
        from_dict(table)
    table["quantizer"]["codebooks"] = 1
    from_dict(table)
    for many in (0, 3, 4):
        table["quantizer"]["codebooks"] = many
        with pytest.raises(InputError, match=f"codebooks = {many} must lie in 1..2"):
            from_dict(table)


@pytest.mark.parametrize("strides", [[2, 2], [], [320], [3, 2, 2]])
def test_strides_must_fit_hop_and_window(strides):
    table = load_preset("paper").to_dict()
    table["encoder"] |= {"strides": strides}
    with pytest.raises(InputError, match="stride"):
        from_dict(table)


@pytest.mark.parametrize("table", [None, [], "base", {}, {"hop": 320}])
def test_what_is_no_configuration(table):
    with pytest.raises(InputError):
        from_dict(table)


def test_unknown_stage_names_those_there_are():
    with pytest.raises(InputError, match="codes, levels, waveform"):
        load_preset("base").training.stage("joint")


def test_unknown_preset_names_those_there_are():
    with pytest.raises(InputError, match="base, paper, paper-128, phonemes"):
        load_preset("bass")


def test_own_toml_file(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nhop = 640\n[quantizer]\ncodebook_size = 128\n')
    config = load_preset(path)
    assert (config.name, config.hop, config.quantizer.codebook_size) == ("own", 640, 128)
    assert config.bit_rate == 175


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"name = ", "not valid TOML"),
        (b'name = "\xff"', "not valid TOML"),
        (b"hop = " + b"9" * 5000, "not valid TOML"),
        (b"a = " + b"[" * 5000, "not valid TOML"),
        (b'name = "x"\nhop = 0x' + b"f" * 5000, "hop"),
        (b'name = "x"\nsize = 1', "has no key 'size'"),
        (b'name = "x"\nhop = 1979-05-27', "must be of type int"),
    ],
)
def test_bad_toml_file_is_named(tmp_path, text, reason):
    path = tmp_path / "bad.toml"
    path.write_bytes(text)
    with pytest.raises(InputError) as caught:
        load_preset(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and reason in message and "\n" not in message


def test_missing_toml_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        load_preset(tmp_path / "none.toml")


@pytest.mark.parametrize("weight", ["perceptual_weight", "states_weight"])
def test_a_teacher_needs_a_log_mel_to_hear(weight):
    table = load_preset("paper").to_dict()
    table["training"][weight] = 1.0
    with pytest.raises(InputError, match="log_mel_head = true"):
        from_dict(table)


def test_each_code_says_whole_states_of_a_teacher():
    table = changed("training.perceptual_weight", 0.0)
    assert not from_dict(table).training.taught
    table["training"]["states_weight"] = 1.0
    assert from_dict(table).training.taught
    with pytest.raises(InputError, match="states_weight needs a hop that is a multiple of 320"):
        from_dict(table | {"hop": 480})
    table = changed("training.stages", [])
    assert from_dict(table | {"hop": 480}).training.taught


def test_base_alone_is_taught_hears_anybody_and_is_degraded():
    for name in preset_names():
        config = load_preset(name)
        rough = config.training.degradation
        degraded = rough.noise or rough.babble or rough.reverberation or rough.narrow_band
        found = (config.training.taught, config.speaker_encoder is not None, degraded > 0)
        assert found == 3 * (name == "base",)


# Files that change a preset


def test_a_file_may_change_a_preset(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('preset = "base"\nname = "mine"\n[training]\nstates_weight = 0.5\n')
    base, mine = load_preset("base"), load_preset(path)
    assert mine.name == "mine" and mine.training.states_weight == 0.5
    assert mine.training.stages == base.training.stages and mine.encoder == base.encoder
    table = mine.to_dict()
    table["name"], table["training"]["states_weight"] = "base", 0.0
    assert from_dict(table) == base


def test_lists_of_a_preset_are_replaced_as_a_whole(tmp_path):
    path = tmp_path / "mine.toml"
    stage = '[[training.stages]]\nname = "codes"\nsteps = 5\n'
    path.write_text(f'preset = "base"\n{stage}[encoder]\nfine_dilations = [1]\n')
    mine = load_preset(path)
    assert [stage.name for stage in mine.training.stages] == ["codes"]
    assert mine.training.stages[0].batch == 32 and mine.encoder.fine_dilations == (1,)
    assert mine.name == "base" and mine.training.phoneme_weight == 0.2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('preset = "bass"', "preset = 'bass' must be one of base, paper"),
        ('preset = "mine.toml"', "must be one of base"),
        ("preset = 7", "preset = 7 must be one of base"),
        ('preset = ["base"]', r"preset = \['base'\] must be one of base"),
        ('preset = "base"\n[training]\nnothing = 1', r"\[model.training\] has no key 'nothing'"),
        ('preset = "base"\ntraining = 1', "training.* must be a table"),
        ('preset = "base"\n[hop]\nx = 1', "hop = .* must be of type int"),
    ],
)
def test_impossible_changes_are_named(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text + "\n")
    with pytest.raises(InputError, match=words) as found:
        load_preset(path)
    assert str(found.value).startswith(f"{path}: ")
