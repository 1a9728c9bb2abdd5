"""Heads: shapes in time, what their losses count, and what learns from them."""

import math

import pytest
import torch
import torch.nn.functional as F
from scipy.fft import dct

from vqspeech.nn.conditioning import Conditioning
from vqspeech.nn.heads import CepstralDistance, PhonemeHead, Pitch, StateHead
from vqspeech.nn.phonemes import PHONEMES, SILENCE, UNKNOWN

DIM, FRAMES = 6, 12


def conditioning_of(config):
    return Conditioning(config.conditioning, DIM, config.encoder.mels, config.hop).eval()


# Log-mel and pitch


@pytest.mark.parametrize("frames", [1, 4])
def test_log_mel_has_a_row_every_ten_milliseconds(narrow, frames):
    net = conditioning_of(narrow)
    if not narrow.conditioning.log_mel_head:
        assert net.log_mel_head is None
        return
    per_code = narrow.hop // 160
    hidden = torch.randn(2, 8, frames)
    mel = net.log_mel(hidden)
    assert mel.shape == (2, 16, frames * per_code)
    # The rows of a code depend on that code alone, and are its own.
    last = net.log_mel(hidden[..., -1:])
    torch.testing.assert_close(mel[..., -per_code:], last)


@pytest.mark.parametrize("frames", [1, 4])
def test_pitch_has_a_frame_every_ten_milliseconds(narrow, frames):
    net = conditioning_of(narrow)
    if not narrow.conditioning.pitch_head:
        assert net.pitch_head is None
        return
    per_code = narrow.hop // 160
    hidden = torch.randn(2, 8, frames)
    pitch = net.pitch(hidden)
    assert pitch.log_f0.shape == pitch.voicing.shape == (2, frames * per_code)
    last = net.pitch(hidden[..., -1:])
    for part, own in zip(pitch, last, strict=True):
        torch.testing.assert_close(part[:, -per_code:], own)
        assert part.unique().numel() == part.numel(), "every frame has its own weights"


def test_untrained_pitch_is_that_of_a_voice(narrow_base):
    found = conditioning_of(narrow_base).pitch(torch.randn(4, 8, 50)).log_f0.exp()
    assert 100 < found.median().item() < 220


def logs(*hertz):
    return torch.tensor([hertz]).log()


def test_f0_is_zero_without_a_voice_and_within_bounds():
    pitch = Pitch(logs(100.0, 200.0, 7.0, 5000.0, 300.0), torch.tensor([[1, -1, 0.1, 9, 0.0]]))
    torch.testing.assert_close(pitch.f0(), torch.tensor([[100.0, 0, 50.0, 500.0, 0]]))
    far = Pitch(torch.tensor([[1e4, -1e4]]), torch.ones(1, 2))
    assert far.f0().tolist() == [[500.0, 50.0]]


def minus_log_p(logit, voiced):
    return math.log1p(math.exp(-logit if voiced else logit))


def test_loss_of_pitch_by_hand():
    pitch = Pitch(logs(110.0, 200.0, 60.0), torch.tensor([[2.0, -1.0, 0.5]]))
    loss = pitch.loss(torch.tensor([[100.0, 220.0, 0.0]]))
    voicing = (minus_log_p(2, True) + minus_log_p(-1, True) + minus_log_p(0.5, False)) / 3
    # What is said of the unvoiced frame does not count: the mean is over the voiced ones.
    off = math.log(1.1) / 0.35
    assert float(loss) == pytest.approx(voicing + off, rel=1e-5)


def test_loss_of_pitch_without_any_voice():
    log_f0 = logs(110.0, 60.0).requires_grad_()
    voicing = torch.tensor([[2.0, -1.0]], requires_grad=True)
    loss = Pitch(log_f0, voicing).loss(torch.zeros(1, 2))
    wanted = (minus_log_p(2, False) + minus_log_p(-1, False)) / 2
    assert float(loss.detach()) == pytest.approx(wanted, rel=1e-5)
    loss.backward()
    assert not bool(log_f0.grad.any()) and bool(voicing.grad.isfinite().all())
    assert voicing.grad[0, 0] > 0 and voicing.grad[0, 1] > 0


def test_loss_of_pitch_pulls_f0_towards_the_truth():
    log_f0 = logs(110.0, 90.0).requires_grad_()
    Pitch(log_f0, torch.zeros(1, 2)).loss(torch.full((1, 2), 100.0)).backward()
    assert log_f0.grad[0].sign().tolist() == [1, -1]


# Cepstra


def test_cepstral_distance_by_hand():
    off = torch.randn(2, 40, 9)
    cepstra = torch.from_numpy(dct(off.numpy(), norm="ortho", axis=1)[:, :13])
    change = cepstra[..., 2:] - cepstra[..., :-2]
    wanted = cepstra.abs().mean() + change.abs().mean()
    torch.testing.assert_close(CepstralDistance(40)(off), wanted.float())


