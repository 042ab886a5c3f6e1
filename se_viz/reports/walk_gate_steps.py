"""The steps inside the gate: squeeze, bottleneck, excitation and scale."""

import numpy as np

from se_viz.analysis.walk import Walk
from se_viz.gates.gate_functions import SOFTMAX
from se_viz.reports.walk_numbers import added, number, vector
from se_viz.reports.walk_step import Step, bracketed, called, strength

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


def squeeze_step(walk: Walk) -> Step:
    """Return the step from U to z."""
    gate, c, u, z = walk.gate, walk.channel, walk.u, walk.z
    title = f"Squeeze: U_{c} → z_{c}"
    if z is None:
        return Step(
            "squeeze",
            title,
            "s was not seen to come from one squeeze of U alone, so this gate has no z that can be shown: its weights "
            "are computed in another way.",
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


def excitation_steps(walk: Walk) -> list[Step]:
    """Return the steps from z to s: two with a bottleneck, otherwise one."""
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
    reason = "the gate function is not one that is known here" if gate.gate_function in ("other", SOFTMAX) else _UNSEEN
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
    call = called(layers.activation) if layers.activation not in ("", "other") else ""
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


def scale_step(walk: Walk, pixel: tuple[int, int]) -> Step:
    """Return the step from U and s to X̃."""
    s, c = walk.s, walk.channel
    u, x = float(walk.u[pixel]), float(walk.x_tilde[pixel])
    return Step(
        "scale",
        f"Scale: X̃_{c} = s_{c} · U_{c}",
        f"Every pixel of the map is multiplied by the same number: the channel becomes {strength(s)}. Both maps have "
        "the same colour scale.",
        (
            f"X̃_{c} = {number(s)} · U_{c}: {strength(s)}",
            f"at row {pixel[0]}, column {pixel[1]}: {number(s)} · {bracketed(u)} = {number(x)}",
        ),
    )


def _peak(walk: Walk) -> tuple[int, int]:
    row, column = np.unravel_index(int(walk.u.argmax()), walk.u.shape)
    return int(row), int(column)
