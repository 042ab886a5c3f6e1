"""The steps of the walk-through: a title, a sentence and the arithmetic of each, with the numbers of one image."""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from se_viz.analysis.walk import Walk
from se_viz.reports.walk_numbers import added, number, signed, times, vector

StepKey: TypeAlias = Literal["image", "filter", "norm", "squeeze", "bottleneck", "excite", "scale", "add"]

# What a gate function does to the number a.
_FUNCTIONS = {
    "sigmoid": "σ(a) = 1 / (1 + e⁻ᵃ)",
    "hard-sigmoid": "hard sigmoid(a) = min(max(a + 3, 0), 6) / 6",
    "relu": "ReLU(a) = max(a, 0)",
    "relu6": "ReLU6(a) = min(max(a, 0), 6)",
}
_NAMES = {"sigmoid": "σ", "hard-sigmoid": "hard sigmoid", "relu": "ReLU", "relu6": "ReLU6"}
_SQUEEZES = {
    "avg+max": "the average and the maximum of the map together",
    "std": "the standard deviation of the map over its pixels",
    "var": "the variance of the map over its pixels",
    "log-sum-exp": "the logarithm of the summed exponentials of the map's pixels",
    "sum": "the sum of the map over its pixels",
    "min": "the minimum of the map over its pixels",
    "norm": "a norm of the map",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the walk-through.

    Attributes:
        key: the part of the drawing that the step lights up.
        title: a short title with the symbols of the step.
        sentence: what happens, in one or two plain sentences.
        arithmetic: lines of arithmetic with the numbers of this image.
    """

    key: StepKey
    title: str
    sentence: str
    arithmetic: tuple[str, ...]


def walk_steps(walk: Walk, row: int | None = None, column: int | None = None) -> tuple[Step, ...]:
    """Return the steps of the walk-through.

    Args:
        walk: the way of one channel of one image.
        row, column: the pixel whose convolution is printed; by default the one where |U_c| is largest.
    """
    brightest = walk.brightest
    pixel = (brightest[0] if row is None else row, brightest[1] if column is None else column)
    steps = [_image(walk)]
    if walk.convolution is not None:
        steps += [_filter(walk, pixel), _norm(walk, pixel)]
    steps += [_squeeze(walk), *_excitation(walk), _scale(walk, pixel), _add(walk, pixel)]
    return tuple(steps)


def _image(walk: Walk) -> Step:
    height, width = walk.size
    seen = f"The network sees the image as 3 × {height} × {width} numbers."
    call = walk.convolution
    if call is None:
        channels, *area = _shape(walk)
        return Step(
            "image",
            "Image → U",
            f"{seen} Its layers turn it into U, {channels:,} maps of {times(area)}. There is no filter to show: "
            f"{walk.values.missing}.",
            (f"U: {times(_shape(walk))} = {int(np.prod(_shape(walk))):,} numbers",),
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


def _filter(walk: Walk, pixel: tuple[int, int]) -> Step:
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


def _norm(walk: Walk, pixel: tuple[int, int]) -> Step:
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
            inner = f"{number(scale)} · {_bracketed(value)} {signed(shift)}"
            names.append("batch norm")
            if operation.function:
                names.append(operation.function)
                inner = f"{_called(operation.function)}({inner})"
            lines.append(f"BN {where}: {inner} = {number(after)}")
        elif operation.added is not None:
            other = float(operation.added[c][pixel])
            names.append(f"the addition of {operation.text}")
            total = f"{number(value)} {signed(other)}"
            total = f"{_called(operation.function)}({total})" if operation.function else total
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


def _squeeze(walk: Walk) -> Step:
    gate, c, u, z = walk.gate, walk.channel, walk.u, walk.z
    title = f"Squeeze: U_{c} → z_{c}"
    if z is None:
        return Step(
            "squeeze",
            title,
            "No squeeze of U was seen to feed s, so this gate has no z that can be shown: its weights are computed in "
            "another way.",
            (f"U_{c}: {u.size:,} values with the mean {number(float(u.mean(dtype=np.float64)))}",),
        )
    total = float(u.sum(dtype=np.float64))
    mean = f"z_{c} = mean of {u.size:,} values = {number(total)} / {u.size:,} = {number(z)}"
    if gate.squeeze == "max":
        row, column = walk.brightest if u.flat[int(np.abs(u).argmax())] == u.max() else _peak(walk)
        return Step(
            "squeeze",
            title,
            "The whole map becomes one number: its largest value. This gate squeezes with the maximum, where the "
            f"paper takes the mean. All {gate.channels:,} channels together give the vector z.",
            (f"z_{c} = largest of {u.size:,} values, at row {row}, column {column} = {number(z)}",),
        )
    if gate.squeeze == "avg":
        return Step(
            "squeeze",
            title,
            f"The whole map becomes one number, the mean of its {u.size:,} pixels. All {gate.channels:,} channels "
            "together give the vector z.",
            (mean,),
        )
    if gate.squeeze in ("avg, max", "max, avg"):
        first = "mean" if gate.squeeze.startswith("avg") else "maximum"
        average, peak = number(float(u.mean(dtype=np.float64))), number(float(u.max()))
        return Step(
            "squeeze",
            title,
            "This gate squeezes twice, with the mean and with the maximum, and sends both through the same layers. z "
            f"is the first, the {first}.",
            (f"mean of {u.size:,} values = {average}", f"largest value = {peak}", f"z_{c} = {number(z)}"),
        )
    meant = _SQUEEZES.get(gate.squeeze, f"the squeeze operator of this gate ({gate.squeeze})")
    known = f"{gate.squeeze} of {u.size:,} values = {number(z)}"
    if gate.squeeze == "avg+max":
        both = f"mean {number(float(u.mean(dtype=np.float64)))}, maximum {number(float(u.max()))}"
        known = f"{both}; z_{c} = {number(z)}"
    return Step("squeeze", title, f"The whole map becomes one number: {meant}.", (known,))


def _excitation(walk: Walk) -> list[Step]:
    layers, gate, c = walk.values.layers, walk.gate, walk.channel
    ends = _gated(walk)
    name = _NAMES.get(gate.gate_function, gate.gate_function)
    if layers.kind == "bottleneck" and walk.h is not None and layers.first is not None:
        return [_bottleneck(walk), _excite(f"Excitation: h → s_{c}", _HOW.format(c=c, name=name), ends)]
    if layers.kind == "neighbours" and layers.last is not None:
        size = layers.last.kernel[0]
        return [
            _excite(
                f"Excitation: z → s_{c}",
                f"This gate has no FC layers and no bottleneck (ECA). A 1-D convolution with {size} weights, the same "
                f"for all channels, looks at z of the {size} channels around channel {c}; {name} turns the sum into "
                f"s_{c}.",
                ends,
            )
        ]
    if layers.kind == "one layer":
        return [
            _excite(
                f"Excitation: z → s_{c}",
                f"This gate has no bottleneck: one FC layer takes all {gate.channels:,} numbers of z, and {name} turns "
                f"their weighted sum into s_{c}.",
                ends,
            )
        ]
    if layers.kind == "last layer" and walk.h is not None:
        return [
            _excite(
                f"Excitation: z → s_{c}",
                f"How this gate turns z into the {len(walk.h):,} numbers h before its last layer could not be followed "
                f"number by number. The last layer weights h, and {name} gives s_{c}.",
                ends,
            )
        ]
    reason = "the gate function is not one that is known here" if gate.gate_function == "other" else _UNSEEN
    return [
        Step(
            "excite",
            f"Excitation: z → s_{c}",
            f"The weight of channel {c} was read where it multiplies U. Its arithmetic is not shown, because {reason}.",
            (f"s_{c} = {number(walk.s)}",),
        )
    ]


_UNSEEN = "no layer was seen whose output gives s by one gate function"
_HOW = (
    "The second FC layer weights the numbers of h for channel {c}, and {name} turns the sum into s_{c}. Every channel "
    "has its own row of weights, but all share h."
)


def _bottleneck(walk: Walk) -> Step:
    layers, gate, h = walk.values.layers, walk.gate, walk.h
    assert h is not None  # noqa: S101 - the caller checks it
    assert layers.first is not None  # noqa: S101
    most = int(np.abs(h).argmax())
    before = float(layers.first.output.detach().reshape(-1)[most]) if layers.activation != "other" else None
    call = _called(layers.activation) if layers.activation not in ("", "other") else ""
    lines = [f"h = {call or 'f' if layers.activation else ''}{'(W₁z)' if layers.activation else 'W₁z'} = {vector(h)}"]
    if before is not None:
        made = layers.first.products(most, (0,) * (layers.first.weight.ndim - 2))
        line = added(walk.hidden_terms(most), made.bias, before, shown=2)
        lines.append(f"(W₁z)_{most} = {line}")
        lines.append(f"h_{most} = {f'{call}({number(before)}) = ' if call else ''}{number(float(h[most]))}")
    silent = int((h == 0).sum())
    said = {
        "": "No activation follows.",
        "other": "What comes between the two layers could not be named.",
    }.get(layers.activation, f"{layers.activation} follows.")
    if layers.activation == "ReLU":
        said = f"ReLU sets negative ones to 0 ({silent:,} of {len(h):,} here)."
    return Step(
        "bottleneck",
        "Bottleneck: z → h",
        f"The first FC layer reads all {gate.channels:,} numbers of z and writes {len(h):,}, which is C/r with "
        f"{gate.ratio}. {said}",
        tuple(lines),
    )


def _excite(title: str, sentence: str, lines: tuple[str, ...]) -> Step:
    return Step("excite", title, sentence, lines)


def _gated(walk: Walk) -> tuple[str, ...]:
    """Return the sum of the last layer, and the gate function of it."""
    logit, c = walk.logit, walk.channel
    if logit is None:
        return (f"s_{c} = {number(walk.s)}",)
    function = walk.gate.gate_function
    name = _NAMES.get(function, function)
    terms = walk.excitation_terms()
    shown = len(terms) if len(terms) <= 4 else 3
    return (
        f"a = {added(terms, walk.excitation_bias, logit, shown=shown)}",
        f"s_{c} = {name}({number(logit)}) = {number(walk.s)}{_meaning(function)}",
    )


def _meaning(function: str) -> str:
    known = _FUNCTIONS.get(function)
    return f", with {known}" if known else ""


def _scale(walk: Walk, pixel: tuple[int, int]) -> Step:
    s, c = walk.s, walk.channel
    u, x = float(walk.u[pixel]), float(walk.x_tilde[pixel])
    return Step(
        "scale",
        f"Scale: X̃_{c} = s_{c} · U_{c}",
        f"Every pixel of the map is multiplied by the same number: the channel becomes {strength(s)}. Both maps have "
        "the same colour scale.",
        (
            f"X̃_{c} = {number(s)} · U_{c}: {strength(s)}",
            f"at row {pixel[0]}, column {pixel[1]}: {number(s)} · {_bracketed(u)} = {number(x)}",
        ),
    )


def strength(s: float) -> str:
    """Return in words what a weight does to a map: "43 % weaker", "unchanged", "negated and 8 % weaker"."""
    if not math.isfinite(s):
        return "not finite"
    size = abs(s)
    negated = "negated and " if s < 0 else ""
    if s == 0:
        return "0 everywhere"
    if round(size * 100) == 100:
        return "negated" if s < 0 else "practically unchanged"
    if size > 1:
        return f"{negated}{round((size - 1) * 100)} % stronger"
    share = round((1 - size) * 100)
    return f"{negated}{share if share < 100 else 'more than 99'} % weaker"


def _add(walk: Walk, pixel: tuple[int, int]) -> Step:
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
            total = f"{number(value)} {signed(other)}"
            if operation.function:
                said.append(f"{operation.function} follows")
                total = f"{_called(operation.function)}({total})"
            lines.append(f"{where}: X̃_{c} + {_short(operation.identity)} = {total} = {number(after)}")
        else:
            said.append(f"{operation.text} follows")
            lines.append(f"{where}: {operation.text}({number(value)}) = {number(after)}")
        value = after
    if values.mixed_by is not None:
        text = f"{values.mixed_by.text} mixes X̃_{c} with the other {walk.gate.channels - 1:,} channels"
        sentence = (
            f"{_sentence(said)}Then a {text}, so that no map after it belongs to channel {c} alone. "
            f"The block passes on {times(values.output.shape)} numbers."
        )
        lines.append(f"X̃: {times(_shape(walk))} → {values.mixed_by.text} → {times(values.mixed_by.shape)}")
        return Step("add", "What the block passes on", sentence.strip(), tuple(lines))
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
        return Step("add", "What the block passes on", sentence.strip(), tuple(lines))
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


def _shape(walk: Walk) -> tuple[int, ...]:
    return (walk.gate.channels, *walk.u.shape)


def _peak(walk: Walk) -> tuple[int, int]:
    row, column = np.unravel_index(int(walk.u.argmax()), walk.u.shape)
    return int(row), int(column)


def _bracketed(value: float) -> str:
    text = number(value)
    return f"({text})" if value < 0 else text


def _called(function: str) -> str:
    return "f" if function == "other" else function
