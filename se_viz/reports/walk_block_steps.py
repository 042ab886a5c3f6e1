"""The steps around the gate: from the image to U, and from X̃ to what the block passes on."""

import numpy as np

from se_viz.analysis.walk import Walk
from se_viz.reports.walk_numbers import added, as_summand, number, times
from se_viz.reports.walk_step import Step, bracketed, called, u_shape


def image_step(walk: Walk) -> Step:
    """Return the step from the image to X, or to U if there is no convolution to show."""
    height, width = walk.size
    seen = f"The network sees the image as 3 × {height} × {width} numbers."
    call = walk.convolution
    if call is None:
        channels, *area = u_shape(walk)
        return Step(
            "image",
            "Image → U",
            f"{seen} Its layers turn it into U, {channels:,} maps of {times(area)}. There is no filter to show: "
            f"{walk.values.missing}.",
            (f"U: {times(u_shape(walk))} = {int(np.prod(u_shape(walk))):,} numbers",),
        )
    count, *area = call.input.shape
    return Step(
        "image",
        "Image → X",
        f"{seen} The layers before have turned it into X: {count:,} maps of {times(area)}, the input of the last "
        f"convolution before {walk.gate.name}.",
        (
            f"image: {times((3, height, width))} = {3 * height * width:,} numbers",
            f"X: {times(call.input.shape)} = {call.input.numel():,} numbers",
        ),
    )


def filter_step(walk: Walk, pixel: tuple[int, int]) -> Step:
    """Return the step from X to V ∗ X."""
    call, c = walk.convolution, walk.channel
    assert call is not None  # noqa: S101 - the caller checks it
    made = walk.products(*pixel)
    terms = walk.pixel_terms(*pixel)
    size = times(call.kernel)
    maps = made.weights.shape[0]
    whose = f"all {maps:,} maps of X" if call.groups == 1 else f"{maps:,} of the {call.input.shape[0]:,} maps of X"
    if maps == 1:
        whose = f"map {made.first} of X alone (a depthwise convolution)"
    look = "the pixel" if max(call.kernel) == 1 else f"the {size} pixels around it"
    lines = [
        f"v_{c}: {times(made.weights.shape)} = {made.weights.size:,} weights",
        f"(V ∗ X)_{c} at row {pixel[0]}, column {pixel[1]} = {added(terms, made.bias, made.sum)}",
    ]
    return Step(
        "filter",
        f"X → (V ∗ X)_{c}",
        f"Channel {c} has a filter v_{c} of {made.weights.size:,} weights. At each pixel it multiplies {look} in "
        f"{whose} by its weights, and adds the products.",
        tuple(lines),
    )


def norm_step(walk: Walk, pixel: tuple[int, int]) -> Step:
    """Return the step from V ∗ X to U."""
    call, c = walk.convolution, walk.channel
    assert call is not None  # noqa: S101 - the caller checks it
    lines: list[str] = []
    value = walk.products(*pixel).sum
    where = f"at row {pixel[0]}, column {pixel[1]}"
    names: list[str] = []
    for operation in walk.values.before:
        after = walk.at(operation, *pixel)
        if operation.scale is not None and operation.shift is not None:
            scale, shift = float(operation.scale[c]), float(operation.shift[c])
            inner = f"{number(scale)} · {bracketed(value)} {as_summand(shift)}"
            names.append("batch norm")
            if operation.function:
                names.append(operation.function)
                inner = f"{called(operation.function)}({inner})"
            lines.append(f"BN {where}: {inner} = {number(after)}")
        elif operation.added is not None:
            other = float(operation.added[c][pixel])
            names.append(f"the addition of {operation.text}")
            total = f"{number(value)} {as_summand(other)}"
            total = f"{called(operation.function)}({total})" if operation.function else total
            lines.append(f"plus {operation.text}: {total} = {number(after)}")
        else:
            names.append(operation.text)
            lines.append(f"{operation.text}: {number(value)} → {number(after)}")
        value = after
    lines.append(f"U_{c} {where} = {number(float(walk.u[pixel]))}")
    low, high = float(walk.u.min()), float(walk.u.max())
    lines.append(f"U_{c} ranges from {number(low)} to {number(high)}")
    if not names:
        return Step(
            "norm",
            f"U_{c} = (V ∗ X)_{c}",
            "No batch norm and no activation follows this convolution: its output is U, the input of the gate.",
            tuple(lines),
        )
    normed = "batch norm" in names
    said = f"After the convolution come {' and '.join(names)}." if len(names) > 1 else ""
    why = (
        f"Batch norm scales and shifts the whole map: U = BN(V ∗ X), and not V ∗ X. {said}"
        if normed
        else f"{said or f'{names[0]} follows the convolution.'} The result is U, the input of the gate."
    )
    plain = names == ["batch norm"]
    sign = " This is why U, and z with it, can be negative." if plain and low < 0 else ""
    return Step(
        "norm", f"U_{c} = BN(V ∗ X)_{c}" if normed else f"(V ∗ X)_{c} → U_{c}", f"{why.strip()}{sign}", tuple(lines)
    )


