"""Analysis by synthesis: of the nearest few codes those that decode nearest to the recording."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from synthetic_voice import sung

from vqspeech.audio.pitch import f0_frames
from vqspeech.audio.reading import read
from vqspeech.checkpoint.model import load_checkpoint
from vqspeech.nn import search
from vqspeech.nn.heads import LAG, CepstralDistance, Pitch
from vqspeech.nn.search import CodeSearch

HOP = 320
SENTENCE = Path(__file__).parents[2] / "egs" / "sentence.flac"


@pytest.fixture(autouse=True)
def free(monkeypatch):
    """Codes of a tiny model were taught nothing that they would have to keep."""
    monkeypatch.setattr(search, "DISTANCE", 0.0)


@pytest.fixture(scope="module")
def model(hearing_model):
    return load_checkpoint(hearing_model).model.eval()


@pytest.fixture(scope="module")
def wave():
    return torch.from_numpy(sung(1.0, 200.0, 220.0, pauses=False)[0][: 40 * HOP])[None]


@pytest.fixture(scope="module")
def vector(model, wave):
    with torch.inference_mode():
        return model.voice(wave)


def mel_error(model, indices, wave, vector):
    """Of codes [levels, F]."""
    hidden = model.hidden(indices[None], vector)
    off = model.conditioning.log_mel(hidden) - model.target_mel(wave)
    return float(off.abs().mean() + model.cepstral_distance.by_frame(off).mean())


def test_the_nearest_few_are_each_books_own_in_order(model, wave):
    with torch.inference_mode():
        z_e = model.encoder(wave)
        distances, indices = model.quantizer.nearest_few(z_e, 3)
        assert torch.equal(indices[:, 0], model.quantizer.encode(z_e))
        book, z = model.quantizer.books[1], model.quantizer.normalised(z_e)[0, :, 1::2].T
        far = torch.cdist(z, book.codebook).square() - z.square().sum(1, keepdim=True)
        own = indices[0, :, 1::2].T
    assert (distances.diff(dim=1) >= 0).all()
    assert all(len(set(few.tolist())) == 3 for few in own)
    torch.testing.assert_close(distances[0, :, 1::2].T, far.gather(1, own), atol=1e-4, rtol=1e-4)
    assert model.quantizer.nearest_few(z_e, 10**6)[1].shape[1] == len(book.codebook)


def test_errors_by_frame_are_the_losses():
    off = torch.randn(2, 80, 30)
    distance = CepstralDistance(80)
    by_frame = distance.by_frame(off)
    cepstra = (distance.dct @ off).abs().mean(1)
    assert by_frame.shape == (2, 30)
    torch.testing.assert_close(by_frame[:, 0], cepstra[:, 0])
    total = cepstra.mean() + (by_frame - cepstra).sum() / (2 * (30 - LAG))
    torch.testing.assert_close(distance(off), total)
    pitch, truth = Pitch(torch.randn(2, 30) + 5, torch.randn(2, 30)), torch.full((2, 30), 150.0)
    torch.testing.assert_close(pitch.by_frame(truth).mean(), pitch.loss(truth))
    torch.testing.assert_close(pitch.by_frame(truth[:1]), pitch.by_frame(truth))


@torch.inference_mode()
def test_codes_that_are_searched_say_a_recording_better():
    """Of the shipped model: the log-mel, the pitch where that is asked for."""
    shipped = load_checkpoint(None).model.eval()
    speech = torch.from_numpy(read(SENTENCE)[: 100 * HOP])[None]
    f0, voice = torch.from_numpy(f0_frames(speech[0].numpy()))[None], shipped.voice(speech)
    nearest = shipped.quantizer.encode(shipped.encoder(speech))
    plain, pitched = (CodeSearch(shipped)(speech, voice, one) for one in (None, f0))
    errors = [mel_error(shipped, one, speech, voice) for one in (nearest, plain, pitched)]
    assert max(errors[1:]) < 0.95 * errors[0]

    def off(indices):
        said = shipped.conditioning.pitch(shipped.hidden(indices[None], voice))
        return float(said.by_frame(f0).mean())

    assert off(pitched) < off(plain)


@torch.inference_mode()
def test_one_candidate_is_the_nearest(model, wave, vector, monkeypatch):
    monkeypatch.setattr(search, "CANDIDATES", 1)
    found = CodeSearch(model)(wave, vector)
    assert torch.equal(found, model.quantizer.encode(model.encoder(wave)))


@torch.inference_mode()
def test_what_is_far_is_kept_away_from(model, wave, vector, monkeypatch):
    nearest = model.quantizer.encode(model.encoder(wave))
    few = CodeSearch(model)(wave, vector)
    monkeypatch.setattr(search, "DISTANCE", 1e6)
    assert torch.equal(CodeSearch(model)(wave, vector), nearest)
    assert not torch.equal(few, nearest)


@torch.inference_mode()
def test_frame_by_frame_no_step_makes_it_worse(model, wave, vector, monkeypatch):
    """With one frame at a time, answering for all, it is coordinate descent."""
    for name, value in {"APART": 40, "REACH": 40}.items():
        monkeypatch.setattr(search, name, value)
    nearest = model.quantizer.encode(model.encoder(wave))
    errors, best = [mel_error(model, nearest, wave, vector)], CodeSearch._best

    def noted(self, indices, few, at, aim):
        kept = best(self, indices, few, at, aim)
        moved = indices.clone()
        moved[-1, at] = kept
        errors.append(mel_error(model, moved, wave, vector))
        return kept

    monkeypatch.setattr(CodeSearch, "_best", noted)
    CodeSearch(model)(wave, vector)
    assert len(errors) == 41
    assert all(after <= before + 1e-6 for before, after in pairwise(errors))
    assert errors[-1] < errors[0]


@pytest.fixture(scope="module")
def several(levelled_model):
    """A model of four levels, and what is left above its first: [1, D, 4] of seven frames."""
    model = load_checkpoint(levelled_model).model.eval()
    return model, 3 * torch.randn(1, 12, 4, generator=torch.Generator().manual_seed(0))


@torch.inference_mode()
def test_the_nearest_few_of_a_level_above(several):
    """To what the other codebook of the group leaves, which in the last group has no turn."""
    model, left = several
    indices = torch.tensor([0, 1, 2, 3, 3, 2, 1])
    distances, few = model.levels.nearest_few(1, left, indices, 3)
    assert distances.shape == few.shape == (3, 7)
    books = model.levels.quantizers[1].books
    for frame in range(7):
        rest, beside = left[0, :, frame // 2], frame ^ 1
        if beside < 7:
            rest = rest - books[beside % 2].codebook[indices[beside]]
        far = (books[frame % 2].codebook - rest).square().sum(1)
        assert few[:, frame].tolist() == far.argsort()[:3].tolist()
        torch.testing.assert_close(distances[:, frame], far.sort().values[:3] - rest.square().sum())
    rest = model.levels.taken(1, left, indices)
    last = left[0, :, 3] - books[0].codebook[indices[6]]
    torch.testing.assert_close(rest[0, :, 3], last)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [7, 8])
def test_what_is_left_above_a_level(several, frames):
    model, left = several
    indices, _, rest = model.levels.level_with_ties(0, left, torch.tensor([frames]))
    torch.testing.assert_close(model.levels.taken(0, left, indices[0, :frames]), rest)


@torch.inference_mode()
@pytest.mark.parametrize("frames", [7, 40])
def test_levels_are_searched_one_over_the_other(several, wave, frames):
    model, wave, vector = several[0], wave[:, : frames * HOP], several[0].speakers.weight[:1]
    whole, low = (CodeSearch(model)(wave, vector, levels=levels) for levels in (4, 2))
    assert whole.shape == (4, frames) and torch.equal(whole[:2], low)


@torch.inference_mode()
def test_higher_rates_of_the_shipped_model_gain_too():
    shipped = load_checkpoint(None).model.eval()
    speech = torch.from_numpy(read(SENTENCE)[: 100 * HOP])[None]
    voice = shipped.voice(speech)
    nearest, found = (
        shipped.encode(speech, levels=4)[0],
        CodeSearch(shipped)(speech, voice, None, 4),
    )
    for levels in (2, 3, 4):
        errors = [mel_error(shipped, one[:levels], speech, voice) for one in (found, nearest)]
        assert errors[0] < 0.95 * errors[1]
