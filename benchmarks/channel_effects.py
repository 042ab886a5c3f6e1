"""The exact effect of each channel of a gate, against as many full passes in batches of the same size.

Ours is ``se_viz.attribute(…, method="exact")`` with all that it does: the pass up to the gate, the check, and a pass
from the gate on for each channel. A full pass takes images and returns logits, without reading anything.
"""

import argparse
import statistics
from collections.abc import Callable

import torch
from capture import load, twin
from common import quartiles, turns
from torch import Tensor

import se_viz
from se_viz.model.model import Model

ROWS = 64  # of s that run at once, as ``attribute`` has it
BARS = {"last gate": 0.05, "all channels": 0.25}
CASES = (("demo/r16", 128, "last gate"), ("demo/r16", 128, "all channels"), ("legacy_seresnet50", 224, "last gate"))


def channels(options: argparse.Namespace) -> dict[str, object]:
    """Compare exact effects of single channels with full passes."""
    found: dict[str, object] = {}
    print(f"Exact effects of channels against full passes in batches of {ROWS}, median (quartiles)")
    for name, side, what in CASES[:1] if options.quick else CASES:
        model = load(name)
        image = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
        gates = model.gates[-1:] if what == "last gate" else model.gates
        count = sum(gate.channels for gate in gates)
        passes = 1 if options.quick else min(12, count // ROWS)
        ours = exact(model, image, [gate.name for gate in gates])
        taken = turns({"ours": ours, "full": full(model, image, passes)}, *(0, 1) if options.quick else (60.0, 5))
        # Full passes take the same time each, so that a part of them is measured.
        scale = count / (passes * ROWS)
        ratios = [one / (scale * other) for one, other in zip(taken["ours"], taken["full"], strict=True)]
        low, ratio, high = quartiles(ratios)
        verdict = "met" if ratio <= BARS[what] else "missed"
        print(
            f"{name}, {what}: {count:,} channels in {statistics.median(taken['ours']) / 1000:.2f} s; as many full "
            f"passes {scale * statistics.median(taken['full']) / 1000:.1f} s; ratio {ratio:.3f} ({low:.3f}–{high:.3f}, "
            f"{len(ratios)} turns); bar {BARS[what]}: {verdict}"
        )
        found[f"{name}, {what}"] = {"channels": count, "ratio": ratio, "scale": scale, "milliseconds": taken}
        model.close()
    return found


def exact(model: Model, image: Tensor, gates: list[str]) -> Callable[[], None]:
    """Return a function that computes the exact effect of each channel of some gates."""

    def run() -> None:
        for gate in gates:
            se_viz.attribute(model, image, gate, 0, "exact", baseline=1.0)

    return run


def full(model: Model, image: Tensor, passes: int) -> Callable[[], None]:
    """Return a function that runs batches of full passes."""
    plain, images = twin(model.network), image.expand(ROWS, -1, -1, -1).contiguous()

    def run() -> None:
        with torch.inference_mode():
            for _ in range(passes):
                plain(images)

    return run
