"""What the tabs of the page share: fields, buttons, results, and what a button does."""

import secrets
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import soundfile

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.demo import words
from vqspeech.demo.studio import Studio
from vqspeech.demo.tidy import Folder
from vqspeech.errors import InputError

BUSY = "codec"
"""The queue of whatever computes for long."""


def recording(studio: Studio, label: str) -> gr.Audio:
    """Where a visitor uploads or records."""
    return gr.Audio(
        sources=["upload", "microphone"],
        type="filepath",
        label=f"{label} (up to {studio.limits.seconds:g} s)",
        buttons=[],
    )


def options(studio: Studio) -> tuple[gr.Radio, gr.Number]:
    """How sound is made from codes, and the seed."""
    with gr.Row(equal_height=False):
        renderer = gr.Radio(
            [(words.renderer(how), how) for how in studio.renderers],
            value=studio.renderers[0],
            label="How the codes become sound",
            scale=4,
            min_width=300,
        )
        seed = gr.Number(
            0, label="Seed", info="the same gives the same", precision=0, min_width=120, scale=1
        )
    return renderer, seed


def buttons(label: str) -> tuple[gr.Button, gr.Button, gr.HTML]:
    """The button that starts, the one that stops, and where the page says what it does."""
    with gr.Row():
        go = gr.Button(label, variant="primary", scale=3, min_width=160)
        stop = gr.Button("Stop", scale=1, min_width=80)
    return go, stop, gr.HTML(words.idle(), min_height=44)


def results(label: str) -> tuple[gr.Audio, gr.DownloadButton, gr.HTML]:
    """The sound, the codes to take away, and the picture."""
    result = gr.Audio(label=label, interactive=False, buttons=["download"])
    codes = gr.DownloadButton("Codes (.npy)", size="sm", visible=False)
    return result, codes, gr.HTML()


def run(
    go: gr.Button,
    stop: gr.Button,
    work: Callable,
    inputs: list,
    outputs: list,
    again: tuple[gr.Button, gr.Number] | None = None,
) -> None:
    """Let `go` run the generator `work`, and `stop` end it.

    What is wrong is said, not raised, until one of the inputs is another.

    again: a button that adds one to the seed beside it, and then does as `go` does.
    """

    def guarded(*values) -> Iterator[tuple]:
        yield words.busy("reading", 0.0), None, gr.update(visible=False), *[""] * (len(outputs) - 3)
        try:
            yield from work(*values)
        except InputError as error:
            yield words.failed(error), *skips(len(outputs) - 1)

    shown = {"show_progress": "minimal", "show_progress_on": outputs[0]}
    event = go.click(guarded, inputs, outputs, api_name=work.__name__, concurrency_id=BUSY, **shown)
    events: list[Any] = [event]
    if again:
        button, seed = again
        step = button.click(words.next_seed, seed, seed, api_visibility="private", queue=False)
        hidden = {"api_visibility": "private", "concurrency_id": BUSY, **shown}
        events.append(step.then(guarded, inputs, outputs, **hidden))
    line = {"inputs": outputs[0], "outputs": outputs[0], "queue": False, "show_progress": "hidden"}
    line["api_visibility"] = "private"
    changes = [field.change for field in inputs]
    gr.on(changes, lambda status: words.mended(status) or gr.skip(), **line)
    stop.click(lambda status: words.stopped(status) or gr.skip(), cancels=events, **line)


def heard(
    sounds: Iterable[tuple[float, np.ndarray | None]], what: str, others: int
) -> Generator[tuple, None, np.ndarray]:
    """What `Studio.decode` makes, once it is there; until then yields how far it is, for the line
    that says so and `others` outputs that stay as they are."""
    for share, wave in sounds:
        if wave is not None:
            return wave
        yield words.busy(what, share), *skips(others)
    raise InputError("stopped")


def skips(count: int) -> list:
    """For outputs that stay as they are."""
    return [gr.skip()] * count


def own_place(folder: Folder, name: str) -> Path:
    """Where a file of that name can be written that is one visitor's alone."""
    place = folder.path / secrets.token_hex(16)
    place.mkdir()
    return place / name


def sound_file(folder: Folder, wave: np.ndarray) -> str:
    """Speech, int16 [T], as a file. Gradio names what it is given as an array by its samples, and
    writes it once more while another visitor, who made the same, is fetching it."""
    path = own_place(folder, "speech.wav")
    soundfile.write(path, wave, SAMPLE_RATE)
    return str(path)


def codes_file(folder: Folder, codes: Codes) -> dict:
    """The codes as a file that can be taken away."""
    path = own_place(folder, "codes.npy")
    codes.save_npy(path)
    return gr.update(value=str(path), visible=True)
