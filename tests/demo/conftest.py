import pytest

pytest.importorskip("gradio")
from vqspeech import Codec
from vqspeech.demo.settings import Limits
from vqspeech.demo.studio import Studio


@pytest.fixture(scope="session")
def studio(tiny_model):
    """The tiny model behind limits of two seconds and 0.2 MB."""
    return Studio(Codec.from_pretrained(tiny_model, device="cpu"), Limits(2.0, 0.2))
