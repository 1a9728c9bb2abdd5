"""A hundred visits to the page, four at once: errors, memory, what is left in its folder.

    python recipes/demo/load.py [--visits 100] [--at-once 4] [--model FOLDER]

Starts the page in a process of its own, with the shipped model, sends conversions and
reconstructions of the example sounds through real uploads, and at the end waits until the page's
own sweep has emptied its folder. Memory is the page's alone, read after each visit; a line gives
the median of each tenth of the visits. It ends with 1 where a visit failed, a file was left, or
the last tenth holds more than 5 % more than the visits from the third tenth to the fifth.
"""

import argparse
import os
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from gradio_client import Client, handle_file

import vqspeech.demo.launch as serving
from vqspeech.demo.settings import Limits, Serving
from vqspeech.demo.studio import SOUNDS

KEEP_MINUTES = 1.0
FLAT = 1.05
"""Memory at the end over memory before the middle, at most."""


def serve(model: str | None, visits: int, pipe) -> None:
    """The page, in this process, until the pipe says otherwise."""
    serving.SWEEP_SECONDS = 1.0
    limits = Limits(queue=visits, keep_minutes=KEEP_MINUTES)
    address, close = serving.launch(model, serving=Serving(limits=limits), block=False)
    pipe.send((address, os.environ["GRADIO_TEMP_DIR"]))
    pipe.recv()
    close()


def resident(process: int) -> float:
    """MiB of memory that a process holds."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--model")
    args = parser.parse_args()
    context = get_context("spawn")
    pipe, theirs = context.Pipe()
    page = context.Process(target=serve, args=(args.model, args.visits, theirs))
    page.start()
    address, folder = pipe.recv()
    folder = Path(folder)
    before = {path for path in folder.rglob("*") if path.is_file()}
    options = {"verbose": False, "download_files": False, "httpx_kwargs": {"timeout": 600}}
    clients = [Client(address, **options) for _ in range(args.at_once)]
    memory: list[float] = []

    def visit(number: int) -> bool:
        client, sound = clients[number % len(clients)], ("woman", "man")[number % 2]
        file = handle_file(str(SOUNDS / f"{sound}.flac"))
        if number % 3:
            shown = client.predict(file, "libri-26", "keep", "preview", number, api_name="/convert")
        else:
            shown = client.predict(file, "libri-19", "preview", number, api_name="/reconstruct")
        memory.append(resident(page.pid))
        return "vq-done" in shown[0]

    start = time.perf_counter()
    with ThreadPoolExecutor(args.at_once) as pool:
        good = sum(pool.map(visit, range(args.visits)))
    took = time.perf_counter() - start
    print(f"{good} of {args.visits} visits well, {args.at_once} at once, {took:.0f} s")
    tenths = [memory[i * len(memory) // 10 : (i + 1) * len(memory) // 10] for i in range(10)]
    middles = [statistics.median(tenth or memory) for tenth in tenths]
    print("memory of the page, MiB, tenth by tenth:", *(f"{middle:.0f}" for middle in middles))
    growth = middles[-1] / statistics.mean(middles[2:5])
    print(f"the last over the third to fifth: {growth:.3f}")
    limit = time.monotonic() + 60 * KEEP_MINUTES + 60
    while (left := {p for p in folder.rglob("*") if p.is_file()} - before) and (
        time.monotonic() < limit
    ):
        time.sleep(1)
    print(f"files left by visitors: {len(left)}; memory at rest {resident(page.pid):.0f} MiB")
    pipe.send("close")
    page.join()
    print(f"folder there after closing: {folder.exists()}")
    well = good == args.visits and not left and not folder.exists() and growth <= FLAT
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
