"""The Inspect page: how the SE gates reweighted the images."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import get_args

import streamlit as st

from se_viz import former_names
from se_viz.analysis.channel_change import Choice
from se_viz.analysis.channel_order import AT_FIRST, Order
from se_viz.analysis.head_sentences import FEW, meaning
from se_viz.analysis.health import Health
from se_viz.analysis.predictions import Predictions, predict
from se_viz.figures.maps import MOST
from se_viz.figures.provenance import Provenance
from se_viz.gates.capture import Capture
from se_viz.gates.gate import by_stage
from se_viz.model.model import Model
from se_viz.reports.inspection import QUESTION, gate_healths, inspection_report, maps_charts
from se_viz.reports.report import Later, Report
from se_viz.reports.tables import maps_bytes
from se_viz.types import Floats
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import captures, interventions, profiles
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.state.selection import Selection
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets import (
    channel_line,
    chart,
    choice,
    export,
    health_line,
    link_messages,
    paper_network_card,
    prediction_cards,
    stage_charts,
    tabs,
    thumbnails,
)
from se_viz.ui.widgets.download import download
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.page_header import PageHeader
from se_viz.ui.widgets.page_links import link

__all__ = ["QUESTION", "page"]

_FEW_BLOCKS = 4  # names that fit in one line with the tools
_RAW = "raw"  # in a link and the session: whether s itself is drawn, and not its difference from the mean

_WHAT_IS_A_GATE = r"""
A block of the network turns its input $X$ into feature maps $U$, one for each of $C$ channels: $U = V * X$, with the
filters $V$ of a convolution. A **gate** then reweights the channels:

1. **Squeeze**: each map becomes one number, $z_c$ = the average (or the maximum) of $U_c$ over its pixels.
2. **Excitation**: two FC layers with a bottleneck of $C/r$ numbers between them turn $z$ into a weight for each
   channel, $s = \sigma(W_2\,\mathrm{ReLU}(W_1 z))$. The larger the reduction ratio $r$, the fewer weights they have.
3. **Scale**: $\tilde X_c = s_c \cdot U_c$. With $s_c = 1$ a channel passes unchanged, with $s_c = 0$ it is suppressed.

