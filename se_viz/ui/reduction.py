"""The Reduction page: whether the reduction ratio matters, to accuracy, to size and to the patterns of s."""

from typing import get_args

import pandas as pd
import streamlit as st

from se_viz.figures.heatmap import attention_heatmap
from se_viz.figures.tradeoff import Point, accuracy_against_cost
from se_viz.study.cost import NETWORKS, Sites, gated_sites, se_weights
from se_viz.study.health import health
from se_viz.study.order import Order
from se_viz.study.paper import TABLE_10
from se_viz.study.predictions import top
from se_viz.study.robust import by_ratio, robustness
from se_viz.ui import chart, readings
from se_viz.ui.head import Head
from se_viz.ui.models import member
from se_viz.zoo import demo
from se_viz.zoo.card import Card

QUESTION = "Does the reduction ratio matter?"
_RATIOS = (1, 2, 4, 8, 16, 32, 64)
_COSTS = {"parameters": "parameters, millions", "MACs": "multiply-accumulates for one image, millions"}


@st.cache_resource(show_spinner=False)
def _cards() -> tuple[Card, ...]:
    return tuple(demo.card(name) for name in demo.names())


@st.cache_resource(show_spinner="Counting the network", max_entries=16)
def _sites(network: str) -> Sites:
    return gated_sites(network)


def page(head: Head) -> None:
    """Draw the page."""
    cards = _cards()
    ratios = by_ratio(cards)
    head.answer.markdown(
        "A gate squeezes C numbers through C/r: the larger r, the fewer weights it takes. " + robustness(cards)
    )
    _accuracy(cards)
    if ratios:
        _patterns(head, ratios)
    _family(cards)
    _calculator()


@st.fragment
def _accuracy(cards: tuple[Card, ...]) -> None:
    axis = st.segmented_control(
        "Cost as", list(_COSTS), default="parameters", key="cost", bind="query-params", required=True
    )
    ours, paper = st.columns(2, gap="medium")
    points = [
        Point(
            _label(card),
            (card.params if axis == "parameters" else card.macs) / 1e6,
            card.accuracy.top1 * 100,
            card.accuracy.low * 100,
            card.accuracy.high * 100,
        )
        for card in cards
    ]
    with ours:
        chart.show(accuracy_against_cost("family", "Measured here: demo models on Imagenette", _COSTS[axis], points))
    with paper:
        table = [Point(row.name, row.params or 0, 100 - row.top1) for row in TABLE_10]
        chart.show(
            accuracy_against_cost(
                "table_10",
                "The paper's Table 10: SE-ResNet-50 on ImageNet",
                _COSTS["parameters"],
                table,
                ours=False,
            )
        )


@st.fragment
def _patterns(head: Head, ratios: tuple[Card, ...]) -> None:
    """The same gate of every ratio on the chosen pictures, and what each network says."""
    st.header("Your pictures, ratio by ratio", anchor=False)
    pictures = head.chosen.pictures
    names = [picture.name for picture in pictures]
    models = {card.network.r: member(f"demo/{card.name}", str(head.model.device)) for card in ratios}
    gates = [gate.name for gate in next(iter(models.values())).gates]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        gate = st.segmented_control(
            "Gate", gates, default=gates[-1], key="gate_by_ratio", bind="query-params", required=True
        )
        order = st.segmented_control(
            "Order of channels",
            get_args(Order),
            default="mean",
            key="order_by_ratio",
            bind="query-params",
            required=True,
        )
    st.caption(
        "Different networks have different channels: channel 7 of one has nothing to do with channel 7 of another. "
        "Compare how s is spread and how rows differ, not columns."
    )
    captures = {r: readings.values(model, pictures) for r, model in models.items()}
    for start in range(0, len(captures), 2):
        for column, r in zip(st.columns(2, gap="medium"), list(captures)[start : start + 2], strict=False):
            with column:
                reading = captures[r][gate]
                chart.show(attention_heatmap(reading, names, order, model=f"r = {r}"))
                found = health(reading.s)
                st.caption(f"r = {r}, bottleneck {reading.gate.bottleneck}: {found.verdict}, spread {found.spread:.3f}")
    said = {
        f"r = {r}": [f"{best[0].label} {best[0].probability:.0%}" for best in top(captures[r].logits, model.classes, 1)]
        for r, model in models.items()
    }
    st.dataframe(pd.DataFrame({"picture": names, **said}), hide_index=True)


