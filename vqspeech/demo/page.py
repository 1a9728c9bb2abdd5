"""The page itself: Gradio Blocks over a `Studio`. Layout and words; no signal processing."""

from pathlib import Path

import gradio as gr

from vqspeech.checkpoint.voices import Voice
from vqspeech.demo import words
from vqspeech.demo.generate import generate_tab
from vqspeech.demo.parts import (
    buttons,
    codes_file,
    heard,
    options,
    recording,
    results,
    run,
    skips,
    sound_file,
)
from vqspeech.demo.studio import SOUNDS, Studio
from vqspeech.demo.tidy import Folder
from vqspeech.errors import warnings_told
from vqspeech.synthesis.options import REFINED


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
            other = _other_voice(studio)
            sample = gr.Audio(
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

    def convert(path, voice, moved, how, number, other_voice=None):
        read = studio.read(path)
        noted: list[str] = []
        if other_voice:
            yield words.busy("hearing the voice", 0.0), *skips(3)
            with warnings_told(noted.append):  # never around a yield: each step has its own thread
                voice = studio.voice_of(other_voice)
        yield words.busy("encoding", 0.0), *skips(3)
        with warnings_told(noted.append):
            spoken = studio.converted(read, voice, moved)
        voice = voice.name if isinstance(voice, Voice) else voice
        found = spoken.codes
        sounds = studio.decode(spoken, how, read.level, words.seed(number))
        wave = yield from heard(sounds, f"speaking as {voice}", 3)
        file = codes_file(folder, found)
        said = words.done(studio, found, how, f"{read.name} as {voice}", noted)
        yield words.busy("drawing", 1.0), sound_file(folder, wave), file, gr.skip()
        yield said, *skips(2), studio.picture(read, wave, found, f"result: {voice}")

    inputs = [source, target, pitch, renderer, seed, *other]
    run(go, stop, convert, inputs, [status, result, codes, picture])
    gender.change(
        lambda one: gr.update(choices=studio.voices(one or None), value=None),
        gender,
        target,
        api_visibility="private",
        show_progress="hidden",
    )
    gr.on(
        [page.load, target.change],
        lambda voice: sound_file(folder, studio.sample(voice)) if voice else None,
        target,
        sample,
        api_visibility="private",
        show_progress="minimal",
        trigger_mode="always_last",
    )


def _other_voice(studio: Studio) -> list[gr.Audio]:
    """Where a visitor may bring a voice, of a model that hears voices."""
    if not studio.hears:
        return []
    with gr.Accordion("Or a voice of your own, instead of the target", open=False):
        return [recording(studio, "Some seconds of it")]


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
                [words.automatic(studio), *studio.voices()],
                value="",
                label="Decode as",
            )
            rates = studio.rates()
            rate = gr.Radio(
                rates,
                value=rates[0][1],
                label="Rate: more bits keep more of the sound",
                visible=len(rates) > 1,
                elem_classes="vq-inline",
            )
            gr.HTML(words.codec_note(studio))
    renderer, seed = options(studio)
    go, stop, status = buttons("Encode and decode")
    result, codes, picture = results("Decoded from the codes")
    sizes = gr.HTML()

    def reconstruct(path, name, how, number, bitrate=None):
        read = studio.read(path)
        if not name and not studio.hears:
            yield words.busy("looking for the closest voice", 0.0), *skips(4)
            name = studio.nearest(read)
        yield words.busy("encoding", 0.0), *skips(4)
        noted: list[str] = []
        with warnings_told(noted.append):
            found = studio.encode(read, True if name else REFINED, bitrate)
        spoken = studio.spoken(found, name or None)
        name = name or words.OWN
        sounds = studio.decode(spoken, how, read.level, words.seed(number))
        wave = yield from heard(sounds, f"decoding as {name}", 4)
        file = codes_file(folder, found)
        table = words.sizes(studio.sizes(read, found))
        yield words.busy("drawing", 1.0), sound_file(folder, wave), file, gr.skip(), table
        said = words.done(studio, found, how, f"{read.name} as {name}", noted)
        yield said, *skips(2), studio.picture(read, wave, found, f"decoded as {name}"), gr.skip()

    outputs = [status, result, codes, picture, sizes]
    run(go, stop, reconstruct, [source, voice, renderer, seed, rate], outputs)
