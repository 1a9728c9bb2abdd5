"""The web page: convert a voice, hear the codec, generate speech. Needs the `demo` extra (Gradio).

Safe by default: it listens on this machine alone, has no public link, limits what a visitor may
upload, keeps files in one private folder that it empties, and tells nobody that it runs.
"""
