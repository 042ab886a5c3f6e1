"""Networks that differ in one choice, side by side: on the chosen pictures, and over the validation set."""

from collections.abc import Mapping
from typing import get_args

import pandas as pd
import streamlit as st

from se_viz.figures.by_gate import by_gate
from se_viz.figures.heatmap import attention_heatmap
from se_viz.gates.capture import Capture
from se_viz.study.ablation import Ablation, members, variant
from se_viz.study.health import CLOSE, health
from se_viz.study.order import Order
from se_viz.study.predictions import top
from se_viz.study.responses import Responses, shipped
from se_viz.ui import chart, readings
from se_viz.ui.head import Head
from se_viz.ui.models import member
from se_viz.ui.text import plain
from se_viz.zoo.card import Card

_STANDARD = "r16"
_MOVES = 1e-3  # of s between pictures; below it, directions are those of rounding
_TWIN = "another seed of r = 16"


@st.fragment
def pictures(head: Head, ablation: Ablation, cards: tuple[Card, ...]) -> None:
    """The same gate of every network on the chosen pictures."""
    st.header("Your pictures, network by network", anchor=False)
    shown = head.chosen.pictures
    names = [picture.name for picture in shown]
    found = {variant(ablation, card.network): card for card in members(ablation, cards) if card.network.gated}
    models = {label: member(f"demo/{card.name}", str(head.model.device)) for label, card in found.items()}
    gates = list(dict.fromkeys(gate.name for model in models.values() for gate in model.gates))
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
    if head.model.precision != "fp32":
        st.caption(
            "These networks are read in fp32, in which they were measured, here and in what each of them says below: "
            f"the sidebar's {head.model.precision} is for its own model."
        )
    captures = {label: readings.values(model, shown) for label, model in models.items()}
    for start in range(0, len(captures), 2):
        row = list(captures)[start : start + 2]
        for column, label in zip(st.columns(2, gap="medium"), row, strict=False):
            with column:
                _heatmap(captures[label], gate, names, order, label)


def _heatmap(capture: Capture, gate: str, names: list[str], order: Order, label: str) -> None:
    if gate not in capture.readings:
        st.info(f"{label}: this network has no gate there; its block adds U unchanged.")
        return
    reading = capture[gate]
    chart.show(attention_heatmap(reading, names, order, model=label))
    judged = health(reading.s)
    st.caption(f"{label}, bottleneck {reading.gate.bottleneck}: {judged.verdict}, spread {judged.spread:.3f}")


@st.fragment
def predictions(head: Head, cards: tuple[Card, ...]) -> None:
    """What every shipped network says of every chosen picture."""
    st.header("What each network says", anchor=False)
    shown = head.chosen.pictures
    rows = []
    for card in cards:
        if card.seed:
            continue
        logits = readings.logits(f"demo/{card.name}", str(head.model.device), shown, gated=card.network.gated)
        rows.append([f"{best[0].label} {best[0].probability:.0%}" for best in top(logits, card.classes, 1)])
    table = pd.DataFrame(rows, columns=[f"{n + 1} {picture.name}" for n, picture in enumerate(shown)])
    table.insert(0, "network", [card.name for card in cards if not card.seed])
    st.dataframe(table, hide_index=True, column_config={"network": st.column_config.Column(pinned=True)})


@st.cache_resource(show_spinner=False)
def _responses(changed: float) -> Responses:
    del changed  # the key: read anew when the file is measured anew
    return Responses.read(shipped())


