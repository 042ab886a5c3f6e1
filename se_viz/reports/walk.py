"""The report on one channel of one image: the steps from the image to what the block passes on."""

import io
from functools import partial

import numpy as np
import pandas as pd

from se_viz.analysis.gate_placement import describe_placement
from se_viz.analysis.walk import Walk
from se_viz.figures.block_diagram import block_drawing
from se_viz.figures.maps import recalibrated_maps
from se_viz.reports.report import Later, Report
from se_viz.reports.walk_numbers import number
from se_viz.reports.walk_step import strength
from se_viz.reports.walk_steps import walk_steps

QUESTION = "What does a gate do to this image?"


def walk_report(walk: Walk, image: str, row: int | None = None, column: int | None = None) -> Report:
    """Compose the report on one channel of one image.

    Sentences: the answer, then each step with its arithmetic. Charts: ``block``, the block with the gate, and ``maps``,
    U and X̃ of the channel. Tables: ``steps``; ``numbers``; ``products`` of the pixel, if there is a convolution;
    ``excitation``, the products before the gate function. File: ``walk.npz`` with the arrays.

    Args:
        walk: the way of the channel, from ``walk``.
        image: name of the image.
        row, column: the pixel whose convolution is opened; by default the one where |U_c| is largest.

    Raises:
        ValueError: there is no such pixel.
    """
    brightest = walk.brightest
    pixel = (brightest[0] if row is None else row, brightest[1] if column is None else column)
    height, width = walk.u.shape
    if not (0 <= pixel[0] < height and 0 <= pixel[1] < width):
        raise ValueError(
            f"There is no pixel {pixel[0]},{pixel[1]} in U of {walk.gate.name}: rows are 0 to {height - 1}, columns 0 "
            f"to {width - 1}."
        )
    block, gate = walk.values.block, walk.gate
    tables = {"steps": partial(steps_table, walk, *pixel), "numbers": partial(numbers_table, walk, *pixel)}
    if walk.convolution is not None:
        tables["products"] = partial(products_table, walk, *pixel)
    if walk.excitation_terms():
        tables["excitation"] = partial(excitation_table, walk)
    return Report(
        QUESTION,
        partial(_sentences, walk, image, pixel),
        Later(
            {
                "block": partial(block_drawing, gate, block, describe_placement(block)),
                "maps": partial(recalibrated_maps, walk.gate_capture, 0, [walk.channel], image),
            }
        ),
        Later(tables),
        (f"X, V ∗ X, h and the output come from a pass of the network as published; {_RULE}.",),
        Later({"walk.npz": partial(walk_bytes, walk)}),
        {"Gate": f"{gate.name}, channel {walk.channel}"},
    )


_RULE = "z, s, U and X̃ are the numbers that capture returns"


def walk_answer(walk: Walk, image: str) -> str:
    """Return the answer in one sentence, with ``**`` for emphasis."""
    gate, c = walk.gate, walk.channel
    squeezed = f"gives channel {c} the weight"
    if walk.z is not None:
        squeezed = f"squeezes the map of channel {c} to z = {number(walk.z)} and gives it the weight"
    return f"For {image}, **{gate.name}** {squeezed} **s = {number(walk.s)}**: the gate makes it {strength(walk.s)}."


def _sentences(walk: Walk, image: str, pixel: tuple[int, int]) -> tuple[str, ...]:
    steps = walk_steps(walk, *pixel)
    lines = [walk_answer(walk, image)]
    for place, step in enumerate(steps, start=1):
        lines += [f"{place}. **{step.title}**. {step.sentence}", *(f"   {line}" for line in step.arithmetic)]
    return tuple(lines)


def steps_table(walk: Walk, row: int, column: int) -> pd.DataFrame:
    """Return a row for each step: key, title, sentence, arithmetic."""
    steps = walk_steps(walk, row, column)
    return pd.DataFrame(
        {
            "step": [step.key for step in steps],
            "title": [step.title for step in steps],
            "sentence": [step.sentence for step in steps],
            "arithmetic": ["; ".join(step.arithmetic) for step in steps],
        }
    )


def numbers_table(walk: Walk, row: int, column: int) -> pd.DataFrame:
    """Return the numbers of the walk-through: name, meaning and value with three digits."""
    c, values = walk.channel, walk.values
    where = f"row {row}, column {column}"
    rows: list[tuple[str, str, float]] = []
    if walk.convolution is not None and walk.convolved is not None:
        rows.append((f"(V ∗ X)_{c}", f"convolution at {where}", walk.products(row, column).sum))
    rows.append((f"U_{c}", f"map before the gate at {where}", float(walk.u[row, column])))
    if walk.z is not None:
        rows.append((f"z_{c}", f"squeeze ({walk.gate.squeeze}) of {walk.u.size:,} pixels", walk.z))
    if walk.h is not None:
        rows += [(f"h_{at}", "between the two FC layers", float(value)) for at, value in enumerate(walk.h)]
    if walk.logit is not None:
        rows.append(("a", "sum before the gate function", walk.logit))
    rows.append((f"s_{c}", f"excitation weight ({walk.gate.gate_function})", walk.s))
    rows.append((f"X̃_{c}", f"map after the gate at {where}", float(walk.x_tilde[row, column])))
    for operation in values.after:
        if operation.added is not None:
            what = "identity" if operation.identity else "other branch"
            rows.append((what, f"added at {where}", float(operation.added[c, row, column])))
    if values.after:
        rows.append(("output", f"passed on at {where}", walk.at(values.after[-1], row, column)))
    return pd.DataFrame(
        {
            "number": [name for name, _, _ in rows],
            "meaning": [meaning for _, meaning, _ in rows],
            "value": [number(value) for _, _, value in rows],
            "exact": [value for _, _, value in rows],
        }
    )


def products_table(walk: Walk, row: int, column: int) -> pd.DataFrame:
    """Return every product that one pixel of (V ∗ X)_c is the sum of, the largest first; padding is left out."""
    terms = walk.pixel_terms(row, column)
    return pd.DataFrame(
        {
            "map": [term.place[0] for term in terms],
            "row": [term.place[1] for term in terms],
            "column": [term.place[2] for term in terms],
            "x": [term.value for term in terms],
            "weight": [term.weight for term in terms],
            "product": [term.product for term in terms],
        }
    )


def excitation_table(walk: Walk) -> pd.DataFrame:
    """Return every product of the sum before the gate function, by the number of its input in h, or in z without h."""
    terms = walk.excitation_terms()
    return pd.DataFrame(
        {
            "input": [term.place[0] for term in terms],
            "value": [term.value for term in terms],
            "weight": [term.weight for term in terms],
            "product": [term.product for term in terms],
        }
    )


def walk_bytes(walk: Walk) -> bytes:
    """Return the arrays as NPZ: X, V, V_X, U, z, h, s, X_tilde and output; those that do not exist are left out."""
    values = walk.values
    arrays = {
        "X": walk.x,
        "V": walk.filter,
        "V_X": walk.convolved,
        "U": walk.u,
        "z": walk.gate_capture.z,
        "h": walk.h,
        "s": walk.gate_capture.s,
        "X_tilde": walk.x_tilde,
        "output": values.after[-1].output[walk.channel] if values.after else None,
    }
    file = io.BytesIO()
    np.savez_compressed(file, **{name: array for name, array in arrays.items() if array is not None})  # type: ignore[arg-type]
    return file.getvalue()
