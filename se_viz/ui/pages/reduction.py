"""The Reduction page: whether the reduction ratio matters, and the other choices in a gate: to accuracy, size and s."""

import pandas as pd
import streamlit as st

from se_viz.demo import pretrained as demo
from se_viz.demo.card import Card
from se_viz.demo.design_choices import ABLATIONS, RATIO, Ablation, members, variant
from se_viz.figures.accuracy import Point, accuracy_against
from se_viz.figures.chart import Chart
from se_viz.reports.design_choices import conclusion
from se_viz.ui.widgets import chart
from se_viz.ui.widgets import cost_calculator as calculator
from se_viz.ui.widgets import gate_responses as patterns
from se_viz.ui.widgets import model_comparison as variants
from se_viz.ui.widgets.page_header import Head

QUESTION = "Do r and the other choices matter?"
_COSTS = {"parameters": "parameters, millions", "MACs": "multiply-accumulates for one image, millions"}
_WHAT_IT_IS = {
    "r": "A gate squeezes C numbers through C/r: the larger r, the fewer weights it takes.",
    "squeeze": "The squeeze makes one number of each feature map: its average or its maximum.",
    "gate": "The gate function turns the last FC layer's output into weights s: a sigmoid ends at 0 and 1, tanh at −1 "
    "and 1, ReLU has no upper end.",
    "gated_stages": "Gates of the last stage have the most channels, so most of the weights; do they earn them?",
    "integration": "The gate may weigh the residual branch (standard), the block's input (pre), the sum (post) or the "
    "identity branch (identity).",
}


@st.cache_resource(show_spinner=False)
def _cards() -> tuple[Card, ...]:
    """Ratios first and in order, then the variants of r = 16, the network without SE, and other seeds."""
    return tuple(
        sorted(
            demo.cards(),
            key=lambda card: (card.seed, not card.network.gated, card.name.count("-"), card.network.r or 0, card.name),
        )
    )


def page(head: Head) -> None:
    """Draw the page."""
    cards = _cards()
    choices = {one.title: one for one in ABLATIONS if sum(card.network.gated for card in members(one, cards)) > 1}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):
        title = st.segmented_control(
            "Networks that differ in",
            list(choices),
            default=RATIO.title,
            key="differ",
            bind="query-params",
            required=True,
        )
        ablation = choices[title]
        cost = None
        if ablation is RATIO:
            cost = st.segmented_control(
                "Cost as", list(_COSTS), default="parameters", key="cost", bind="query-params", required=True
            )
    head.answer.markdown(f"{conclusion(ablation, cards)} {_WHAT_IT_IS[ablation.field]}")
    _accuracy(title, cards, _COSTS[cost] if cost else None)
    variants.pictures(head, ablation, cards)
    patterns.show(title, cards)
    variants.predictions(head, cards)
    _family(cards)
    calculator.show()
    _take_away(title)


def _accuracy(title: str, cards: tuple[Card, ...], across: str | None) -> None:
    """Ours beside the paper's; across is the title of the axis of cost, for the choice that changes it."""
    for column, one in zip(st.columns(2, gap="medium"), _accuracy_charts(title, across, cards), strict=True):
        with column:
            chart.show(one)


@st.cache_resource(max_entries=2 * len(ABLATIONS), show_spinner=False)
def _accuracy_charts(title: str, across: str | None, _cards: tuple[Card, ...]) -> tuple[Chart, Chart]:
    ablation = next(one for one in ABLATIONS if one.title == title)
    everyone = members(ablation, _cards, seed=None)
    points = {card.name: _point(ablation, card, across) for card in everyone}
    ours = accuracy_against(
        "family",
        "Measured here: demo models on Imagenette",
        across or title,
        [points[card.name] for card in everyone if not card.seed],
        [points[card.name] for card in everyone if card.seed],
    )
    paper = accuracy_against(
        f"table_{ablation.table}",
        f"The paper's Table {ablation.table}: SE-ResNet-50 on ImageNet",
        _COSTS["parameters"] if across else title,
        [Point(row.name, row.params if across else None, 100 - row.top1) for row in ablation.rows],
        ours=False,
    )
    return ours, paper


def _point(ablation: Ablation, card: Card, across: str | None) -> Point:
    cost = {None: None, _COSTS["parameters"]: card.params / 1e6, _COSTS["MACs"]: card.macs / 1e6}[across]
    found = card.accuracy
    return Point(variant(ablation, card.network), cost, found.top1 * 100, found.low * 100, found.high * 100)


def _family(cards: tuple[Card, ...]) -> None:
    st.header("The demo models", anchor=False)
    st.dataframe(
        pd.DataFrame(
            {
                "model": [card.name if card.seed else f"demo/{card.name}" for card in cards],
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
        "One recipe and one seed, but for those that name another; they differ in the one thing their name says. Top-1 "
        "on the 3,925 validation images of Imagenette, one centre crop of 128 pixels, with Wilson's 95 % interval."
    )


def _take_away(title: str) -> None:
    st.header("Take it away", anchor=False)
    st.markdown("Each table has its CSV in the corner, each chart its files. The same numbers from Python and a shell:")
    python = (
        "import se_viz\nfrom se_viz.analysis.demo_responses import Responses, shipped\nfrom se_viz.zoo import demo\n\n"
        "for card in demo.cards():\n    card.name, card.params, card.macs, card.accuracy  # with its interval\n"
        "Responses.read(shipped()).networks['r16'].gates['SE_5_2']  # spread, saturation, effective rank\n"
        "se_viz.capture(se_viz.load('demo/r4'), se_viz.sample('cat'))['SE_5_2'].s\n"
        "se_viz.insert_gates(network, r=16)  # any CNN; se_viz.cost(network, 224) counts it"
    )
    st.code(python, language="python")
    st.code(
        f'python -m se_viz family --what "{title}"\npython -m se_viz responses\n'
        "python -m se_viz inspect --sample cat --model demo/r4\npython -m se_viz cost resnet50 --r 16 --time",
        language="bash",
    )
