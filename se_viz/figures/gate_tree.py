"""The gates of a network as a tree: network, stages, gates."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.palette import ACCENT, INK, TILE
from se_viz.gates.gate import Gate, by_stage
from se_viz.wording import counted

_ROW, _HIGH_ROW, _LEAST, _HIGHEST = 26, 36, 300, 640  # pixels
_LEAVES = 24  # leaves that fit into that height; with more gates, equal neighbours share a leaf


def gate_tree(name: str, gates: Sequence[Gate], chosen: str = "") -> Chart:
    """Draw the gates beside their stages; of more than 24 gates, equal neighbours share a leaf.

    Args:
        name: name of the network.
        gates: gates in execution order.
        chosen: name of the highlighted gate.
    """
    stages, everywhere = by_stage(gates), _agreed(gates)
    ids, parents, colours = ["network"], [""], [TILE]
    # The lines are short, because a tile's longest line limits the size of its text.
    called = [label(line) for line in wrap(name, 18, max_lines=3, placeholder=" …")]
    labels = [_tile(*called, counted(len(gates), "gate"), *everywhere)]
    hover, leaves, row = list(labels), 0, _ROW
    for stage, members in stages.items():
        in_stage = [words for words in _agreed(members) if words not in everywhere]
        ids.append(f"stage {stage}")
        share = f"1/{2**stage} of the image's side" if stage else "the image's size"
        labels.append(_tile(f"stage {stage}", counted(len(members), "gate"), *in_stage, share))
        hover.append(labels[-1])
        parents.append("network")
        colours.append(TILE)
        for run in _runs(members, chosen) if len(gates) > _LEAVES else ([gate] for gate in members):
            ids.append(run[0].name)
            named = run[0].name if len(run) == 1 else f"{run[0].name} … {run[-1].name.rpartition('_')[2]}"
            of_leaf = [words for words in _agreed(run) if words not in (*everywhere, *in_stage)]
            labels.append(_tile(f"<b>{named}</b>  {widths(run[0])}", *[", ".join(of_leaf)] * bool(of_leaf)))
            row = _HIGH_ROW if of_leaf else row
            hover.append(_about(run))
            parents.append(f"stage {stage}")
            colours.append(ACCENT if run[0].name == chosen else TILE)
            leaves += 1
    layout = frame("Gates by stage", "", "", min(_HIGHEST, max(_LEAST, row * leaves + 52)))
    layout["margin"] = {"l": 0, "r": 0, "t": 44, "b": 0}
    figure = go.Figure(
        go.Icicle(
            ids=ids,
            labels=labels,
            parents=parents,
            customdata=hover,
            hovertemplate="%{customdata}<extra></extra>",
            # Keep the order of execution; plotly sorts by size.
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
        for stage, members in stages.items()
    )
    alike = f" ({', '.join(everywhere)})" if everywhere else ""
    return Chart(
        name="gates",
        figure=figure,
        alt=f"The {counted(len(gates), 'gate')} of {name}{alike}. {listed}.",
        how_to_read="Left to right: the network, its stages, and their gates in execution order, each with its "
        "channels and the width of its bottleneck (C → C/r → C). A reduction ratio r or gate function that gates have "
        f"in common is written once for all of them. If there are more than {_LEAVES} gates, equal neighbours share a "
        "row. Click a stage to show only that stage, and click again to go back.",
    )


def widths(gate: Gate) -> str:
    """Return "C → C/r → C", or "C" without a bottleneck."""
    narrow = "" if gate.bottleneck is None else f" → {gate.bottleneck} → {gate.channels}"
    return f"{gate.channels}{narrow}"


def _agreed(gates: Sequence[Gate]) -> list[str]:
    """Return the reduction ratio and the gate function, each only if it is the same in all of these gates."""
    facts = ({gate.ratio for gate in gates}, {gate.gate_function for gate in gates})
    return [words for values in facts if len(values) == 1 for words in values]


def _runs(gates: Sequence[Gate], chosen: str) -> Iterator[list[Gate]]:
    """Group neighbours that are equal in everything that the tree shows; the chosen gate is in a separate group."""
    for _, run in groupby(
        gates,
        key=lambda gate: (widths(gate), gate.kind, gate.squeeze, gate.gate_function, gate.name == chosen),
    ):
        yield list(run)


def _about(run: Sequence[Gate]) -> str:
    gate = run[0]
    place = f"{gate.path} ({gate.kind})" if len(run) == 1 else f"to {run[-1].name}: {len(run)} gates ({gate.kind})"
    return _tile(
        gate.name,
        place,
        f"{widths(gate)}, {gate.ratio}",
        f"squeeze {gate.squeeze}, gate function {gate.gate_function}",
    )


def _tile(*lines: str) -> str:
    return "<br>".join(lines)
