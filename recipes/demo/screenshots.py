"""Use the page as a visitor would, in a real browser, and keep pictures of it.

    python recipes/demo/screenshots.py [--out exp/demo] [--chromium PROGRAM] [--model FOLDER]

Converts an example on a wide screen, again on a phone's, and opens the other tabs. Needs playwright
and a Chromium. Writes demo-desktop.webp, demo-phone.webp and demo-<tab>.webp; fails where the page
reports an error or is wider than its screen.
"""

import argparse
import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from vqspeech import demo

SCREENS = {"desktop": (1200, 900), "phone": (400, 860)}
EXAMPLE = "a woman, to a man's voice"
PATIENCE_MS = 180_000


def keep(page: Page, path: Path) -> None:
    width, screen = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
    if width > screen:
        raise RuntimeError(f"{path.name}: the page is {width} wide on a screen of {screen}")
    Image.open(io.BytesIO(page.screenshot(full_page=True))).save(path, quality=80)
    print(f"wrote {path}")


def convert(page: Page) -> None:
    page.get_by_text(EXAMPLE).click()
    page.wait_for_timeout(3000)
    page.get_by_role("button", name="Convert", exact=True).click()
    page.wait_for_selector(".vq-done", timeout=PATIENCE_MS)
    page.wait_for_timeout(3000)  # waveforms are drawn after they are there


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("exp/demo"))
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--model")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    address, close = demo.launch(args.model, block=False)
    try:
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
            for name, (width, height) in SCREENS.items():
                page = browser.new_page(viewport={"width": width, "height": height})
                page.set_default_timeout(PATIENCE_MS)
                page.goto(address)
                convert(page)
                keep(page, args.out / f"demo-{name}.webp")
                if name == "desktop":
                    for tab in ("Codec", "Generate", "About"):
                        page.get_by_role("tab", name=tab).click()
                        page.wait_for_timeout(1500)
                        keep(page, args.out / f"demo-{tab.lower()}.webp")
                page.close()
            browser.close()
    finally:
        close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
