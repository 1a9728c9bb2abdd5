"""Runs the web page; on a host of Gradio apps this is the file that is looked for."""

from vqspeech.demo.launch import launch

if __name__ == "__main__":
    launch()