In a ResNet this happens on the residual branch, before it is added to the identity branch: for a suppressed channel,
only the identity remains. $\sigma$ is the gate function: a sigmoid in the paper; others are tanh, ReLU, hard sigmoid.
"""


@dataclass(frozen=True)
class InspectState:
    """The state of the page: model, images, capture, predictions, health of the gates, what is in focus, the mean of
    s of each gate over class profiles, if there are any, and thumbnails of the images: a download has no cache of them.
    """

    model: Model
    chosen: Chosen
    capture: Capture
    predictions: Predictions
    healths: Later[Health]
    selection: Selection
    means: Mapping[str, Floats] | None
    thumbnails: tuple[str, ...]

    @property
    def focus(self) -> int:
        """Index of the image in focus."""
        return self.selection.image

    @property
    def names(self) -> list[str]:
        """Names of the images."""
        return [image.name for image in self.chosen.images]

    def report(self, order: Order = AT_FIRST, gates: Sequence[str] = ()) -> Report:
        """Return the report; its charts are drawn only when they are shown."""
        return inspection_report(
            *(self.capture, self.predictions, self.names, self.focus),
            order=order,
            gates=gates,
            healths=self.healths,
            means=self.means,
            thumbnails=self.thumbnails,
        )

    @property
    def heatmaps(self) -> str:
        """First part of the names of the heatmaps that are shown."""
        return "deviation" if self.means and not st.session_state.get(_RAW) else "heatmap"


def page(header: PageHeader) -> None:
    """Draw the page."""
    model, chosen = header.model, header.chosen
    chart.say_provenance(Provenance(model.name, ", ".join(image.name for image in chosen.images)))
    captured = captures.values(model, chosen.images)
    predictions = predict(model, captured, images=chosen.images)
    strip_place = st.container()
    paper_network_card.offer(model)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        _meaning(predictions)
        link("how-it-works", "How it works, step by step")
    gate = header.gate()
    selection = Selection(header.image(), gate, header.channel(gate))
    focus = selection.image
    small = tuple(map(thumbnails.of_row, chosen.images))
    healths = gate_healths(captured)
    state = InspectState(model, chosen, captured, predictions, healths, selection, _means(model), small)
    answer, verdicts = state.report().sentences
    header.answer.markdown(emphasised(answer))
    with strip_place:
        prediction_cards.show(chosen.images, predictions, focus)
    _stages(state)
    _depth(state, verdicts)


def _means(model: Model) -> dict[str, Floats] | None:
    found, _ = profiles.profiles_of(model)
    return interventions.means(model, next(iter(found.values()), None))


def _meaning(predictions: Predictions) -> None:
    """Draw the assumed meaning of the outputs, with their names if there are few."""
    said = meaning(predictions.fitted, "Head in the sidebar") if predictions.fitted else ""
    if predictions.fitted and said:
        names = predictions.fitted.names
        st.caption(
            escape_markdown(said),
            help=escape_markdown(", ".join(names)) if len(names) <= FEW else None,
            width="content",
        )


@st.fragment
def _stages(state: InspectState) -> None:
    """Draw a heatmap for each stage, two in a row."""
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
            st.header("Excitation weights by stage", anchor=False, width="content")
            if state.means:
                st.toggle("Raw s", key=sent_again(_RAW), bind="query-params", width="content")
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content", key="order_of_channels"
        ):
            st.caption("Order of channels", width="content")
            orders = get_args(Order)
            first = orders.index(AT_FIRST)
            order = choice.choose(
                "Order of channels", orders, "order", at_first=first, segmented=True, label_visibility="collapsed"
            )
    if not state.means:
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="without_means"):
            st.caption(
                f"{escape_markdown(called(state.model))} has no class profiles yet, so the charts show s itself. With "
                "class profiles they show its difference from the mean, which is what is special about an image.",
                width="content",
            )
            link("classes", "Make class profiles on the page Classes")
    report = state.report(order)
    stages = [(stage, [gate.name for gate in gates]) for stage, gates in by_stage(state.model.gates).items()]
    stage_charts.show(report, state.heatmaps, stages, "stage", _FEW_BLOCKS)


@st.fragment
def _depth(state: InspectState, verdicts: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.header("One gate", anchor=False, width="content")
        with st.popover("What is a gate?", icon=":material/school:", type="tertiary"):
            st.markdown(_WHAT_IS_A_GATE)
    gate = state.selection.gate
    about = state.capture[gate].gate
    r = about.ratio + ("" if about.bottleneck is None else f" (bottleneck {about.bottleneck})")
    described = escape_markdown(
        f"{about.path}, {about.channels} channels, {r}, squeeze {about.squeeze}, gate function {about.gate_function}"
    )
    st.caption(f"{emphasised(verdicts)}  \n{described}")
    channel_line.show(state.capture[gate], state.selection, state.names[state.focus])
    whole = partial(_whole, state, gate)
    contents: dict[str, Callable[[], None]] = {
        "Weights": partial(_weights, state, gate),
        "Maps": partial(_maps, state, gate),
        "Export": partial(export.show, state.model, state.chosen, state.capture, state.predictions, about, whole),
    }
    tabs.show(contents, former_names.TABS["inspect"])


def _weights(state: InspectState, gate: str) -> None:
    """Draw the health of a gate, z and s of the image in focus, and the distribution of s."""
    health_line.show(state.healths[gate])
    charts, number = state.report(gates=[gate]).charts, state.focus + 1
    without_z = state.capture[gate].z is None
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(charts[f"{'s_by_channel' if without_z else 'z_against_s'}_{gate}_{number}"])
        if without_z:
            st.caption("z is not available: s was not seen to come from one squeeze of U alone.")
    with right:
        chart.show(charts[f"distribution_{gate}_{number}"])


def _whole(state: InspectState, gate: str) -> Report:
    """Return the report of the page: the heatmaps of all gates, and one gate for the image in focus, with its maps."""
    image, number = state.chosen.images[state.focus], state.focus + 1
    captured = captures.maps(state.model, image, gate)[gate]
    maps = maps_charts(captured, 0, image.name, "largest change", mean=(state.means or {}).get(gate))
    order: Order = next((one for one in get_args(Order) if one == st.session_state.get("order")), AT_FIRST)
    report = state.report(order, [gate])
    drawn = [
        name for name in report.charts if name.startswith(f"{state.heatmaps}_") or name.endswith(f"_{gate}_{number}")
    ]
    return replace(report, charts=Later({name: partial(report.charts.__getitem__, name) for name in drawn} | maps))


def _maps(state: InspectState, gate: str) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choices = get_args(Choice)
        by = choice.choose("Channels", choices, "by", at_first=choices.index("largest change"), segmented=True)
        if st.query_params.get("shown") == former_names.OVERLAID:
            link_messages.asked("shown")  # it is read, so that no message follows
            st.session_state.setdefault("shown", "over the image")
        over = choice.choose("Shown as", ["maps", "over the image"], "shown", segmented=True)
    image = state.chosen.images[state.focus]
    capture = captures.maps(state.model, image, gate)
    gate_capture = capture[gate]
    picked = None
    if by == "chosen":
        picked = st.multiselect(
            "Channel numbers",
            range(gate_capture.gate.channels),
            default=[0],
            max_selections=MOST,
            key=sent_again("channels"),
            bind="query-params",
        )
    cut = partial(state.model.preprocess.center_crop, image.rgb)
    charts = Later(maps_charts(gate_capture, 0, image.name, by, picked, cut, (state.means or {}).get(gate)))
    if not charts:
        st.info("Choose at least one channel.")
        return
    chart.show(charts[f"{'maps' if over == 'maps' else 'overlay'}_{gate}_1"], wide=True)
    download(
        f"U, X̃ and s of {gate} as NPZ", partial(maps_bytes, capture, gate, [image.name]), f"maps_{gate}.npz", "save_npz"
    )
