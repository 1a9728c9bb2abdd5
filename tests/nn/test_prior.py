import pytest
import torch

from vqspeech.config.networks import QuantizerConfig
from vqspeech.config.training import PriorConfig
from vqspeech.nn.prior import Prior


def small(dropout=0.0, books=1):
    torch.manual_seed(0)
    sizes = {"residual_channels": 6, "skip_channels": 5, "layers": 3, "cycle": 2, "speaker_dim": 3}
    quantizer = QuantizerConfig(codebook_size=7, codebooks=books)
    return Prior(PriorConfig(**sizes, dropout=dropout), quantizer, speakers=2)


@pytest.mark.parametrize("books", [1, 2])
def test_a_distribution_for_every_code(books):
    prior = small(books=books)
    indices = torch.randint(7, (2, 9))
    speaker, inside = torch.tensor([0, 2]), torch.tensor([False, True])
    logits = prior(indices, speaker, inside)
    assert logits.shape == (2, 9, 7)
    nats = prior.nats(indices, speaker, inside)
    expected = -torch.log_softmax(logits, -1).gather(-1, indices[..., None])[..., 0]
    assert torch.allclose(nats, expected)


def test_codebooks_have_rows_of_their_own():
    prior = small(books=2)
    arguments = torch.randint(7, (1, 9)), torch.tensor([0]), torch.tensor([False])
    before = prior(*arguments)
    with torch.no_grad():
        prior.output.weight[7:] += 1
    after = prior(*arguments)
    assert torch.equal(before[:, ::2], after[:, ::2])
    assert not torch.allclose(before[:, 1::2], after[:, 1::2])
    with torch.no_grad():
        prior.embedding.weight[7:14] += 1  # what the second codebook said is seen from frame 2 on
    seen = prior(*arguments)
    assert torch.equal(after[:, :2], seen[:, :2])
    assert not torch.allclose(after[:, 2:], seen[:, 2:])


def test_a_code_is_not_seen_before_its_time():
    prior = small()
    one, two = torch.randint(7, (1, 9)), torch.randint(7, (1, 9))
    two[:, :5] = one[:, :5]
    two[:, 5] = (one[:, 5] + 1) % 7
    speaker, inside = torch.tensor([1]), torch.tensor([False])
    a, b = prior(one, speaker, inside), prior(two, speaker, inside)
    assert torch.equal(a[:, :6], b[:, :6])
    assert not torch.allclose(a[:, 6], b[:, 6])


def test_speaker_and_beginning_matter():
    prior = small()
    indices, speaker = torch.randint(7, (1, 4)), torch.tensor([0])
    told = prior(indices, speaker, torch.tensor([False]))
    assert not torch.allclose(told, prior(indices, speaker, torch.tensor([True])))
    anybody = torch.tensor([prior.any_speaker])
    assert not torch.allclose(told, prior(indices, anybody, torch.tensor([False])))


def test_dropout_is_for_training_only():
    prior = small(dropout=0.5)
    arguments = torch.randint(7, (1, 6)), torch.tensor([0]), torch.tensor([False])
    assert not torch.equal(prior(*arguments), prior(*arguments))
    prior.eval()
    assert torch.equal(prior(*arguments), prior(*arguments))
