"""A hundred visits to the page, four at once: errors, memory, what is left in its folder.

    python recipes/demo/load.py [--visits 100] [--at-once 4] [--model FOLDER]

Starts the page itself, with the shipped model, sends conversions and reconstructions of the example
sounds through real uploads, and at the end waits until the page's own sweep has emptied its folder.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gradio_client import Client, handle_file

from vqspeech import demo
from vqspeech.demo.studio import SOUNDS, Limits


def resident() -> float:
    """MiB of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=4)
    parser.add_argument("--model")
    args = parser.parse_args()
    demo.SWEEP_SECONDS = 1.0
    limits = Limits(queue=args.visits, keep_minutes=1.0)
    address, close = demo.launch(args.model, limits=limits, block=False)
    folder = Path(os.environ["GRADIO_TEMP_DIR"])
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
        memory.append(resident())
        return "vq-done" in shown[0]

    start = time.perf_counter()
    with ThreadPoolExecutor(args.at_once) as pool:
        good = sum(pool.map(visit, range(args.visits)))
    took = time.perf_counter() - start
    tenth = max(1, len(memory) // 10)
    print(f"{good} of {args.visits} visits well, {args.at_once} at once, {took:.0f} s")
    print(f"memory of page and visitors: {memory[tenth - 1]:.0f} MiB after {tenth} visits, "
          f"{memory[len(memory) // 2]:.0f} after half, {memory[-1]:.0f} at the end")  # fmt: skip
    limit = time.monotonic() + 60 * limits.keep_minutes + 60
    while (left := {p for p in folder.rglob("*") if p.is_file()} - before) and (
        time.monotonic() < limit
    ):
        time.sleep(1)
    print(f"files left by visitors: {len(left)}")
    close()
    print(f"folder there after closing: {folder.exists()}")
    return 0 if good == args.visits and not left and not folder.exists() else 1


if __name__ == "__main__":
    sys.exit(main())
