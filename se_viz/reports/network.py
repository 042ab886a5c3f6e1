"""Where does attention sit in a network? Its gates, what they weigh in it, and where one sits in its block."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from se_viz.analysis.cost import Cost, cost
from se_viz.analysis.gate_placement import describe_placement
from se_viz.figures.block_diagram import block_drawing
from se_viz.figures.chart import Chart
from se_viz.figures.gate_tree import gate_tree
from se_viz.gates.block import Block, block_of
from se_viz.gates.gate import Gate
from se_viz.gates.macs import RULE, not_counted
from se_viz.model.model import Model
from se_viz.reports.report import Later, Report
from se_viz.reports.tables import gates_table

QUESTION = "Where does attention sit in this network?"


def network_report(
    model: Model,
    gates: Sequence[str] = (),
    *,
    called: str = "",
    counted: Cost | None = None,
    blocks: Mapping[str, Block] | None = None,
) -> Report:
    """Compose the report on a network.

    Sentences: how many gates there are, of what kind, and what they weigh; where each of ``gates`` sits in its block.
    Notes: how multiply-accumulates are counted; what is not counted, where there is such. Charts: ``gates``, a tree;
    ``block_GATE``. Table: ``gates``.

    Args:
        model: the network.
        gates: those whose blocks are drawn; the first is set apart in the tree.
        called: what the network is called in the tree; the model's name if not given.
        counted: its cost, where it is counted already.
        blocks: of the gates by name, where they are traced already.

    Raises:
        KeyError: there is no such gate.
    """
    chosen = [model.gate(name) for name in gates]
    traced = blocks or {gate.name: block_of(model.network, gate, model.preprocess.crop) for gate in chosen}
    where = {gate.name: describe_placement(traced[gate.name]) for gate in chosen}
    count = counted or cost(model.network, model.preprocess.crop[0], model.gates)
    charts: dict[str, Callable[[], Chart]] = {
        "gates": partial(gate_tree, called or model.name, model.gates, gates[0] if gates else "")
    }
    for gate in chosen:
        charts[f"block_{gate.name}"] = partial(block_drawing, gate, traced[gate.name], where[gate.name])
    return Report(
        QUESTION,
        lambda: (summary(model, count), *(f"**{name}** is {clause}." for name, clause in where.items())),
        Later(charts),
        Later({"gates": partial(gates_table, model)}),
        (RULE, *([not_counted(count.left_out)] if count.left_out else [])),
    )


def summary(model: Model, counted: Cost) -> str:
    """How many gates there are, of what kind, and what they weigh in the network."""
    gates = model.gates
    stages = {gate.stage for gate in gates}
    own, macs = sum(stage.params for stage in counted.stages), sum(stage.macs for stage in counted.stages)
    share = macs / counted.macs
    little = "less than 0.01%" if 0 < share < 1e-4 else f"{share:.2%}"
    return (
        f"{len(gates)} {'gate' if len(gates) == 1 else 'gates'} in {len(stages)} "
        f"{'stage' if len(stages) == 1 else 'stages'}: squeeze {_mixed(gate.squeeze for gate in gates)}, "
        f"{_mixed(gate.function for gate in gates)}, {_ratios(gates)}. "
        f"{'It holds' if len(gates) == 1 else 'They hold'} {own:,} of {counted.params:,} parameters "
        f"({own / counted.params:.1%}) and {'does' if len(gates) == 1 else 'do'} {little} of the "
        f"multiply-accumulates."
    )


def _mixed(values: Iterable[str]) -> str:
    """One word where all agree, else each with its number."""
    counts = Counter(values).most_common()
    return counts[0][0] if len(counts) == 1 else ", ".join(f"{value} ({count})" for value, count in counts)


def _ratios(gates: Sequence[Gate]) -> str:
    found = sorted({round(gate.r, 1) for gate in gates if gate.r is not None})
    if not found:
        return "no bottleneck"
    return f"r = {found[0]:g}" if len(found) == 1 else f"r from {found[0]:g} to {found[-1]:g}"
