"""The report on the cost of SE in a network: parameters, multiply-accumulates and time."""

from collections.abc import Mapping, Sequence
from functools import partial

from se_viz.analysis.cost import Cost
from se_viz.gates.macs import RULE, not_counted
from se_viz.reports.report import Later, Report
from se_viz.reports.tables import cost_table
from se_viz.wording import signed

QUESTION = "What does SE cost this network?"


def cost_report(cost: Cost, name: str, side: int, times: Mapping[tuple[int, ...], float] | None = None) -> Report:
    """Compose the report on the cost of SE in a network.

    Sentences: what the gates add; the operations of squeeze and scale; the times, if they are given. Notes: the
    operators that are not counted, if there are any. Tables: ``cost``.

    Args:
        cost: the cost of the network.
        name: name of the network.
        side: side of its images, in pixels.
        times: milliseconds for one image by the stages that have gates: all of the network, none, and possibly some.
    """
    sentences = (
        _added(cost, name, side),
        f"Squeeze and scale add {cost.elementwise / 1e6:.1f} M elementwise operations, which are not counted.",
        *([_timed(cost, times)] if times else []),
    )
    return Report(
        QUESTION,
        lambda: sentences,
        tables=Later({"cost": partial(cost_table, cost)}),
        notes=(not_counted(cost.left_out),) if cost.left_out else (),
        how_measured=RULE,
        about={"Model": name, "Images": f"one image of {side} × {side} pixels"},
    )


def ratio_formula(channels: Mapping[int, Sequence[int]], r: int, weights: int) -> str:
    """Return the formula of Section 4 for the gates of a network, in LaTeX.

    Args:
        channels: the channels C of each gate, by stage.
        r: reduction ratio.
        weights: the number of weights, which is the value of the formula.
    """
    terms = " + ".join(
        rf"{len(listed)} \cdot {listed[0]}^2" if len(set(listed)) == 1 else rf"\sum_{{{len(listed)}}} C^2"
        for listed in channels.values()
    )
    value = f"{weights:,}".replace(",", "{,}")
    return rf"\frac{{2}}{{r}} \sum_s N_s C_s^2 = \frac{{2}}{{{r}}} \left({terms}\right) = {value}"


def _added(cost: Cost, name: str, side: int) -> str:
    params, macs = cost.totals()
    more_params, more_macs = cost.params - params, cost.macs - macs
    return (
        f"SE adds **{more_params:,}** parameters ({signed(more_params / params, '+.2%')}) and **{more_macs:,}** "
        f"multiply-accumulates ({signed(more_macs / macs, '+.2%')}) to {name}, which without SE has "
        f"{params / 1e6:.2f} M parameters and {macs / 1e9:.3f} G multiply-accumulates for an image of {side} × {side} "
        "pixels."
    )


def _timed(cost: Cost, times: Mapping[tuple[int, ...], float]) -> str:
    """Return the sentence on the times; see ``cost_report``."""
    stages = tuple(stage.stage for stage in cost.stages)
    gated, plain = times[stages], times[()]
    said = (
        f"On this machine one image takes **{gated:.1f} ms** with these gates and **{plain:.1f} ms** without, "
        f"{signed(gated / plain - 1, '+.1%')}"
    )
    for fewer in (one for one in times if one not in (stages, ())):
        said += f"; without the gates of the last stage it takes **{times[fewer]:.1f} ms**"
    return f"{said}. Each is the fastest of five rounds in which the networks take turns."