def over_the_set(ablation: Ablation, cards: tuple[Card, ...]) -> None:
    """Spread, saturation, effective rank and similarity by depth, from what was measured over the validation set."""
    st.header("How the patterns change", anchor=False)
    path = shipped()
    if not path.is_file():
        st.info("Not measured yet: run `python -m se_viz responses --data DIR`.")
        return
    found = _responses(path.stat().st_mtime)
    networks = {
        variant(ablation, card.network): card.name
        for card in members(ablation, cards)
        if card.name in found.networks and found.networks[card.name].sha256 == card.sha256
    }
    if not networks:
        st.info("Not measured for these networks: run `python -m se_viz responses --data DIR`.")
        return
    standard = next((label for label, name in networks.items() if name == _STANDARD), "")
    gates = list(dict.fromkeys(gate for name in networks.values() for gate in found.networks[name].gates))

    def numbers(field: str) -> dict[str, dict[str, float]]:
        return {
            label: {gate: getattr(response, field) for gate, response in found.networks[name].gates.items()}
            for label, name in networks.items()
        }

    moving = numbers("variation")
    ranks = {
        label: {gate: rank for gate, rank in by.items() if moving[label][gate] >= _MOVES}
        for label, by in numbers("rank").items()
    }
    spreads = numbers("spread")
    shut, left = numbers("shut"), numbers("open")
    saturated = {label: {gate: 100 * (shut[label][gate] + left[label][gate]) for gate in shut[label]} for label in shut}
    alike: dict[str, Mapping[str, float]] = {
        label: found.cka(_STANDARD, name) for label, name in networks.items() if name != _STANDARD
    }
    twins = [name for name in found.networks if name.startswith(f"{_STANDARD}-seed")]
    context = [f"{_TWIN}" if len(twins) == 1 else f"{_TWIN} ({name.removeprefix(f'{_STANDARD}-')})" for name in twins]
    alike |= {label: found.cka(_STANDARD, name) for label, name in zip(context, twins, strict=True)}
    st.markdown(plain(_words(spreads, ranks, alike, context)))
    charts = [
        by_gate(
            "spread_by_gate",
            "Spread of s over the channels",
            "standard deviation of s",
            gates,
            spreads,
            "How differently a gate weighs the channels of one picture, on average over the pictures: near 0 all "
            "channels are treated alike, 0.5 is the most a sigmoid can do.",
            standard=standard,
        ),
        by_gate(
            "saturation_by_gate",
            "Saturation of s",
            f"s within {CLOSE} of 0 or 1, %",
            gates,
            saturated,
            "The share of weights that shut their channel or leave it as it is. A gate whose weights are nearly all at "
            "the ends decides, and learns no more; one at 1 throughout could be left out.",
            standard=standard,
            top=100,
        ),
        by_gate(
            "rank_by_gate",
            "Effective rank of s",
            "independent directions",
            gates,
            ranks,
            "In how many independent ways the weights of a gate move from picture to picture: 1 when all channels rise "
            "and fall together, at most the number of channels. Left out where s moves by less than 0.001 between "
            "pictures, as there is nothing to have a direction.",
            standard=standard,
        ),
        by_gate(
            "cka_by_gate",
            "Likeness to the gates of r = 16",
            "linear CKA, 0 to 1",
            gates,
            alike,
            "Whether two networks' gates see the same pictures as alike, whatever the order of their channels: 1 if "
            "they do. Another seed of the same network says how alike two trainings are in any case.",
            context=context,
            top=1,
        ),
    ]
    for start in (0, 2):
        for column, one in zip(st.columns(2, gap="medium"), charts[start : start + 2], strict=True):
            with column:
                chart.show(one)
    st.caption(
        f"Over {found.images:,} validation images of Imagenette; `python -m se_viz responses` prints the numbers."
    )


def _words(
    spreads: Mapping[str, Mapping[str, float]],
    ranks: Mapping[str, Mapping[str, float]],
    alike: Mapping[str, Mapping[str, float]],
    context: list[str],
) -> str:
    """The charts in a few sentences: means over the gates."""
    labels = list(spreads)
    said = "Mean over the gates, over the validation set: spread of s " + _listed(labels, spreads, ".2f")
    said += "; effective rank " + _listed(labels, ranks, ".0f") + "."
    others = [label for label in alike if label not in context and alike[label]]
    if others:
        said += " Likeness to r = 16: " + _listed(others, alike, ".2f")
        said += f"; {_listed(context, alike, '.2f')}." if context else "."
    return said


def _listed(labels: list[str], values: Mapping[str, Mapping[str, float]], form: str) -> str:
    return ", ".join(f"{sum(values[one].values()) / len(values[one]):{form}} ({one})" for one in labels if values[one])