def output_step(walk: Walk, pixel: tuple[int, int]) -> Step:
    """Return the step from X̃ to what the block passes on."""
    values, c = walk.values, walk.channel
    lines: list[str] = []
    value = float(walk.x_tilde[pixel])
    where = f"at row {pixel[0]}, column {pixel[1]}"
    said: list[str] = []
    for operation in values.after:
        after = walk.at(operation, *pixel)
        if operation.added is not None:
            other = float(operation.added[c][pixel])
            what = "the identity, the block's input," if operation.identity else "the other branch of the block"
            said.append(f"{what} is added to X̃")
            total = f"{number(value)} {as_summand(other)}"
            if operation.function:
                said.append(f"{operation.function} follows")
                total = f"{called(operation.function)}({total})"
            lines.append(f"{where}: X̃_{c} + {_short(operation.identity)} = {total} = {number(after)}")
        else:
            said.append(f"{operation.text} follows")
            lines.append(f"{where}: {operation.text}({number(value)}) = {number(after)}")
        value = after
    if values.mixed_by is not None:
        sentence = (
            f"{_sentence(said)}The next part, {values.mixed_by.text}, mixes X̃_{c} with the other "
            f"{walk.gate.channels - 1:,} channels, so that no map after it belongs to channel {c} alone. The block "
            f"passes on {times(values.output.shape)} numbers."
        )
        lines.append(f"X̃: {times(u_shape(walk))} → {values.mixed_by.text} → {times(values.mixed_by.shape)}")
        return Step("add", "What the block passes on", sentence, tuple(lines))
    if not values.after and values.block.ends:
        return Step(
            "add",
            "What the block passes on",
            f"Nothing follows the gate in this block: X̃ is what it passes on, {times(values.output.shape)} numbers.",
            (f"X̃_{c} {where} = {number(value)}",),
        )
    if not values.block.ends:
        sentence = f"{_sentence(said)}What the block does after this could not be followed."
        lines.append(f"X̃_{c} {where} = {number(float(walk.x_tilde[pixel]))}")
        return Step("add", "What the block passes on", sentence, tuple(lines))
    added_to = any(operation.added is not None for operation in values.after)
    identity = any(operation.identity for operation in values.after)
    title = "X̃ + identity" if identity else "X̃ + shortcut" if added_to else "What the block passes on"
    kept = " Even a channel with s near 0 keeps this part." if added_to else ""
    return Step(
        "add",
        f"{title} → next block" if added_to else title,
        f"{_sentence(said)}The block passes on the result.{kept}",
        tuple(lines),
    )


def _short(identity: bool) -> str:
    return "identity" if identity else "other branch"


def _sentence(parts: list[str]) -> str:
    if not parts:
        return ""
    listed = ", then ".join(parts)
    return f"{listed[0].upper()}{listed[1:]}. "