def test_shape_counts_and_ripples_do_not():
    distance, bands = CepstralDistance(80), torch.arange(80)
    tilt = torch.linspace(-1, 1, 80)[None, :, None].expand(1, 80, 20)
    ripple = torch.where(bands % 2 == 0, 1.0, -1.0)[None, :, None].expand(1, 80, 20)
    assert float(distance(tilt)) > 5 * float(distance(ripple))


def test_what_changes_counts_more_than_what_stays():
    distance, level = CepstralDistance(80), torch.ones(1, 80, 40)
    to_and_fro = level * torch.where(torch.arange(40) // 2 % 2 == 0, 1.0, -1.0)
    assert float(distance(to_and_fro)) == pytest.approx(3 * float(distance(level)))


@pytest.mark.parametrize("frames", [1, 2])
def test_too_short_to_change(frames):
    off = torch.randn(1, 8, frames, requires_grad=True)
    CepstralDistance(8)(off).backward()
    assert bool(torch.isfinite(off.grad).all()) and bool(off.grad.any())


# Phonemes


@pytest.fixture
def reader():
    return PhonemeHead(DIM).eval()


@pytest.fixture
def labels():
    """Of two recordings, half of them unknown."""
    found = torch.randint(0, len(PHONEMES), (2, FRAMES))
    found[0, ::2] = UNKNOWN
    found[1, :6] = UNKNOWN
    return found


def test_the_phonemes():
    assert len(PHONEMES) == len(set(PHONEMES)) == 40 and PHONEMES[-1] == SILENCE


def test_a_frame_is_read_from_its_neighbours(reader):
    z = torch.randn(1, DIM, FRAMES).requires_grad_()
    logits = reader(z)
    assert logits.shape == (1, FRAMES, len(PHONEMES))
    logits[0, 5].square().sum().backward()
    assert z.grad[0].any(0).nonzero()[:, 0].tolist() == [3, 4, 5, 6, 7]


def test_loss_counts_known_frames_alone(reader, labels):
    z = torch.randn(2, DIM, FRAMES)
    known = labels != UNKNOWN
    wanted = F.cross_entropy(reader(z)[known], labels[known])
    torch.testing.assert_close(reader.loss(z, labels), wanted)
    # A frame that no known one has as its neighbour may be anything.
    other = z.clone()
    other[1, :, :4] += 1.0
    assert torch.equal(reader.loss(other, labels), reader.loss(z, labels))
    other[1, :, 4] += 1.0
    assert not torch.equal(reader.loss(other, labels), reader.loss(z, labels))


def test_loss_is_zero_where_nothing_is_known(reader, labels):
    z = torch.randn(2, DIM, FRAMES).requires_grad_()
    loss = reader.loss(z, torch.full_like(labels, UNKNOWN))
    assert float(loss.detach()) == 0
    loss.backward()
    assert not bool(z.grad.any()), "no NaN either"


def test_gradients_reach_the_codes_and_the_reader(reader, labels):
    z = torch.randn(2, DIM, FRAMES).requires_grad_()
    reader.loss(z, labels).backward()
    reached = z.grad.any(1)
    assert bool(reached[0].all()) and reached[1].tolist() == [False] * 4 + [True] * 8
    assert all(bool(parameter.grad.any()) for parameter in reader.parameters())


def test_loss_is_float32_under_mixed_precision(reader, labels):
    z = torch.randn(2, DIM, FRAMES)
    with torch.autocast("cpu", torch.bfloat16):
        loss = reader.loss(z, labels)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, reader.loss(z, labels), rtol=0.02, atol=0)


# A teacher's states


@pytest.mark.parametrize("per_code", [1, 2])
@pytest.mark.parametrize("books", [1, 2])
def test_states_are_read_from_each_code_alone_by_its_own_book(books, per_code):
    head = StateHead(DIM, books, 5, per_code)
    z_q = torch.randn(1, DIM, 1).expand(2, DIM, FRAMES).clone()
    states = head(z_q)
    assert states.shape == (2, FRAMES * per_code, 5)
    first, last = states[0, : books * per_code], states[0, -books * per_code :]
    torch.testing.assert_close(first, last, rtol=0, atol=1e-5)  # processors differ in their sums
    assert torch.allclose(states[0, :per_code], states[0, per_code : 2 * per_code]) == (books == 1)
    z_q[0, :, 3] += 1
    moved = (head(z_q) != states).any(-1)
    assert moved[0, 3 * per_code : 4 * per_code].all() and int(moved.sum()) == per_code


def test_loss_of_states_is_their_mean_distance():
    head, z_q = StateHead(DIM, 2, 5), torch.randn(2, DIM, FRAMES, requires_grad=True)
    states = head(z_q).detach()
    assert head.loss(z_q, states).item() == 0
    off = head.loss(z_q, states + torch.tensor([0.0, 1.0, -2.0, 3.0, 4.0]))
    assert float(off) == pytest.approx(2.0)
    off.backward()
    assert bool(z_q.grad.any()) and bool(head.out.weight.grad.any())
    with torch.autocast("cpu", torch.bfloat16):
        assert head.loss(z_q, states).dtype == torch.float32
