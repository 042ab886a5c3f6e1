"""The cost of a pass over a dataset beside its two parts, and the growth of its memory with the number of images.

Throughput, in turns: ``decode`` reads and cuts all images in as many threads as a pass has, ``forward`` reads z and s
of images that are cut already, ``profile`` is the whole: both, the counting and the files. Where decoding and the
network share the cores, the best that can be is the sum of the two times; where they do not (a GPU), the longer one.

Memory: the peak of a process that profiles 2,000 images, and of one that profiles 20,000 (the same images over and
over), at 32 by 32 pixels, as only the number of images matters (Linux).

Bar: at least 0.85 of the throughput of the parts; memory at 20,000 images within 5% of that at 2,000.

Usage: python benchmarks/profiles.py [--quick] [--json FILE] [--threads N] [--device NAME]
"""

import io
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from common import arguments, in_fresh_process, turns, write
from PIL import Image

import se_viz
from se_viz.data.dataset_sources import Dataset
from se_viz.data.images import decode
from se_viz.data.preprocess import Preprocess
from se_viz.model.model import Model
from se_viz.zoo import registry

BAR, MEMORY_BAR = 0.85, 1.05
CLASSES, BATCH = 10, 32


def photographs(count: int) -> list[bytes]:
    """JPEGs of 224 by 224 pixels whose detail falls off as a photo's does."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(count):
        small = Image.fromarray(rng.integers(0, 256, (28, 28, 3), dtype=np.uint8))
        pixels = np.asarray(small.resize((224, 224), Image.Resampling.BICUBIC)) + rng.normal(0, 4, (224, 224, 3))
        file = io.BytesIO()
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
        files.append(file.getvalue())
    return files


def repeated(files: list[bytes], count: int) -> Dataset:
    """A dataset of ``count`` images, all from memory: the disk is not what is measured."""
    labels = np.arange(count, dtype=np.int32) * CLASSES // count
    return Dataset(
        "repeated",
        "python",
        tuple(f"class {number}" for number in range(CLASSES)),
        [f"{number:08}.jpg" for number in range(count)],
        labels,
        lambda index: (decode(f"{index}", files[index % len(files)]), int(labels[index])),
    )


def peak(count: int) -> float:
    """Return the MB that a fresh process takes to profile a number of images."""
    taken = in_fresh_process(measure_peak, count, imported=("se_viz.profiles.profile", "se_viz.zoo.registry"))
    if isinstance(taken, str):
        sys.exit(f"Profiling {count} images {taken}")
    return taken


def measure_peak(count: int) -> float:
    """Profile, and return the largest resident size; ``peak`` runs this."""
    torch.set_num_threads(1)
    network = registry.build("demo/r16")
    model = Model("small", network.module, Preprocess(crop=(32, 32), resize=32), network.classes)
    with tempfile.TemporaryDirectory() as out:
        se_viz.profile(model, repeated(photographs(100), count), out, batch=BATCH)
    # Not getrusage: a process inherits the peak of the one that started it.
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def main() -> None:
    """Print ratios and peaks."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="torch's own")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    images = 48 if options.quick else 512
    # As a pass reads it.
    model = se_viz.load("demo/r16", options.device, fast=False)
    listed = repeated(photographs(min(images, 256)), images)

    def cut(index: int) -> np.ndarray:
        return model.preprocess.pixels(listed.read(index)[0].rgb)

    def decoded() -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
            yield from pool.map(cut, range(images))

    ready = torch.from_numpy(np.stack(list(decoded())))

    def forward() -> None:
        for batch in ready.split(BATCH):
            se_viz.capture(model, model.preprocess.normalise(batch), batch=BATCH)

    def whole() -> None:
        with tempfile.TemporaryDirectory() as out:
            se_viz.profile(model, listed, out, batch=BATCH)

    ways = {"decode": lambda: list(decoded()), "forward": forward, "profile": whole}
    taken = turns(ways, seconds=0 if options.quick else 90, least=1 if options.quick else 5)
    times = {name: statistics.median(values) for name, values in taken.items()}
    shared = model.device.type == "cpu"
    best = times["decode"] + times["forward"] if shared else max(times["decode"], times["forward"])
    ratio = best / times["profile"]
    print(f"{images} images, {options.threads} torch threads, {model.device}, medians of {len(taken['profile'])} turns")
    for name, value in times.items():
        print(f"{name:10}{1000 * images / value:9.0f} images/s")
    against = "decode and forward one after the other" if shared else "the slower part"
    print(f"profile has {ratio:.2f} of the throughput of {against}; bar {BAR}: {'met' if ratio >= BAR else 'missed'}")
    few, many = (64, 128) if options.quick else (2000, 20_000)
    small, large = peak(few), peak(many)
    growth = large / small
    print(
        f"peak memory {small:.0f} MB at {few:,} images, {large:.0f} MB at {many:,}: {growth:.3f} times as much; ",
        end="",
    )
    print(f"bar {MEMORY_BAR}: {'met' if growth <= MEMORY_BAR else 'missed'}")
    write(options.json, {"milliseconds": taken, "ratio": ratio, "peak_mb": {few: small, many: large}})


if __name__ == "__main__":
    main()