def _family(cards: tuple[Card, ...]) -> None:
    st.header("The demo models", anchor=False)
    st.dataframe(
        pd.DataFrame(
            {
                "model": [f"demo/{card.name}" for card in cards],
                "parameters": [card.params for card in cards],
                "MACs, millions": [card.macs / 1e6 for card in cards],
                "top-1, %": [card.accuracy.top1 * 100 for card in cards],
                "95 % interval": [f"{card.accuracy.low:.1%} – {card.accuracy.high:.1%}" for card in cards],
                "trained in, min": [card.seconds / 60 for card in cards],
            }
        ),
        hide_index=True,
        column_config={
            "parameters": st.column_config.NumberColumn(format="localized"),
            "MACs, millions": st.column_config.NumberColumn(format="%.1f"),
            "top-1, %": st.column_config.NumberColumn(format="%.2f"),
            "trained in, min": st.column_config.NumberColumn(format="%.0f"),
        },
    )
    st.caption(
        "One recipe, one seed; they differ in the one thing their name says. Top-1 on the 3,925 validation images of "
        "Imagenette, one centre crop of 128 pixels, with Wilson's 95 % interval."
    )


@st.fragment
def _calculator() -> None:
    st.header("What SE costs a network", anchor=False)
    left, middle, right = st.columns(3, gap="medium")
    network = left.selectbox("Network", NETWORKS, key="network", bind="query-params")
    r = middle.select_slider("Reduction ratio r", _RATIOS, value=16, key="ratio", bind="query-params")
    sites = _sites(network)
    stages = sorted(sites.channels)
    last = right.toggle("Gates in the last stage", value=True, key="last", bind="query-params")
    blocks = {stage: list(channels) for stage, channels in sites.channels.items() if last or stage != stages[-1]}
    added = {stage: se_weights(((1, c) for c in channels), r) for stage, channels in blocks.items()}
    total = sum(added.values())
    with st.container(horizontal=True):
        st.metric("without SE", f"{sites.params / 1e6:.2f} M", help="Parameters.")
        st.metric("SE adds", f"{total:,}", f"{total / sites.params:+.2%}", delta_color="off", delta_arrow="off")
        st.metric("multiply-accumulates", f"{sites.macs / 1e9:.3f} G", f"{total / sites.macs:+.2%}", delta_color="off",
                  delta_arrow="off", help="Of one image; each weight of a gate is used once.")  # fmt: skip
    st.dataframe(
        pd.DataFrame(
            {
                "stage": list(blocks),
                "gates": [len(channels) for channels in blocks.values()],
                "channels C": [", ".join(map(str, sorted(set(channels)))) for channels in blocks.values()],
                "parameters added": list(added.values()),
                "of the network": [f"{count / sites.params:+.2%}" for count in added.values()],
            }
        ),
        hide_index=True,
        column_config={"parameters added": st.column_config.NumberColumn(format="localized")},
    )
    terms = " + ".join(
        rf"{len(channels)} \cdot {channels[0]}^2" if len(set(channels)) == 1 else rf"\sum_{{{len(channels)}}} C^2"
        for channels in blocks.values()
    )
    st.latex(
        rf"\frac{{2}}{{r}} \sum_s N_s C_s^2 = \frac{{2}}{{{r}}} \left({terms}\right) = {total:,}".replace(",", "{,}")
    )
    st.caption("The paper's Section 4: N blocks of C channels in each stage, FC layers without biases.")


def _label(card: Card) -> str:
    return (
        "no SE"
        if not card.network.gated
        else card.name.replace("r", "r = ", 1)
        if card.name[1:].isdigit()
        else card.name
    )
