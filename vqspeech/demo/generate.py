"""The tab that draws new speech from the model's prior over codes."""

import gradio as gr

from vqspeech.demo import words
from vqspeech.demo.parts import buttons, codes_file, heard, results, run, skips, sound_file
from vqspeech.demo.studio import Studio
from vqspeech.demo.tidy import Folder
from vqspeech.synthesis.options import Generation

LONGEST_SECONDS = 15.0


def generate_tab(studio: Studio, folder: Folder) -> None:
    """Speaker, seconds, temperature, top_p, seed; play; again with the next seed."""
    voices = studio.voices()
    with gr.Row(equal_height=False):
        voice = gr.Dropdown(voices, value=voices[0][1], label="Voice", min_width=240)
        longest = min(LONGEST_SECONDS, studio.limits.seconds)
        seconds = gr.Slider(1, longest, min(4, longest), step=0.5, label="Seconds")
    with gr.Row(equal_height=False):
        temperature = gr.Slider(
            0.1, 1.5, 1.0, step=0.05, label="Temperature", info="of the codes; lower is tamer"
        )
        top_p = gr.Slider(0.1, 1.0, 1.0, step=0.05, label="Top p")
        seed = gr.Number(0, label="Seed", precision=0, min_width=120)
    go, stop, status = buttons("Generate")
    again = gr.Button("Again, with the next seed", size="sm")
    result, codes, picture = results("Speech that nobody said")

    def generate(name, length, heat, most, number):
        number = words.seed(number)
        speaker = studio.speaker(name)
        yield words.busy(f"drawing {length:g} s of codes", 0.0), *skips(3)
        known = speaker if name not in studio.enrolled else None  # the prior knows trained voices
        found = studio.codec.generate_codes(known, length, Generation(number, heat, most))
        how = studio.renderers[0]
        sounds = studio.decode(studio.spoken(found, name), how, None, number)
        wave = yield from heard(sounds, f"speaking as {name}", 3)
        said = words.done(studio, found, how, f"seed {number} as {name}")
        picture = studio.picture(None, wave, found, name)
        yield said, sound_file(folder, wave), codes_file(folder, found), picture

    inputs = [voice, seconds, temperature, top_p, seed]
    outputs = [status, result, codes, picture]
    run(go, stop, generate, inputs, outputs, (again, seed))
