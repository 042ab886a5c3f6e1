"""The report on a network: its SE blocks, the cost of its gates, and the position of a gate in its block."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from se_viz.analysis.cost import Cost
from se_viz.analysis.cost import cost as measure_cost
from se_viz.analysis.gate_placement import describe_placement
from se_viz.figures.block_diagram import block_drawing
from se_viz.figures.chart import Chart
from se_viz.figures.gate_tree import gate_tree
from se_viz.gates.block import Block, block_of
from se_viz.gates.gate import Gate
from se_viz.gates.macs import RULE, not_counted
from se_viz.model.model import Model
from se_viz.reports.report import Later, Report
from se_viz.reports.tables import cost_table, gates_table
from se_viz.wording import counted

QUESTION = "Where are the SE blocks?"


def network_report(
    model: Model,
    gates: Sequence[str] = (),
    *,
    called: str = "",
    cost: Cost | None = None,
    blocks: Mapping[str, Block] | None = None,
) -> Report:
    """Compose the report on a network.

    Sentences: the number of gates, their properties and their cost; the position of each of ``gates`` in its block.
    Notes: the operators that are not counted, if there are any. Charts:
    ``gates``, a tree; ``block_GATE``. Tables: ``gates``, ``cost``.

    Args:
        model: the model.
        gates: the gates whose blocks are drawn; the first is highlighted in the tree.
        called: name of the network in the tree (default: the model's name).
        cost: the cost of the network, if it is counted already.
        blocks: the blocks of the gates by name, if they are traced already.

    Raises:
        KeyError: there is no such gate.
    """
    chosen = [model.gate(name) for name in gates]
    traced = blocks or {gate.name: block_of(model.network, gate, model.preprocess.crop) for gate in chosen}
    where = {gate.name: describe_placement(traced[gate.name]) for gate in chosen}
    count = cost or measure_cost(model.network, model.preprocess.crop[0], model.gates)
    charts: dict[str, Callable[[], Chart]] = {
        "gates": partial(gate_tree, called or model.name, model.gates, gates[0] if gates else "")
    }
    for gate in chosen:
        charts[f"block_{gate.name}"] = partial(block_drawing, gate, traced[gate.name], where[gate.name])
    return Report(
        QUESTION,
        lambda: (summary(model, count), *(f"**{name}** is {clause}." for name, clause in where.items())),
        Later(charts),
        Later({"gates": partial(gates_table, model), "cost": partial(cost_table, count)}),
        notes=(not_counted(count.left_out),) if count.left_out else (),
        how_measured=RULE,
    )


def summary(model: Model, cost: Cost) -> str:
    """Return a sentence on the number of gates, their properties and their cost."""
    gates = model.gates
    stages = {gate.stage for gate in gates}
    params, macs = sum(stage.params for stage in cost.stages), sum(stage.macs for stage in cost.stages)
    share = macs / cost.macs
    little = "less than 0.01%" if 0 < share < 1e-4 else f"{share:.2%}"
    return (
        f"{counted(len(gates), 'gate')} in {counted(len(stages), 'stage')}: squeeze "
        f"{_mixed(gate.squeeze for gate in gates)}, {_mixed(gate.gate_function for gate in gates)}, {_ratios(gates)}. "
        f"{'It contains' if len(gates) == 1 else 'They contain'} {params:,} of {cost.params:,} parameters "
        f"({params / cost.params:.1%}) and {'accounts' if len(gates) == 1 else 'account'} for {little} of the "
        f"multiply-accumulates."
    )


def _mixed(values: Iterable[str]) -> str:
    """Return the value if all are equal, otherwise each value with its count."""
    counts = Counter(values).most_common()
    return counts[0][0] if len(counts) == 1 else ", ".join(f"{value} ({count})" for value, count in counts)


def _ratios(gates: Sequence[Gate]) -> str:
    ratios = sorted({round(gate.r, 1) for gate in gates if gate.r is not None})
    if not ratios:
        return "no bottleneck"
    return f"r = {ratios[0]:g}" if len(ratios) == 1 else f"r from {ratios[0]:g} to {ratios[-1]:g}"
