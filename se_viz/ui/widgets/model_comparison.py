"""Networks that differ in one design choice, side by side on the chosen images."""

from collections.abc import Sequence
from typing import get_args

import pandas as pd
import streamlit as st

from se_viz.analysis.channel_order import Order
from se_viz.analysis.health import health
from se_viz.analysis.predictions import predict, top
from se_viz.analysis.relative_depth import nearest_gate, relative_depths
from se_viz.demo.card import Card
from se_viz.demo.design_choices import DesignChoice, choice_label, variants_of
from se_viz.figures.heatmap import attention_heatmap
from se_viz.gates.capture import Capture
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.state import captures
from se_viz.ui.state.models import member
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.beside_family import Beside
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.grid import grid
from se_viz.ui.widgets.page_header import PageHeader


@st.fragment
def images(
    header: PageHeader,
    choice: DesignChoice,
    cards: tuple[Card, ...],
    yours: tuple[Card, ...] = (),
    loaded: Beside | None = None,
) -> None:
    """Draw s of the same gate of every network for the chosen images.

    Args:
        header: the input of the page.
        choice: the design choice in which the networks differ.
        cards: cards of the demo models.
        yours: cards of the user's networks, which are drawn whatever they differ in.
        loaded: the network in the sidebar, if it is not a demo model; it is drawn first.
    """
    shown = header.chosen.images
    names = [image.name for image in shown]
    found = {choice_label(choice, card.network): card for card in variants_of(choice, cards) if card.network.gated}
    found |= {card.name: card for card in yours if card.network.gated}
    models = {label: member(f"demo/{card.name}", str(header.model.device)) for label, card in found.items()}
    gates = list(dict.fromkeys(gate.name for model in models.values() for gate in model.gates))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        gate = choose("Gate", gates, "gate_by_ratio", at_first=len(gates) - 1, segmented=True)
        orders = get_args(Order)
        order = choose("Order of channels", orders, "order_by_ratio", at_first=orders.index("mean"), segmented=True)
    st.caption(
        "Different networks have different channels: channel 7 of one network is unrelated to channel 7 of another. "
        "Compare the distribution of s and the differences between rows, not columns."
    )
    if header.model.precision != "fp32":
        st.caption(
            "Here and in the predictions below, these networks run in fp32, the precision in which they were measured; "
            f"{header.model.precision} applies only to the model in the sidebar."
        )
    listed = [(label, model, gate) for label, model in models.items()]
    if loaded is not None:
        listed.insert(0, (loaded.name, loaded.model, _nearest(loaded, gates, gate)))
    with st.container(gap=None):  # each capture has a place for its progress
        drawn = [(label, captures.values(model, shown), of_model) for label, model, of_model in listed]
    for column, (label, capture, of_model) in grid(drawn):
        with column:
            _heatmap(capture, of_model, names, order, label)


def _nearest(loaded: Beside, gates: Sequence[str], gate: str) -> str:
    """Return the gate of the network in the sidebar whose relative depth is nearest to that of a gate, and say so."""
    own = [one.name for one in loaded.model.gates]
    if own == list(gates):
        return gate
    nearest = nearest_gate(gate, gates, own)
    depths = relative_depths(gates)[gate], relative_depths(own)[nearest]
    st.caption(
        escape_markdown(
            f"{loaded.name} has other gates than the demo models: its gate nearest in relative depth to {gate} "
            f"({depths[0]:.2f}) is {nearest} ({depths[1]:.2f})."
        )
    )
    return nearest


def _heatmap(capture: Capture, gate: str, names: list[str], order: Order, label: str) -> None:
    if gate not in capture.gates:
        st.info(f"{label}: this network has no gate {gate}; its block adds U unchanged.")
        return
    gate_capture = capture[gate]
    chart.show(attention_heatmap(gate_capture, names, order, model=label))
    judged = health(gate_capture.s, gate_capture.gate.gate_function)
    spread = "" if judged.spread is None else f"; SD over channels {judged.spread:.3f}"
    spread += "" if judged.variation is None else f", over images {judged.variation:.3f}"
    bottleneck = f", bottleneck {gate_capture.gate.bottleneck}" if gate_capture.gate.bottleneck else ""
    st.caption(f"{escape_markdown(label)}{bottleneck}: {judged.verdict}{spread}")


@st.fragment
def predictions(header: PageHeader, cards: tuple[Card, ...], loaded: Beside | None = None) -> None:
    """Draw the prediction of every demo model, and of the network in the sidebar, for every chosen image."""
    shown = header.chosen.images
    rows = []
    if loaded is not None:
        told = predict(loaded.model, captures.values(loaded.model, shown, "loaded_logits"), 1)
        firsts = (one.shown[0] if one.shown else None for one in told.images)
        rows.append([f"{first.label} {first.amount}" if first else "no prediction" for first in firsts])
        if told.missing:
            st.caption(escape_markdown(f"{loaded.name}: {told.missing}"))
    for card in cards:
        if card.seed:
            continue
        logits = captures.logits(f"demo/{card.name}", str(header.model.device), shown, gated=card.network.gated)
        said = [[]] * len(shown) if logits is None else top(logits, card.classes, 1)
        rows.append([f"{best[0].label} {best[0].amount}" if best else "not finite" for best in said])
    table = pd.DataFrame(rows, columns=[f"{n + 1} {image.name}" for n, image in enumerate(shown)])
    names = [loaded.name] if loaded is not None else []
    table.insert(0, "network", [*names, *(card.name for card in cards if not card.seed)])
    st.dataframe(
        table, hide_index=True, column_config={"network": st.column_config.Column(pinned=True, width="medium")}
    )
