"""Use the page as visitors would, in a real browser, and keep pictures of it.

    python recipes/demo/screenshots.py [--out exp/demo] [--chromium PROGRAM] [--model FOLDER]

Converts an example on a wide screen and on a phone's, uses every other tab, uploads what is no
recording, stops what runs, looks at the contrast of all words, dark and light, and has two visitors
at once. Needs playwright and a Chromium. Writes demo-desktop.webp, demo-phone.webp, demo-<tab>.webp
and demo-refused.webp; ends with an error where the page does not do what it should, is wider than
its screen or hard to read.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from vqspeech.demo.launch import launch

SCREENS = {"desktop": (1200, 900), "phone": (400, 860)}
EXAMPLE = "a woman, to a man's voice"
PATIENCE_MS = 180_000
DRAWN_MS = 3000
"""Waveforms are drawn after they are there."""
CONTRAST = 4.5
"""Of words with what they stand on, at least (WCAG 2.2, success criterion 1.4.3)."""
FAINT = """least => {
  const parts = colour => { const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return {rgb: [r, g, b], a}; };
  const luminance = ({rgb}) => { const [r, g, b] = rgb.map(v => v / 255).map(
      v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const ground = at => { for (; at; at = at.parentElement) {
      const found = parts(getComputedStyle(at).backgroundColor); if (found.a > 0.9) return found; }
    return {rgb: [255, 255, 255]}; };
  return [...document.querySelectorAll("body *")].filter(at => at.checkVisibility()
      && [...at.childNodes].some(node => node.nodeType == 3 && node.textContent.trim())).map(at => {
    const [dim, bright] = [parts(getComputedStyle(at).color), ground(at)].map(luminance)
      .sort((a, b) => a - b);
    return [(bright + 0.05) / (dim + 0.05), at.textContent.trim().slice(0, 60)];
  }).filter(([contrast]) => contrast < least);
}"""
"""What of a page's words has less contrast than that: [contrast, words] each."""


def keep(page: Page, path: Path) -> None:
    page.wait_for_timeout(DRAWN_MS)
    width, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width > screen:
        raise RuntimeError(f"{path.name}: the page is {width} wide on a screen of {screen}")
    Image.open(io.BytesIO(page.screenshot(full_page=True))).save(path, quality=80)
    print(f"wrote {path}")


def visit(browser: Browser, address: str, screen: str = "desktop") -> Page:
    width, height = SCREENS[screen]
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    return page


def press(page: Page, button: str) -> None:
    page.get_by_role("button", name=button, exact=True).locator("visible=true").click()


def wait(page: Page, state: str) -> str:
    """The line under the buttons of the open tab, once it is `done` or `failed`."""
    line = page.locator(f".vq-{state} >> visible=true")
    line.wait_for()
    return line.inner_text()


def take_example(page: Page, name: str) -> None:
    page.get_by_text(name, exact=True).locator("visible=true").click()
    page.wait_for_timeout(DRAWN_MS)


def other_tabs(page: Page, out: Path) -> None:
    page.get_by_role("tab", name="Codec").click()
    take_example(page, "a man")
    press(page, "Encode and decode")
    print(wait(page, "done"))
    keep(page, out / "demo-codec.webp")
    page.get_by_role("tab", name="Generate").click()
    press(page, "Generate")
    first = wait(page, "done")
    press(page, "Again, with the next seed")
    page.locator(".vq-done >> visible=true", has_text="seed 1 ").wait_for()
    print(first, wait(page, "done"), sep="\n")
    keep(page, out / "demo-generate.webp")
    page.get_by_role("tab", name="About").click()
    keep(page, out / "demo-about.webp")


def refusals(browser: Browser, address: str, out: Path) -> None:
    """Upload what the page must refuse, each as a visitor of its own."""
    with tempfile.TemporaryDirectory() as folder:
        files = {name: Path(folder, f"{name}.wav") for name in ("long", "empty", "text", "silent")}
        hum = 0.1 * np.sin(np.arange(40 * 16_000) * 0.05)
        soundfile.write(files["long"], hum, 16_000)
        soundfile.write(files["silent"], hum[:0], 16_000)
        files["empty"].touch()
        files["text"].write_text("this is no recording\n" * 100)
        for name, file in files.items():
            page = visit(browser, address)
            page.locator("input[type=file]").first.set_input_files(file)
            page.wait_for_timeout(DRAWN_MS)
            press(page, "Convert")
            print(f"{name}: {wait(page, 'failed')}")
            if name == "long":
                keep(page, out / "demo-refused.webp")
            page.context.close()


def faults_and_stops(browser: Browser, address: str) -> None:
    """A fault is said until it is mended; what was stopped can be begun again."""
    page = visit(browser, address)
    press(page, "Convert")
    print(f"nothing: {wait(page, 'failed')}")
    take_example(page, EXAMPLE)
    page.locator(".vq-failed >> visible=true").wait_for(state="detached")
    press(page, "Convert")
    wait(page, "busy")
    press(page, "Stop")
    page.get_by_text("stopped", exact=True).locator("visible=true").wait_for()
    page.wait_for_timeout(DRAWN_MS)
    press(page, "Convert")
    print(f"stopped, and again: {wait(page, 'done')}")
    page.context.close()


def readable(browser: Browser, address: str) -> None:
    """All words of all tabs stand out from what is behind them."""
    for scheme in ("light", "dark"):
        page = browser.new_context(color_scheme=scheme).new_page()
        page.goto(address)
        page.wait_for_timeout(DRAWN_MS)
        for tab in page.get_by_role("tab").all():
            tab.click()
            page.wait_for_timeout(500)
            if faint := page.evaluate(FAINT, CONTRAST):
                raise RuntimeError(f"hard to read, {scheme}, tab {tab.inner_text()}: {faint}")
        page.context.close()
    print(f"all words have a contrast of at least {CONTRAST}")


def two_at_once(browser: Browser, address: str) -> None:
    pages = [visit(browser, address) for _ in range(2)]
    for page, example in zip(pages, (EXAMPLE, "a man, to a woman's voice"), strict=True):
        take_example(page, example)
    for page in pages:
        press(page, "Convert")
    said = [wait(page, "done") for page in pages]
    if not (said[0].startswith("woman") and said[1].startswith("man")):
        raise RuntimeError(f"two visitors at once got {said}")
    print("two at once:", *said, sep="\n  ")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("exp/demo"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--model")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    address, close = launch(args.model, block=False)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
            for screen in SCREENS:
                page = visit(browser, address, screen)
                take_example(page, EXAMPLE)
                press(page, "Convert")
                print(wait(page, "done"))
                keep(page, args.out / f"demo-{screen}.webp")
                if screen == "desktop":
                    other_tabs(page, args.out)
                page.context.close()
            refusals(browser, address, args.out)
            faults_and_stops(browser, address)
            readable(browser, address)
            two_at_once(browser, address)
            browser.close()
    finally:
        close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
