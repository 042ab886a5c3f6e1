"""Drawing of the block around a gate, as in the paper's Figure 3."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame
from se_viz.figures.palette import ACCENT, INK, MUTED, TILE
from se_viz.gates.block import Block, Join
from se_viz.gates.block_part import BlockPart
from se_viz.gates.gate import NOT_SEEN, Gate, Layout

_ROW = 44  # pixels
# Position of the outer columns, and half the width and height of a box, in columns and rows.
_SIDE, _WIDE, _TALL = 2.25, 1.0, 0.36
_GAP = 0.25  # distance between a line and the boxes beside it
_ROUND = (0.2, 0.3)  # half the width and height of the circles for × and +
_TEXT = 0.28  # half the height of a line of text
_MOST = 6  # boxes in a row; if there are more, the first ones are summarised
# Words that are too long for a box, and their replacements.
_BRIEF = ((" depthwise convolution", " depthwise"), ("convolution", "conv"), (", stride ", " /"))

_SQUEEZES = {"avg": "average over", "max": "maximum over", "avg+max": "average, maximum over", "other": "squeeze of"}


class _Sheet:
    """Shapes and texts at (column, row); rows are counted downwards."""

    def __init__(self) -> None:
        self.shapes: list[dict[str, Any]] = []
        self.notes: list[dict[str, Any]] = []

    def box(self, x: float, y: float, lines: Sequence[str], colour: str = TILE) -> None:
        corners = {"x0": x - _WIDE, "x1": x + _WIDE, "y0": y - _TALL, "y1": y + _TALL}
        self.shapes.append({"type": "rect", **corners, "line": {"width": 0}, "fillcolor": colour})
        self.text(x, y, "<br>".join(lines), color=INK)

    def text(self, x: float, y: float, text: str, angle: int = 0, **font: object) -> None:
        font = {"size": 12, **font}
        self.notes.append({"x": x, "y": y, "text": text, "textangle": angle, "showarrow": False, "font": font})

    def sign(self, y: float, sign: str, colour: str = TILE) -> None:
        """Draw a circle on the path through the gate."""
        wide, tall = _ROUND
        corners = {"x0": -wide, "x1": wide, "y0": y - tall, "y1": y + tall}
        self.shapes.append({"type": "circle", **corners, "line": {"width": 0}, "fillcolor": colour})
        self.text(0, y, f"<b>{sign}</b>", size=15, color=INK)

    def arrow(self, *points: tuple[float, float], colour: str = MUTED) -> None:
        """Draw a line through points, with an arrowhead at the last."""
        for (x0, y0), (x1, y1) in pairwise(points[:-1]):
            ends = {"x0": x0, "y0": y0, "x1": x1, "y1": y1}
            self.shapes.append({"type": "line", **ends, "line": {"color": colour, "width": 1.2}})
        (ax, ay), (x, y) = points[-2:]
        self.notes.append(
            {
                **{"x": x, "y": y, "ax": ax, "ay": ay, "xref": "x", "yref": "y", "axref": "x", "ayref": "y"},
                **{"showarrow": True, "arrowhead": 2, "arrowwidth": 1.2, "arrowcolor": colour, "text": ""},
            }
        )


class _Way:
    """The path from the block's input through the gate to the block's output, drawn downwards."""

    def __init__(self, block: Block, layout: Layout) -> None:
        self.sheet, self._layout = _Sheet(), layout
        # Space that the branches at the left use so far: the last row, and the leftmost column.
        self._joined, self.left = 0.0, 0.0
        self.sheet.text(0, 0, f"<b>X</b>  {_size(block.input)}")
        self.row, self._end = 1.0, _TEXT  # the next free row; the end of the line so far

    def text(self, text: str) -> None:
        self._reach(_TEXT)
        self.sheet.text(0, self.row, text)
        self._leave(_TEXT)

    def parts(self, parts: Sequence[BlockPart]) -> None:
        for lines in _boxes(parts, self._layout):
            self._reach(_TALL)
            self.sheet.box(0, self.row, lines)
            self._leave(_TALL)

    def gate(self, gate: Gate, shape: Sequence[int]) -> None:
        """Draw U, the path through the gate at the right, and the product."""
        sheet = self.sheet
        self.text(f"<b>U</b>  {_size(shape)}")
        boxes = _gate_boxes(gate, shape)
        sheet.arrow((0.85, self.row - 1), (_SIDE, self.row - 1), (_SIDE, self.row - _TALL), colour=ACCENT)
        for index, lines in enumerate(boxes):
            sheet.box(_SIDE, self.row + index, lines, ACCENT)
            if index:
                x, y = _SIDE, self.row + index
                sheet.arrow((x, y - 1 + _TALL), (x, y - _TALL), colour=ACCENT)
        self.row += len(boxes)
        self._reach(_ROUND[1])
        sheet.arrow((_SIDE, self.row - 1 + _TALL), (_SIDE, self.row), (_ROUND[0], self.row), colour=ACCENT)
        sheet.sign(self.row, "×", ACCENT)
        sheet.text(-0.8, self.row, "<b>X̃</b> = s · U")
        self._leave(_ROUND[1])

    def join(self, join: Join) -> None:
        """Draw another branch, which leaves the block's input at the left, and its addition.

        A second branch is below the first, and its line passes the first at the left.
        """
        sheet, boxes, above = self.sheet, _boxes(join.parts, self._layout), self._joined
        self.row = max(self.row, above + len(boxes) + 1)
        self._reach(_ROUND[1])
        sheet.sign(self.row, "+")
        x = -_SIDE if boxes else -_SIDE + _WIDE / 2
        line = self.left - _GAP if above else x
        for index, lines in enumerate(boxes, start=1):
            y = above + index
            sheet.box(x, y, lines)
            if index > 1:
                sheet.arrow((x, y - 1 + _TALL), (x, y - _TALL))
            elif not join.begins:
                sheet.text(x, y - 0.75, "⋮")
                sheet.arrow((x, y - 0.58), (x, y - _TALL))
            elif line < x - _WIDE:
                sheet.arrow((-0.85, 0), (line, 0), (line, y), (x - _WIDE, y))
            else:
                sheet.arrow((-0.85, 0), (line, 0), (line, y - _TALL))
        if boxes:
            sheet.arrow((x, above + len(boxes) + _TALL), (x, self.row), (-_ROUND[0], self.row))
        else:
            sheet.arrow((-0.85, 0), (line, 0), (line, self.row), (-_ROUND[0], self.row))
            sheet.text(line - 0.15, (above + self.row) / 2, "identity", angle=-90)
        self._joined, self.left = self.row, min(self.left, line - (0 if boxes else _GAP), x - _WIDE if boxes else 0)
        self._leave(_ROUND[1])

    def _reach(self, half: float) -> None:
        self.sheet.arrow((0, self._end), (0, self.row - half))

    def _leave(self, half: float) -> None:
        self.row, self._end = self.row + 1, self.row + half


def block_drawing(gate: Gate, block: Block, where: str) -> Chart:
    """Draw the block around a gate, from its input to its output, and the gate itself.

    Args:
        gate: the gate.
        block: its block, from ``block_of``.
        where: the position of the gate in words, for readers who cannot see the drawing.
    """
    way, at, start = _Way(block, gate.layout), block.position, 0
    if not block.begins:
        way.text("⋮")
    ends = [*((join.after, join) for join in block.joins), (at, None), (len(block.parts), None)]
    for end, join in sorted(ends, key=lambda pair: (pair[0], pair[1] is None)):
        if start <= at < end:
            way.parts(block.parts[start:at])
            way.gate(gate, block.parts[at].shape)
            start = at + 1
        way.parts(block.parts[start:end])
        start = max(start, end)
        if join is not None:
            way.join(join)
    if not block.ends:
        way.text("⋮")
    way.text(_size(block.output))
    layout = frame(f"{gate.name} in its block", "", "", round((way.row - 0.2) * _ROW) + 44)
    right = _SIDE + _WIDE + 0.05
    # The identity needs no column.
    left = max(right if any(join.parts for join in block.joins) else _SIDE - 0.1, 0.05 - way.left)
    layout |= {
        "shapes": way.sheet.shapes,
        "annotations": way.sheet.notes,
        "xaxis": {"visible": False, "range": [-left, right], "fixedrange": True},
        "yaxis": {"visible": False, "range": [way.row - 0.6, -0.4], "fixedrange": True},
        "margin": {"l": 0, "r": 0, "t": 44, "b": 0},
    }
    return Chart(
        name="block",
        figure=go.Figure([], layout),
        alt=f"Drawing of {block.kind} {block.path}: {gate.name} is {where}. {_listed(block)}",
        how_to_read="From top to bottom: the block's input X, its parts with their number of output channels (/2 is a "
        f"stride of 2), and its output. The gate is in colour: {_does(gate)}. {_seen(block)}. Nothing is inferred from "
        "the network's name.",
    )


def _does(gate: Gate) -> str:
    if gate.squeeze == NOT_SEEN:
        return (
            "it multiplies each channel of U by a weight; the weight was not seen to come from one squeeze of U alone"
        )
    return "it squeezes each channel of U to a number z, computes the weights s from z, and multiplies U by s"


def _gate_boxes(gate: Gate, shape: Sequence[int]) -> list[list[str]]:
    area = " × ".join(map(str, shape[1:] if gate.layout == "nchw" else shape[:-1]))
    squeeze = (
        ["squeeze not seen", "no z"]
        if gate.squeeze == NOT_SEEN
        else [f"{_SQUEEZES.get(gate.squeeze, f'{gate.squeeze} over')} {area}", f"<b>z</b>  {gate.channels}"]
    )
    layers = [["weights without", "a bottleneck"]]
    if gate.bottleneck is not None:
        layers = [
            [f"FC {gate.channels} → {gate.bottleneck}", gate.ratio],
            [f"FC {gate.bottleneck} → {gate.channels}"],
        ]
    return [squeeze, *layers, [gate.gate_function, f"<b>s</b>  {gate.channels}"]]


def _boxes(parts: Sequence[BlockPart], layout: Layout) -> list[list[str]]:
    """Return the lines of each box: normalisations and activations are in the box of the part before them."""
    boxes: list[list[str]] = []
    for part in parts:
        if part.kind not in ("norm", "activation"):
            last = part.kind == "linear" or (layout == "nhwc" and part.kind != "convolution")
            boxes.append([f"{_brief(part.text)} → {part.shape[-1 if last else 0]}"])
        elif boxes:
            boxes[-1] = [boxes[-1][0], ", ".join([*boxes[-1][1:], part.text])]
        else:
            boxes.append([part.text])
    if len(boxes) > _MOST:
        boxes = [[f"{len(boxes) - _MOST + 1} more parts"], *boxes[1 - _MOST :]]
    return boxes


def _brief(text: str) -> str:
    for words, short in _BRIEF:
        text = text.replace(words, short)
    return text


def _size(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _listed(block: Block) -> str:
    ways = [f"On the path through the gate: {', '.join(part.text for part in block.parts)}."]
    ways += [
        f"Added after {join.after} of these: {', '.join(part.text for part in join.parts) or 'the identity'}."
        for join in block.joins
    ]
    return " ".join(ways if _whole(block) else [*ways, "Some of the block could not be traced."])


def _whole(block: Block) -> bool:
    return block.begins and block.ends and all(join.begins for join in block.joins)


def _seen(block: Block) -> str:
    if _whole(block):
        return "All parts were seen to run in a forward pass"
    return "These parts were seen to run in a forward pass; at ⋮ the block could not be traced any further"
