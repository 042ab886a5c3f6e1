"""The Classes page: where the gates become class-specific, and which channels separate the classes."""

from dataclasses import dataclass
from typing import get_args

import streamlit as st

from se_viz.analysis.band import Band
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_pair import channel_labels, on_image
from se_viz.reports.class_profiles import QUESTION, class_report
from se_viz.reports.class_selection import MOST_CLASSES, first_classes, first_pair, rows_shown, stages, with_images
from se_viz.reports.report import Report
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import captures
from se_viz.ui.state import profiles as profiles_state
from se_viz.ui.state.class_numbers import SharedNumbers
from se_viz.ui.widgets import (
    build_profiles,
    chart,
    checkpoint_picker,
    group_comparison,
    notes,
    profiles_export,
    profiles_picker,
    stage_charts,
)
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]

_FEW_BLOCKS = 6
_CHANNELS = ("50 sampled", "all")  # the paper samples fifty
_BANDS: tuple[Band, ...] = get_args(Band)


@dataclass(frozen=True)
class ClassesState:
    """The state of the page: class profiles, their numbers, the chosen classes, and whether all channels are drawn."""

    profiles: ClassProfiles
    numbers: ClassNumbers
    classes: tuple[str, ...]
    everything: bool

    @property
    def gates(self) -> list[str]:
        """Names of all gates, in execution order."""
        return [gate.name for gate in self.profiles.header.gates]

    def report(self, spread: Band = _BANDS[0]) -> Report:
        """Return the report on all gates; its charts are drawn only when they are shown."""
        return class_report(
            self.profiles, self.classes, self.gates, (), spread=spread, everything=self.everything, numbers=self.numbers
        )


def page(header: PageHeader) -> None:
    """Draw the page."""
    profiles = profiles_picker.choose(header.model)
    if profiles is None:
        name = checkpoint_picker.called(header.model)
        header.answer.markdown(
            escape_markdown(f"No class profiles for {name} yet, so there is nothing to compare with.")
        )
        build_profiles.build(header.model, first=True)
        return
    numbers = SharedNumbers(profiles)
    notes.warn(numbers.limits(), "limits")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):  # wide, so that a phone wraps
        classes = st.multiselect(
            "Classes",
            with_images(profiles),
            default=first_classes(profiles),
            max_selections=MOST_CLASSES,
            key=f"classes{profiles_state.tag(profiles)}",
            bind="query-params",
        )
        channels = st.segmented_control(
            "Channels", _CHANNELS, default=_CHANNELS[0], key="drawn", bind="query-params", required=True
        )
    state = ClassesState(profiles, numbers, tuple(classes), channels == "all")
    gate = header.gate()
    report = state.report()
    header.answer.markdown(emphasised(report.sentences[0]))
    if classes:
        _stages(state, report)
        _by_depth(report)
        _gate(state, gate)
    else:
        st.info("Choose at least one class.")
    pair = _compare_classes(state, header, gate)
    group_comparison.show(header, numbers, gate)
    build_profiles.build(header.model)
    profiles_export.show(
        header.model,
        profiles,
        lambda: class_report(profiles, classes, [gate], pair, everything=state.everything, numbers=numbers),
    )


@st.fragment
def _stages(state: ClassesState, report: Report) -> None:
    """Draw Figure 6 for a block of each stage."""
    stage_charts.show(report, "classes", stages(state.profiles), "class_stage", _FEW_BLOCKS)


def _by_depth(report: Report) -> None:
    st.header("By depth", anchor=False)
    chart.row([report.charts["eta_by_gate"], report.charts["class_saturation"]])
    said = "\n".join(f"- {emphasised(sentence)}" for sentence in report.sentences[1:])
    if "gate_heatmap" not in report.charts:
        st.markdown(said)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(report.charts["gate_heatmap"])
    right.markdown(said)


@st.fragment
def _gate(state: ClassesState, name: str) -> None:
    """Draw Figure 7 and the similarity of classes for one gate."""
    st.header(f"Class profiles at {name}", anchor=False)
    kind = st.segmented_control("Band", _BANDS, default=_BANDS[0], key="band", bind="query-params", required=True)
    report = state.report(kind)
    bands = [report.charts[f"band_{name}_{place}"] for place in range(len(state.classes))]
    chart.row(bands)
    if f"tree_{name}" not in report.charts:
        return
    if some := rows_shown(state.profiles):
        st.caption(escape_markdown(some))
    chart.row([report.charts[f"class_heatmap_{name}"], report.charts[f"tree_{name}"]])


def _compare_classes(state: ClassesState, header: PageHeader, gate: str) -> tuple[str, str] | tuple[()]:
    """Draw the channels of one gate that differ most between two classes, and one of them on the image in focus.

    Returns:
        The two classes; none if there are no two different classes.
    """
    profiles = state.profiles
    listed = with_images(profiles, 2)
    first = first_pair(profiles, state.numbers.overview(state.gates[-1])) if len(listed) > 1 else None
    if first is None:
        return ()
    st.header("Compare two classes", anchor=False)
    one, other = pair = header.bar.choose_classes(listed, first)
    if one == other:
        st.info("Choose two different classes.")
        return ()
    report = class_report(profiles, (), [gate], pair, numbers=state.numbers)
    labels = channel_labels(report.tables[f"separation_{gate}"])
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(report.charts[f"effect_{gate}"])
    first_channel = next(iter(labels))
    channel = header.channel(gate, first_channel)
    channel = first_channel if channel is None else channel  # an emptied field
    with right:
        if channel in labels:
            st.caption(escape_markdown(labels[channel].capitalize()))
        report = class_report(profiles, (), [gate], pair, channel=channel, numbers=state.numbers)
        chart.show(report.charts[f"two_{gate}_{channel}"])
    image = header.chosen.images[header.image()]
    left, right = st.columns(2, gap="medium")
    with left:
        gate_capture = captures.maps(header.model, image, gate)[gate]
        sentence, maps = on_image(state.numbers, pair, channel, gate_capture, image.name)
        st.markdown(emphasised(sentence))
    with right:
        chart.show(maps)
    return pair
