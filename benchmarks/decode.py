"""A 12-megapixel JPEG → a model's input: through ``se_viz.data``, in this process and in a child, and the plain way.

A file from outside is decoded in a child process; the bar for what that costs is 1.3 times the same work in this one.
Beside it what a trip to a child costs a small file, alone and with seven others.

Usage: python benchmarks/decode.py [--quick]
"""

import argparse
import io
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image

from se_viz.data.batches import MOST_FILES
from se_viz.data.image_files import read
from se_viz.data.images import decode
from se_viz.data.preprocess import Preprocess
from se_viz.data.untrusted import decode_files

WIDTH, HEIGHT = 4000, 3000
BAR_MS, BAR_CHILD = 100, 1.3


def photograph(*, quick: bool = False) -> bytes:
    """A JPEG with the spectrum of a photo (amplitude falls as 1 / frequency) and a camera's noise, 3 to 5 MB.

    The quick one has a quarter of its sides.
    """
    width, height = (WIDTH // 4, HEIGHT // 4) if quick else (WIDTH, HEIGHT)
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = np.inf
    planes = []
    for _ in range(3):
        phase = np.exp(2j * np.pi * rng.random(frequency.shape))
        plane = np.fft.irfft2(phase / frequency, s=(height, width))
        planes.append(plane / plane.std())
    shared = planes[0]
    channels = [128 + 50 * (0.8 * shared + 0.2 * plane) + rng.normal(0, 2, shared.shape) for plane in planes]
    pixels = np.stack(channels, axis=-1).clip(0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=82)
    return file.getvalue()


def milliseconds(work: Callable[[], object]) -> float:
    """Return the time of one call in milliseconds."""
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="3 runs instead of 21, of a smaller photograph")
    quick = parser.parse_args().quick
    runs = 3 if quick else 21

    # One image is too little to share out: on a busy machine the threads wait for each other 20 ms.
    torch.set_num_threads(1)
    content = photograph(quick=quick)
    preprocess = Preprocess()

    def ours() -> object:
        return preprocess(decode("photo.jpg", content).rgb)

    def child() -> object:
        return preprocess(decode_files([("photo.jpg", content)])[0].rgb)

    def page() -> object:
        return preprocess(read([("photo.jpg", content)]).images[0].rgb)

    def plain() -> object:
        return preprocess(Image.open(io.BytesIO(content)).convert("RGB"))

    ways = {
        "decode, in this process": ours,
        "decode_files, in a child": child,
        "read, as the page does": page,
        "Image.open().convert('RGB')": plain,
    }
    for work in ways.values():
        work()
    # Turn by turn, so that whatever else the machine does falls on both.
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, work in ways.items():
            times[name].append(milliseconds(work))

    width, height = Image.open(io.BytesIO(content)).size
    print(f"{width} by {height} JPEG of {len(content) / 1e6:.1f} MB to a (1, 3, 128, 128) tensor, {runs} runs, ms")
    print(f"{'':30}{'median':>9}{'min':>9}")
    for name, taken in times.items():
        print(f"{name:30}{statistics.median(taken):9.1f}{min(taken):9.1f}")
    mine, apart, _, theirs = (statistics.median(times[name]) for name in ways)
    print(f"{theirs / mine:.1f} times as fast; bar {BAR_MS} ms: {'met' if mine < BAR_MS else 'missed'}")
    ratio = apart / mine
    least = min(times["decode_files, in a child"]) / min(times["decode, in this process"])
    met = "met" if ratio <= BAR_CHILD else "missed"
    print(f"a child takes {ratio:.2f} times as long ({least:.2f} of the shortest); bar {BAR_CHILD}: {met}")

    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, "PNG")
    small = ("small.png", file.getvalue())
    trips = {1: [], MOST_FILES: []}
    for _ in range(runs):
        for files, taken in trips.items():
            taken.append(milliseconds(lambda files=files: decode_files([small] * files)) / files)
    listed = ", ".join(f"{statistics.median(taken):.1f} ms in calls of {files}" for files, taken in trips.items())
    print(f"a trip to a child costs a small file {listed}")


if __name__ == "__main__":
    main()
