"""The gates of a network as a tree: network, stages, gates."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from textwrap import wrap

import plotly.graph_objects as go

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.palette import ACCENT, INK, TILE
from se_viz.gates.gate import Gate, by_stage

_ROW, _HIGH_ROW, _LEAST, _HIGHEST = 26, 36, 300, 640  # pixels
_LEAVES = 24  # what that height has room for; beyond it, neighbours that are alike share a leaf


def gate_tree(name: str, gates: Sequence[Gate], chosen: str = "") -> Chart:
    """Every gate, as high as any other, beside its stage; of many gates, those in a row that are alike are one leaf.

    Args:
        name: of the network.
        gates: in execution order.
        chosen: name of the gate that is set apart.
    """
    stages, everywhere = by_stage(gates), _agreed(gates)
    ids, parents, colours = ["network"], [""], [TILE]
    # In short lines, as a tile's longest line decides how large its text can be.
    called = [label(line) for line in wrap(name, 18, max_lines=3, placeholder=" …")]
    labels = [_tile(*called, _counted(len(gates), "gate"), *everywhere)]
    hover, leaves, row = list(labels), 0, _ROW
    for stage, members in stages.items():
        here = [words for words in _agreed(members) if words not in everywhere]
        ids.append(f"stage {stage}")
        share = f"1/{2**stage} of the image's side" if stage else "the image's size"
        labels.append(_tile(f"stage {stage}", _counted(len(members), "gate"), *here, share))
        hover.append(labels[-1])
        parents.append("network")
        colours.append(TILE)
        for run in _runs(members, chosen) if len(gates) > _LEAVES else ([gate] for gate in members):
            ids.append(run[0].name)
            named = run[0].name if len(run) == 1 else f"{run[0].name} … {run[-1].name.rpartition('_')[2]}"
            own = [words for words in _agreed(run) if words not in (*everywhere, *here)]
            labels.append(_tile(f"<b>{named}</b>  {widths(run[0])}", *[", ".join(own)] * bool(own)))
            row = _HIGH_ROW if own else row
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
        for stage, members in stages.items()
    )
    alike = f" ({', '.join(everywhere)})" if everywhere else ""
    return Chart(
        name="gates",
        figure=figure,
        alt=f"The {_counted(len(gates), 'gate')} of {name}{alike}. {listed}.",
        how_to_read="Left to right: the network, its stages, their gates in the order in which they run, each with its "
        "channels and the width of its bottleneck (C → C/r → C). The reduction ratio r and the gate function stand "
        "once for all gates that agree on them. Of many gates, neighbours that are alike share a row. A click on a "
        "stage shows it alone; another leads back.",
    )


def widths(gate: Gate) -> str:
    """C → C/r → C, or the channels alone."""
    narrow = "" if gate.bottleneck is None else f" → {gate.bottleneck} → {gate.channels}"
    return f"{gate.channels}{narrow}"


def _agreed(gates: Sequence[Gate]) -> list[str]:
    """Of the reduction ratio and the gate function, what is the same in all of these gates."""
    facts = ({gate.ratio for gate in gates}, {gate.gate_function for gate in gates})
    return [words for found in facts if len(found) == 1 for words in found]


def _runs(gates: Sequence[Gate], chosen: str) -> Iterator[list[Gate]]:
    """Neighbours that are alike in all that the tree shows; the chosen one stands alone."""
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


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
