"""The cost of interventions, as ratios of times that were measured in turns in one run.

``ablate``: an ablation of demo/r16 with its default edits (each gate, each stage and all, with s set to 1, to its mean
and shuffled) against (edits + 1) bare passes over the same images, which are decoded once and kept in memory, so that
the disk and the decoder are not part of the comparison. ``last gate`` is the same with ten edits of SE_5_2 alone.

Bar: 1.1 of the bare passes; less where edits share what runs before them.

``capture`` and ``peers``: see ``edited_captures.py``; ``channels``: see ``channel_effects.py``. ``slider``: from a move
of the slider on the page Intervene to the end of the rerun, as ``pages.py`` measures it; 150 ms are the bar.

Usage: python benchmarks/interventions.py [--quick] [--json FILE] [--threads N] [--device NAME] [--only PART …]
       [--processor]
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from channel_effects import channels
from client import Server, Session
from common import arguments, quartiles, turns, use_processor_time, write
from edited_captures import capture, peers
from PIL import Image

import se_viz
from se_viz.data.dataset_sources import Dataset
from se_viz.data.images import InputImage
from se_viz.interventions.planned_edits import AblationEdits
from se_viz.model.model import Model

ABLATE_BAR = 1.1
SLIDER_BAR = 150  # ms
BATCH = 32


def images_in_memory(model: Model, count: int) -> Dataset:
    """Return images of noise, labelled by turns; reading one takes no time."""
    height, width = model.preprocess.crop
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)
    images = [
        InputImage(f"{index:06}", f"{index:064x}", Image.fromarray(rgb), (width, height))
        for index, rgb in enumerate(pixels)
    ]
    labels = np.sort(np.arange(count, dtype=np.int32) % len(model.classes))
    return Dataset(
        "noise", "python", model.classes, [image.name for image in images], labels,
        lambda index: (images[index], int(labels[index])),
    )  # fmt: skip


def ablate(options: argparse.Namespace) -> dict[str, object]:
    """Compare ablations with bare passes."""
    model = se_viz.load("demo/r16", options.device, fast=False)
    data = images_in_memory(model, len(model.classes) if options.quick else 8 * BATCH)
    ready = torch.from_numpy(np.stack([model.preprocess.pixels(data.read(index)[0].rgb) for index in range(len(data))]))

    def bare(passes: int) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode():
                for batch in ready.split(BATCH):
                    images = model.preprocess.normalise(batch.to(model.device))
                    for _ in range(passes):
                        model.network(images).cpu()

        return run

    def measured(edits: AblationEdits | None) -> Callable[[], se_viz.Ablation]:
        def run() -> se_viz.Ablation:
            with tempfile.TemporaryDirectory() as out:
                return se_viz.ablate(model, data, out, edits=edits, batch=BATCH)

        return run

    found: dict[str, object] = {}
    every: AblationEdits | None = [1.0] if options.quick else None
    for name, edits in {"ablate": every, "last gate": {"SE_5_2": [value / 10 for value in range(10)]}}.items():
        passes = len(measured(edits)().rows) + 1
        ways: Mapping[str, Callable[[], object]] = {"ablate": measured(edits), "bare": bare(passes)}
        taken = turns(ways, seconds=0 if options.quick else 120, least=1 if options.quick else 3)
        ratios = [ours / theirs for ours, theirs in zip(taken["ablate"], taken["bare"], strict=True)]
        low, ratio, high = quartiles(ratios)
        seconds = {way: statistics.median(times) / 1000 for way, times in taken.items()}
        verdict = "met" if ratio <= ABLATE_BAR else "missed"
        print(
            f"{name}: {passes - 1} edits of {len(data)} images, {seconds['ablate']:.1f} s; {passes} bare passes "
            f"{seconds['bare']:.1f} s; ratio {ratio:.2f} (quartiles {low:.2f} to {high:.2f}, {len(ratios)} turns); "
            f"bar {ABLATE_BAR}: {verdict}"
        )
        found[name] = {"edits": passes - 1, "images": len(data), "ratio": ratio, "milliseconds": taken}
    model.close()
    return found


def slider(options: argparse.Namespace) -> dict[str, object]:
    """Move the slider of the page Intervene, in several sessions."""
    moves, found = (0.3, 0.6) if options.quick else (0.3, 0.6, 0.9, 0.1, 0.5), {}
    with Server(Path(__file__).with_name("page_app.py"), {"OMP_NUM_THREADS": str(options.threads)}) as server:
        for edit in ("5 strongest", "all"):
            taken, processor = [], []
            for turn in range(1 if options.quick else 6):
                with Session(server.address, "view=Edit+channels", page="intervene") as session:
                    session.load()
                    session.choose("edit", edit)
                    before = server.cpu_ms()
                    some = [session.slide("weight", weight).ms for weight in moves]
                    if turn or options.quick:  # the first fills caches
                        taken += some
                        processor.append((server.cpu_ms() - before) / len(moves))
            low, middle, high = quartiles(taken)
            verdict = "met" if middle <= SLIDER_BAR else "missed"
            print(
                f"slider, {edit}: {middle:.0f} ms ({low:.0f}–{high:.0f}, {len(taken)} moves), processor "
                f"{statistics.median(processor):.0f} ms; bar {SLIDER_BAR} ms: {verdict}"
            )
            found[edit] = {"milliseconds": taken, "processor_ms": processor}
    return found


# Each part measures and prints one kind of intervention, and returns its numbers.
PARTS: dict[str, Callable[[argparse.Namespace], dict[str, object]]] = {
    "capture": capture,
    "peers": peers,
    "channels": channels,
    "slider": slider,
    "ablate": ablate,
}


def main() -> None:
    """Run the parts and print their ratios."""
    parser = arguments(__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="torch's own")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processor", action="store_true", help="compare processor time, on a machine that is busy")
    parser.add_argument("--only", nargs="+", choices=tuple(PARTS), default=tuple(PARTS), help="parts to measure")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.processor:
        use_processor_time()
    print(f"{options.threads} torch threads, {options.device}, {'processor' if options.processor else 'wall'} time")
    write(options.json, {name: PARTS[name](options) for name in options.only})


if __name__ == "__main__":
    main()
