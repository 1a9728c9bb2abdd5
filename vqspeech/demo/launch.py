"""Serves the page: `launch`."""

import os
import threading
from contextlib import ExitStack

from vqspeech.demo.settings import Serving
from vqspeech.errors import InputError

SWEEP_SECONDS = 20.0
OPEN_HOSTS = ("0.0.0.0", "::")
"""Addresses that the whole network can reach."""


def launch(
    model: str | None = None,
    device: str = "auto",
    serving: Serving | None = None,
    block: bool = True,
):
    """Serve the page; returns when it is interrupted (block), else (address, function to close it).

    Raises InputError: no Gradio, no such model, a port that is taken.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before it is imported
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"the page needs the demo extra: pip install 'vqspeech[demo]' ({error})"
        ) from None
    from vqspeech.checkpoint.location import resolve
    from vqspeech.codec import Codec
    from vqspeech.demo.page import build
    from vqspeech.demo.studio import Studio
    from vqspeech.demo.style import CSS, theme
    from vqspeech.demo.tidy import Folder

    serving = serving or Serving()
    limits = serving.limits
    studio = Studio(Codec.from_pretrained(model, device=device), limits, serving.voices)
    tidy = ExitStack()
    folder = tidy.enter_context(Folder(60 * limits.keep_minutes, SWEEP_SECONDS))
    before = os.environ.get("GRADIO_TEMP_DIR")
    tidy.callback(os.environ.update, {} if before is None else {"GRADIO_TEMP_DIR": before})
    tidy.callback(os.environ.pop, "GRADIO_TEMP_DIR", None)
    os.environ["GRADIO_TEMP_DIR"] = str(folder.path)
    try:
        page = build(studio, folder, resolve(model) / "README.md")
        folder.keep()
        page.queue(max_size=limits.queue, default_concurrency_limit=limits.jobs)
        _, address, _ = page.launch(
            server_name=serving.host,
            server_port=serving.port,
            share=serving.share,
            max_file_size=round(limits.megabytes * 1e6),
            max_threads=4 * limits.jobs + 8,
            show_error=False,
            quiet=True,
            footer_links=[],
            run_history=False,
            enable_monitoring=False,
            ssr_mode=False,
            theme=theme(),
            css=CSS,
            prevent_thread_lock=True,
        )
    except OSError as error:
        tidy.close()
        raise InputError(f"the page cannot be served ({error}); choose another --port") from None
    except BaseException:
        tidy.close()
        raise

    def close() -> None:
        page.close(verbose=False)
        tidy.close()

    if not block:
        return address, close
    from vqspeech.cli.output import say

    say(f"the page is at {page.share_url or address} (Ctrl-C ends it)")
    if serving.host in OPEN_HOSTS or serving.share:
        say("anybody who can reach this address can use it")
    try:
        threading.Event().wait()  # Gradio's own way of waiting takes Ctrl-C for itself
    finally:
        close()
    return None
