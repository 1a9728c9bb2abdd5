"""The page itself: Gradio Blocks over a `Studio`. Layout and words; no signal processing."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr

from vqspeech.audio.signal import SAMPLE_RATE
from vqspeech.codes.codes import Codes
from vqspeech.demo import words
from vqspeech.demo.studio import SOUNDS, Studio
from vqspeech.demo.style import CSS, theme
from vqspeech.demo.tidy import Folder
from vqspeech.errors import InputError

__all__ = ["CSS", "build", "theme"]

BUSY = "codec"
"""The queue of whatever computes for long."""


def build(studio: Studio, folder: Folder, card: Path) -> gr.Blocks:
    """The page. folder: where its files go. card: the model card that About shows."""
    with gr.Blocks(title="vqspeech", analytics_enabled=False) as page:
        gr.HTML(words.heading(studio))
        with gr.Tabs():
            with gr.Tab("Convert", id="convert"):
                _convert_tab(page, studio, folder)
            with gr.Tab("Codec", id="codec"):
                _codec_tab(studio, folder)
            if studio.generates:
                from vqspeech.demo.generate import generate_tab

                with gr.Tab("Generate", id="generate"):
                    generate_tab(studio, folder)
            with gr.Tab("About", id="about"):
                gr.Markdown(words.about(studio, card), elem_classes="vq-about")
    return page


def _convert_tab(page: gr.Blocks, studio: Studio, folder: Folder) -> None:
    voices = studio.voices()
    women, men = (studio.voices(gender) for gender in ("f", "m"))
    target = gr.Dropdown(
        voices, value=voices[0][1], label="Target voice (type to search)", render=False
    )
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            source = recording(studio, "Source")
            gr.Examples(
                [
                    [str(SOUNDS / "woman.flac"), (men or voices)[0][1]],
                    [str(SOUNDS / "man.flac"), (women or voices)[0][1]],
                ],
                [source, target],
                label="Or try one of these, then press Convert",
                example_labels=["a woman, to a man's voice", "a man, to a woman's voice"],
                api_visibility="private",
            )
        with gr.Column(min_width=300):
            gender = gr.Radio(
                [("all voices", ""), ("women", "f"), ("men", "m")],
                value="",
                label="Which voices",
                elem_classes="vq-inline",
            )
            target.render()
            heard = gr.Audio(
                label="The target says a sentence",
                interactive=False,
                buttons=[],
                elem_classes="vq-small",
            )
    pitch = gr.Radio(
        [("moved to the target's, where known", "target"), ("kept as it is", "keep")],
        value="target",
        label="Pitch of the source",
    )
    renderer, seed = options(studio)
    go, stop, status = buttons("Convert")
    result, codes, picture = results("Result: the same words in the target's voice")

    def convert(path, voice, moved, how, number):
        read = studio.read(path)
        found, change = studio.encode(read, voice, moved)
        for share, wave in studio.decode(found, voice, how, read.level, words.seed(number), change):
            if wave is None:
                yield words.busy(f"speaking as {voice}", share), *skips(3)
        file = codes_file(folder, found)
        said = words.done(studio, found, how, f"{read.name} as {voice}")
        yield words.busy("drawing", 1.0), (SAMPLE_RATE, wave), file, gr.skip()
        yield said, *skips(2), studio.picture(read, wave, found, f"result: {voice}")

    run(
        go, stop, convert, [source, target, pitch, renderer, seed], [status, result, codes, picture]
    )
    gender.change(
        lambda one: gr.update(choices=studio.voices(one or None), value=None),
        gender,
        target,
        api_visibility="private",
        show_progress="hidden",
    )
    gr.on(
        [page.load, target.change],
        lambda voice: (SAMPLE_RATE, studio.sample(voice)) if voice else None,
        target,
        heard,
        api_visibility="private",
        show_progress="minimal",
        trigger_mode="always_last",
    )


def _codec_tab(studio: Studio, folder: Folder) -> None:
    with gr.Row(equal_height=False):
        with gr.Column(min_width=300):
            source = recording(studio, "Recording")
            gr.Examples(
                [[str(SOUNDS / "woman.flac")], [str(SOUNDS / "man.flac")]],
                [source],
                label="Or try one of these, then press the button",
                example_labels=["a woman", "a man"],
                api_visibility="private",
            )
        with gr.Column(min_width=300):
            voice = gr.Dropdown(
                [("the closest voice, found automatically", ""), *studio.voices()],
                value="",
                label="Decode as",
            )
            gr.HTML(words.codec_note(studio))
    renderer, seed = options(studio)
    go, stop, status = buttons("Encode and decode")
    result, codes, picture = results("Decoded from the codes")
    sizes = gr.HTML()

    def reconstruct(path, name, how, number):
        read = studio.read(path)
        yield words.busy("looking for the closest voice", 0.0), *skips(4)
        name = name or studio.nearest(read)
        found = studio.codec.encode(read.wave)
        for share, wave in studio.decode(found, name, how, read.level, words.seed(number)):
            if wave is None:
                yield words.busy(f"decoding as {name}", share), *skips(4)
        file = codes_file(folder, found)
        table = words.sizes(studio.sizes(read, found))
        yield words.busy("drawing", 1.0), (SAMPLE_RATE, wave), file, gr.skip(), table
        said = words.done(studio, found, how, f"{read.name} as {name}")
        yield said, *skips(2), studio.picture(read, wave, found, f"decoded as {name}"), gr.skip()

    outputs = [status, result, codes, picture, sizes]
    run(go, stop, reconstruct, [source, voice, renderer, seed], outputs)


# Parts that tabs share


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
    """Let `go` run the generator `work`, and `stop` end it. What is wrong is said, not raised.

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
    events = [event]
    if again:
        button, seed = again
        step = button.click(words.next_seed, seed, seed, api_visibility="private", queue=False)
        hidden = {"api_visibility": "private", "concurrency_id": BUSY, **shown}
        events.append(step.then(guarded, inputs, outputs, **hidden))
    stop.click(
        words.stopped, None, outputs[0], cancels=events, queue=False, api_visibility="private"
    )


def skips(count: int) -> list:
    """For outputs that stay as they are."""
    return [gr.skip()] * count


def codes_file(folder: Folder, codes: Codes) -> dict:
    """The codes as a file that can be taken away."""
    place = folder.path / secrets.token_hex(16)
    place.mkdir()
    codes.save_npy(place / "codes.npy")
    return gr.update(value=str(place / "codes.npy"), visible=True)
