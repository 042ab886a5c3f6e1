"""Similarity of classes and of gates: heatmaps and a tree."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
from scipy.cluster.hierarchy import dendrogram

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.not_finite import texts
from se_viz.figures.palette import ACCENT, DIVERGING, MUTED, SEQUENTIAL, scale
from se_viz.types import AnyFloats
from se_viz.wording import signed

_MOST = 512  # columns; if there are more channels, neighbours are averaged


def class_heatmap(gate: str, names: Sequence[str], means: AnyFloats, span: tuple[float, float]) -> Chart:
    """Draw mean s of classes (rows) by channels (columns).

    Args:
        gate: name of the gate.
        names: names of the K classes, in the order of the rows.
        means: mean of s (K, C), rows and columns in the order to draw.
        span: the range of s that the gate function can reach.
    """
    k, channels = means.shape
    bins = -(-channels // _MOST)
    drawn = means if bins == 1 else np.add.reduceat(means, np.arange(0, channels, bins), axis=1) / bins
    if bins > 1 and channels % bins:
        drawn[:, -1] *= bins / (channels % bins)
    layout = frame(
        f"{gate}: mean s of {k} classes by {channels} channels",
        "channel, highest mean s first" + (f", {bins} in a column" if bins > 1 else ""),
        "class",
        min(900, 110 + max(14, min(26, 700 // k)) * k),
    )
    outline = {"showgrid": False, "showline": True, "mirror": True, "linecolor": MUTED}
    layout["xaxis"] |= outline
    layout["yaxis"] |= {"autorange": "reversed", "nticks": min(k, 40), **outline}
    heatmap = go.Heatmap(
        z=drawn.astype(np.float32),
        y=[label(name, 22) for name in names],
        dx=bins,
        zmin=span[0],
        zmax=span[1],
        colorscale=scale(SEQUENTIAL if span[0] == 0 else DIVERGING),
        colorbar={"title": {"text": "s"}, "thickness": 10, "tickvals": [span[0], sum(span) / 2, span[1]]},
        zhoverformat=".3f",
        hovertemplate="%{y}<br>column %{x}: mean s = %{z}<extra></extra>",
    )
    apart = float(means.std(axis=0).mean())
    return Chart(
        name=f"class_heatmap_{gate}",
        figure=go.Figure(heatmap, layout),
        alt=(
            f"Heatmap of the mean excitation of {k} classes by {channels} channels of {gate}, similar classes next to "
            f"each other, first {names[0]}, last {names[-1]}. Classes differ by {apart:.3f} a channel."
        ),
        how_to_read=(
            "Each row is a class, each column a channel; similar classes are next to each other. Vertical stripes are "
            "channels with the same weight for all classes. Blocks of rows are groups of classes that the gate treats "
            "alike."
        ),
    )


def class_tree(gate: str, names: Sequence[str], linkage: AnyFloats) -> Chart:
    """Draw a dendrogram of the classes.

    Args:
        gate: name of the gate.
        names: names of the K classes.
        linkage: from ``scipy.cluster.hierarchy.linkage``, (K − 1, 4).
    """
    tree = dendrogram(linkage, no_plot=True, labels=[label(name, 22) for name in names])
    layout = frame(
        f"{gate}: similarity of classes",
        "1 − similarity of the classes",
        "",
        min(900, max(240, 80 + 22 * len(names))),
    )
    places = [5 + 10 * index for index in range(len(names))]
    layout["yaxis"] |= {"tickvals": places, "ticktext": tree["ivl"], "showgrid": False}
    # Without the margin, half of the last line would be cut off.
    layout["xaxis"]["range"] = [0, 1.03 * float(linkage[:, 2].max()) or 1]
    x: list[float | None] = []
    y: list[float | None] = []
    for distances, heights in zip(tree["dcoord"], tree["icoord"], strict=True):
        x += [*distances, None]
        y += [*heights, None]
    lines = go.Scatter(x=x, y=y, mode="lines", line={"color": ACCENT, "width": 1.5}, hoverinfo="skip")
    first = int(linkage[0, 0]), int(linkage[0, 1])
    return Chart(
        name=f"tree_{gate}",
        figure=go.Figure(lines, layout),
        alt=(
            f"Dendrogram of {len(names)} classes by their excitation in {gate}; the most similar are {names[first[0]]} "
            f"and {names[first[1]]}."
        ),
        how_to_read=(
            "Classes that the gate treats alike are joined near the left. The farther right two branches meet, the "
            "more the weights of their classes differ."
        ),
    )


def gate_heatmap(gates: Sequence[str], cka: AnyFloats, chance: AnyFloats) -> Chart:
    """Draw the similarity of the gates.

    Args:
        gates: names of G gates in execution order.
        cka: linear CKA of two gates (G, G), 0–1; NaN for a gate that does not separate classes.
        chance: its mean with the classes of one gate shuffled (G, G).
    """
    axis = "gate, in the order of execution"
    layout = frame("Gate similarity (CKA)", axis, axis, min(640, max(360, 120 + 24 * len(gates))))
    outline = {"type": "category", "showgrid": False, "showline": True, "mirror": True, "linecolor": MUTED}
    layout["xaxis"] |= outline
    layout["yaxis"] |= {"autorange": "reversed", **outline}
    heatmap = go.Heatmap(
        z=cka.astype(np.float32),
        customdata=texts(chance, 2),
        x=list(gates),
        y=list(gates),
        zmin=0,
        zmax=1,
        colorscale=scale(SEQUENTIAL),
        colorbar={"title": {"text": "CKA"}, "thickness": 10, "tickvals": [0, 0.5, 1]},
        zhoverformat=".2f",
        hovertemplate="%{y} and %{x}<br>CKA %{z}<br>%{customdata} with classes shuffled<extra></extra>",
    )
    pairs = np.triu_indices(len(gates), 1)
    return Chart(
        name="gate_heatmap",
        figure=go.Figure(heatmap, layout),
        alt=(
            f"Heatmap of the similarity of {len(gates)} gates, {gates[0]} to {gates[-1]}, by the classes that they "
            f"separate: linear CKA from {signed(np.nanmin(cka[pairs]), '.2f')} to "
            f"{np.nanmax(cka[pairs]):.2f}."
            if np.isfinite(cka[pairs]).any()
            else f"Heatmap of the similarity of {len(gates)} gates: no two of them separate classes."
        ),
        how_to_read=(
            "Each cell compares two gates by their mean s for each class. Linear CKA is 1 if both separate the same "
            "classes by the same amounts, in whatever channels, and 0 if they have nothing in common. Light blocks "
            "along the diagonal are gates that separate classes in the same way. With few classes any two gates look "
            "similar: point at a cell to see the CKA of shuffled classes."
        ),
    )
