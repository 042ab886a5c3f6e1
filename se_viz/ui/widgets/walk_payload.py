"""The data of the walk-through as the browser gets them: steps as text, maps as bytes, vectors as numbers."""

import base64
import io
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from PIL import Image

from se_viz.analysis.walk import Walk
from se_viz.figures.palette import DIVERGING, SEQUENTIAL
from se_viz.reports.walk import numbers_table
from se_viz.reports.walk_numbers import number, times
from se_viz.reports.walk_step import Step
from se_viz.reports.walk_steps import walk_steps
from se_viz.types import Array, Floats

Payload: TypeAlias = dict[str, Any]

_TILES = 12  # maps of X and slices of V that are drawn
_TILE_SIDE = 56  # pixels of a drawn map of X; others are drawn whole up to _SIDE
_SIDE = 112
_IMAGE_SIDE = 320
_OPENED = 12  # products that are listed when a pixel is opened


def walk_payload(walk: Walk, image: Image.Image, name: str, pixel: tuple[int, int] | None) -> Payload:
    """Return what the component draws; below 300 kB for any gate.

    Args:
        walk: the way of one channel of one image.
        image: the image as the network sees it.
        name: name of the image.
        pixel: row and column of the pixel whose convolution is open; None for the one where |U_c| is largest.
    """
    row, column = pixel or walk.brightest
    steps = walk_steps(walk, row, column)
    gate, c = walk.gate, walk.channel
    table = numbers_table(walk, row, column)
    return {
        "about": f"{gate.name}, channel {c}, {name}",
        "image": _jpeg(image),
        "steps": [_step(walk, step) for step in steps],
        "maps": _maps(walk),
        "vectors": _vectors(walk),
        "pixel": [row, column],
        "shape": list(walk.u.shape),
        "window": _window(walk, row, column),
        "opened": _opened(walk, row, column),
        "flow": _flow(walk),
        "table": [[str(value) for value in line] for line in table.itertuples(index=False)],
        "colours": {"signed": list(DIVERGING), "positive": list(SEQUENTIAL)},
    }


def _step(walk: Walk, step: Step) -> Payload:
    shown: dict[str, list[str]] = {
        "image": ["image", "x" if walk.convolution is not None else "u"],
        "filter": ["x", "v", "conv"],
        "norm": ["conv", "u"],
        "squeeze": ["u", "z"],
        "bottleneck": ["z", "h"],
        "excite": ["h" if walk.h is not None else "z", "w", "s"],
        "scale": ["u", "x_tilde"],
        "add": ["x_tilde", "added", "out"],
    }
    return {
        "key": step.key,
        "title": step.title,
        "sentence": step.sentence,
        "arithmetic": list(step.arithmetic),
        "panels": shown[step.key],
    }


def _flow(walk: Walk) -> Payload:
    """Return what the drawing of the block needs: which of its parts exist, and their short names."""
    values = walk.values
    names = [operation for operation in values.before if operation.kind != "addition"]
    normed = any(operation.kind == "norm" for operation in names)
    joined = any(operation.added is not None for operation in values.after)
    identity = any(operation.identity for operation in values.after)
    return {
        "convolution": walk.convolution is not None,
        "norm": "BN" if normed else "f" if names else "",
        "kernel": times(walk.convolution.kernel) if walk.convolution is not None else "",
        "bottleneck": values.layers.kind == "bottleneck",
        "squeeze": walk.z is not None,
        "joined": joined,
        "identity": identity,
        "mixed": values.mixed_by.text if values.mixed_by is not None else "",
        "c": walk.channel,
        "z": "" if walk.z is None else number(walk.z),
        "h": "" if walk.h is None else f"{len(walk.h):,} numbers",
        "s": number(walk.s),
    }


def _maps(walk: Walk) -> Payload:
    c, values = walk.channel, walk.values
    signed = ("u", "x_tilde")
    reach = float(np.abs(np.nan_to_num([walk.u, walk.x_tilde], posinf=0, neginf=0)).max())
    maps: Payload = {
        "u": _map(walk.u, f"U_{c}", reach),
        "x_tilde": _map(walk.x_tilde, f"X̃_{c} = {number(walk.s)} · U_{c}", reach),
    }
    for key in signed:
        maps[key]["pixel"] = True
    made = walk.convolution
    if made is not None and walk.x is not None and walk.filter is not None and walk.convolved is not None:
        first = made.products(c, (0, 0)).first
        strength = np.abs(walk.filter).sum((1, 2)) * np.abs(walk.x[first : first + len(walk.filter)]).mean((1, 2))
        order = np.sort(np.argsort(-strength, kind="stable")[:_TILES])
        numbers = [first + int(at) for at in order]
        chosen = f"{len(order)} of {len(walk.x):,} maps, those that matter most to channel {c}"
        tiles = walk.x[numbers]
        maps["x"] = _tiles(
            _shrunk(tiles, _TILE_SIDE), f"X: {chosen if len(walk.x) > len(order) else 'all maps'}", numbers
        )
        if max(made.kernel) > 1:
            maps["v"] = _tiles(
                walk.filter[order], f"v_{c}: {times(walk.filter.shape)} weights, {len(order)} slices", numbers
            )
        maps["conv"] = _map(walk.convolved, f"(V ∗ X)_{c}") | {"pixel": True}
    joins = [operation for operation in values.after if operation.added is not None]
    if joins and joins[0].added is not None:
        what = "Identity: the block's input" if joins[0].identity else "The other branch"
        maps["added"] = _map(joins[0].added[c], f"{what}, channel {c}") | {"pixel": True}
    if values.after:
        maps["out"] = _map(values.after[-1].output[c], f"Passed on, channel {c}") | {"pixel": True}
    return maps


