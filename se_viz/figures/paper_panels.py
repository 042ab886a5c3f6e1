"""Figures 6 and 7 of the paper as one figure each: a panel for each of six gates."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from se_viz.figures.chart import Chart, frame, label
from se_viz.figures.class_profiles import ALL, area_between, padded, sampled
from se_viz.figures.palette import CLASSES, DASHES, MUTED
from se_viz.types import AnyFloats, Int32s

_ACROSS = 2
_LETTERS = "abcdef"
_HEIGHT = 190  # px of a row of panels


def figure_6(
    means: Mapping[str, Mapping[str, AnyFloats]], overall: Mapping[str, AnyFloats], span: tuple[float, float]
) -> Chart:
    """Draw Figure 6: the mean of s by channel of some classes, and of all classes, in a panel for each gate.

    Args:
        means: gate → class → mean of s (C,).
        overall: gate → mean over all classes (C,).
        span: the range of s that the gate functions can reach.
    """
    figure = _panels(list(means), span)
    for place, (gate, by_class) in enumerate(means.items()):
        channels = np.asarray(sampled(len(overall[gate])), np.int32)
        for index, (name, values) in enumerate([*by_class.items(), (ALL, overall[gate])]):
            whole = name == ALL
            line = {
                "color": MUTED if whole else CLASSES[index % len(CLASSES)],
                "width": 1.5 if whole else 1,
                "dash": "dot" if whole else DASHES[index % len(DASHES)],
            }
            _add(figure, place, _line(channels, values[channels], name, line, first=not place))
    gaps = ", ".join(
        f"{gate} {np.mean([np.abs(values - overall[gate]).mean() for values in by_class.values()]):.3f}"
        for gate, by_class in means.items()
    )
    return Chart(
        "paper_figure_6",
        figure,
        alt=f"Mean of s by class in {len(means)} gates. Mean distance of the classes from the mean over all: {gaps}.",
        how_to_read=(
            "The paper's Figure 6 for this network: a panel for each gate, a line for each class, dotted for the mean "
            "over all classes. Where lines coincide, the gate treats the classes alike."
        ),
    )


def figure_7(bands: Mapping[str, Mapping[str, tuple[AnyFloats, AnyFloats]]], span: tuple[float, float]) -> Chart:
    """Draw Figure 7: the mean ± SD of s over the images of each class, by channel, in a panel for each gate.

    Args:
        bands: gate → class → mean and standard deviation of s (C,) each.
        span: the range of s that the gate functions can reach.
    """
    figure = _panels(list(bands), span)
    for place, (_, by_class) in enumerate(bands.items()):
        for index, (name, (mean, sd)) in enumerate(by_class.items()):
            channels = np.asarray(sampled(len(mean)), np.int32)
            colour = CLASSES[index % len(CLASSES)]
            low, high = (np.clip(mean + way * sd, *span)[channels] for way in (-1, 1))
            _add(figure, place, area_between(channels, low, high, colour))
            line = {"color": colour, "width": 1, "dash": DASHES[index % len(DASHES)]}
            _add(figure, place, _line(channels, mean[channels], name, line, first=not place))
    widths = ", ".join(
        f"{gate} {np.mean([sd.mean() for _, sd in by_class.values()]):.3f}" for gate, by_class in bands.items()
    )
    return Chart(
        "paper_figure_7",
        figure,
        alt=f"Mean and standard deviation of s by class in {len(bands)} gates. Mean SD: {widths}.",
        how_to_read=(
            "The paper's Figure 7 for this network: a panel for each gate, a line with a band of mean ± SD for each "
            "class. Narrow band: the gate treats the images of the class alike."
        ),
    )


def _panels(gates: Sequence[str], span: tuple[float, float]) -> go.Figure:
    rows = -(-len(gates) // _ACROSS)
    titles = [f"({_LETTERS[place]}) {gate}" for place, gate in enumerate(gates)]
    figure = make_subplots(rows, _ACROSS, subplot_titles=titles, vertical_spacing=0.3 / rows, horizontal_spacing=0.12)
    layout = frame("", "", "", 60 + _HEIGHT * rows)
    x_axis, y_axis = layout.pop("xaxis"), layout.pop("yaxis")
    del layout["title"], x_axis["title"], y_axis["title"]
    layout["margin"] = {"l": 8, "r": 8, "t": 56, "b": 8}
    layout["legend"] |= {"y": 1.07, "x": 0, "xanchor": "left"}
    figure.update_layout(layout)
    figure.update_xaxes(x_axis, nticks=4)
    figure.update_yaxes(y_axis, range=padded(span), nticks=4)
    figure.update_xaxes(title_text="channel", row=rows)
    if len(gates) % _ACROSS:  # the last place is empty, and the panel above it has the lowest axis of its column
        figure.update_xaxes(title_text="channel", row=rows - 1, col=_ACROSS)
    figure.update_yaxes(title_text="s", col=1)
    figure.update_annotations(font_size=12)
    return figure


def _add(figure: go.Figure, place: int, trace: go.Scatter) -> None:
    figure.add_trace(trace, row=place // _ACROSS + 1, col=place % _ACROSS + 1)


def _line(x: Int32s, y: AnyFloats, name: str, line: Mapping[str, object], *, first: bool) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y.astype(np.float32),
        name=label(name),
        legendgroup=name,
        showlegend=first,
        mode="lines",
        line=line,
        yhoverformat=".3f",
        hovertemplate=f"{label(name)}<br>channel %{{x}}: %{{y}}<extra></extra>",
    )
