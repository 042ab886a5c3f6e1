"""The gates of a network as a tree: network, stages, gates."""

from collections.abc import Sequence

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame
from se_viz.figures.palette import ACCENT, INK, TILE
from se_viz.gates.gate import Gate

_GATE_ROW, _LEAST, _HIGHEST = 26, 300, 640  # pixels


def gate_tree(name: str, gates: Sequence[Gate], chosen: str = "") -> Chart:
    """Every gate, as high as any other, beside its stage.

    Args:
        name: of the network.
        gates: in execution order.
        chosen: name of the gate that is set apart.
    """
    stages = {gate.stage: [other for other in gates if other.stage == gate.stage] for gate in gates}
    ids, labels, parents, colours = ["network"], [_tile(name, _counted(len(gates), "gate"))], [""], [TILE]
    for stage, members in sorted(stages.items()):
        ids.append(f"stage {stage}")
        share = f"1/{2**stage} of the picture's side" if stage else "the picture's size"
        labels.append(_tile(f"stage {stage}", _counted(len(members), "gate"), share))
        parents.append("network")
        colours.append(TILE)
        for gate in members:
            ids.append(gate.name)
            labels.append(f"<b>{gate.name}</b>  {widths(gate)}")
            parents.append(f"stage {stage}")
            colours.append(ACCENT if gate.name == chosen else TILE)
    by_name = {gate.name: gate for gate in gates}
    hover = [_about(by_name[key]) if key in by_name else text for key, text in zip(ids, labels, strict=True)]
    layout = frame("Gates by stage", "", "", min(_HIGHEST, max(_LEAST, _GATE_ROW * len(gates) + 52)))
    layout["margin"] = {"l": 0, "r": 0, "t": 44, "b": 0}
    figure = go.Figure(
        go.Icicle(
            ids=ids,
            labels=labels,
            parents=parents,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            # In the order of execution, not of size.
            sort=False,
            marker={"colors": colours, "line": {"width": 0}},
            tiling={"orientation": "h", "pad": 2},
            textfont={"size": 12, "color": INK},
            leaf={"opacity": 1},
            pathbar={"visible": False},
            textposition="middle left",
        ),
        layout,
    )
    listed = "; ".join(
        f"stage {stage}: {', '.join(f'{gate.name} {widths(gate)}' for gate in members)}"
        for stage, members in sorted(stages.items())
    )
    return Chart(
        name="gates",
        figure=figure,
        alt=f"The {_counted(len(gates), 'gate')} of {name}. {listed}.",
        how_to_read="Left to right: the network, its stages, their gates in the order in which they run, each with its "
        "channels and the width of its bottleneck (C → C/r → C). A click on a stage shows it alone; another leads "
        "back.",
    )


def widths(gate: Gate) -> str:
    """C → C/r → C, or the channels alone."""
    narrow = "" if gate.bottleneck is None else f" → {gate.bottleneck} → {gate.channels}"
    return f"{gate.channels}{narrow}"


def ratio(gate: Gate) -> str:
    """The reduction ratio in words."""
    return "no bottleneck" if gate.r is None else f"r = {gate.r:.3g}"


def _about(gate: Gate) -> str:
    return _tile(
        gate.name,
        f"{gate.path} ({gate.kind})",
        f"{widths(gate)}, {ratio(gate)}",
        f"squeeze {gate.squeeze}, gate function {gate.function}",
    )


def _tile(*lines: str) -> str:
    return "<br>".join(lines)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