def _map(values: Array, label: str, reach: float | None = None) -> Payload:
    return _encoded(_shrunk(values[None], _SIDE), label, reach, low=float(values.min()), high=float(values.max()))


def _tiles(values: Array, label: str, numbers: Sequence[int]) -> Payload:
    return _encoded(values, label, None) | {"numbers": list(numbers)}


def _encoded(
    values: Array, label: str, reach: float | None, low: float | None = None, high: float | None = None
) -> Payload:
    """Return maps (n, H, W) as one byte for each number, on a scale that is symmetric if there are negative ones."""
    finite = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    least = float(finite.min()) if low is None or not np.isfinite(low) else low
    most = float(finite.max()) if high is None or not np.isfinite(high) else high
    negative = least < 0 or reach is not None
    end = reach or max(abs(least), abs(most)) or 1.0
    share = (finite / end + 1) / 2 if negative else finite / end
    levels = np.clip(np.round(share * 255), 0, 255).astype(np.uint8)
    return {
        "label": label,
        "size": list(values.shape),
        "data": base64.b64encode(levels.tobytes()).decode(),
        "scale": "signed" if negative else "positive",
        "range": f"{number(least)} to {number(most)}",
        "end": number(end),
    }


def _shrunk(values: Array, side: int) -> Array:
    """Return maps (n, H, W) averaged over blocks of pixels, so that no side is longer than ``side``."""
    step = -(-max(values.shape[1:]) // side)
    if step <= 1:
        return values
    height, width = (size // step for size in values.shape[1:])
    cut = values[:, : height * step, : width * step]
    shrunk: Array = cut.reshape(len(values), height, step, width, step).mean((2, 4))
    return shrunk


def _vectors(walk: Walk) -> Payload:
    c, gate_capture = walk.channel, walk.gate_capture
    vectors: Payload = {
        "s": _vector(gate_capture.s[0], f"s: {walk.gate.channels:,} weights", c, f"s_{c} = {number(walk.s)}", low=0.0),
    }
    if gate_capture.z is not None and walk.z is not None:
        vectors["z"] = _vector(gate_capture.z[0], f"z: {walk.gate.channels:,} numbers", c, f"z_{c} = {number(walk.z)}")
    if walk.h is not None:
        most = int(np.abs(walk.h).argmax())
        vectors["h"] = _vector(walk.h, f"h: {len(walk.h):,} numbers", most, f"h_{most} = {number(float(walk.h[most]))}")
    terms = walk.excitation_terms()
    if terms:
        row = np.array([term.weight for term in terms])
        most = int(np.abs([term.product for term in terms]).argmax())
        what = "weights of the kernel" if walk.values.layers.kind == "neighbours" else f"row {c} of the last layer"
        vectors["w"] = _vector(
            row, f"{what}: {len(row):,} numbers", most, f"{number(float(row[most]))} has the largest product"
        )
    made = walk.convolution
    if made is not None and walk.filter is not None and max(made.kernel) == 1:
        weights = walk.filter[:, 0, 0]
        most = int(np.abs(weights).argmax())
        largest = f"largest: {number(float(weights[most]))} for X_{most}"
        vectors["v"] = _vector(weights, f"v_{c}: {times(walk.filter.shape)} weights", most, largest)
    return vectors


def _vector(values: Array, label: str, marked: int, says: str, low: float | None = None) -> Payload:
    floats: Floats = np.nan_to_num(values.astype(np.float64), posinf=0, neginf=0)
    return {
        "label": label,
        # Four digits are enough for bars; the numbers that are printed are in the steps.
        "values": [float(f"{value:.4g}") for value in floats],
        "marked": marked,
        "says": says,
        "range": f"{number(float(floats.min()))} to {number(float(floats.max()))}",
        "low": low,
    }


def _window(walk: Walk, row: int, column: int) -> list[int]:
    """Return top, left, height and width of the pixels of X that one pixel of V ∗ X looks at; empty without V."""
    made = walk.convolution
    if made is None:
        return []
    top, left = walk.products(row, column).corner
    tall, wide = ((size - 1) * gap + 1 for size, gap in zip(made.kernel, made.dilation, strict=True))
    return [top, left, tall, wide, *made.input.shape[1:]]


def _opened(walk: Walk, row: int, column: int) -> Payload | None:
    """Return the products of one pixel, the largest as rows of a table and the rest as one number."""
    if walk.convolution is None:
        return None
    made, terms = walk.products(row, column), walk.pixel_terms(row, column)
    rows = [
        [
            f"X_{term.place[0]}",
            f"{term.place[1]}, {term.place[2]}",
            number(term.value),
            number(term.weight),
            number(term.product),
        ]
        for term in terms[:_OPENED]
    ]
    rest = terms[_OPENED:]
    return {
        "rows": rows,
        "count": len(terms),
        "rest": number(sum(term.product for term in rest)) if rest else "",
        "more": len(rest),
        "bias": number(made.bias) if made.bias else "",
        "padding": made.weights.size - len(terms),
        "sum": number(made.sum),
    }


def _jpeg(image: Image.Image) -> str:
    small = image.convert("RGB")
    small.thumbnail((_IMAGE_SIDE, _IMAGE_SIDE))
    file = io.BytesIO()
    small.save(file, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
