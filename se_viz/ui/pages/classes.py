"""The Classes page: where the gates become class-specific, and which channels separate the classes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import get_args

import streamlit as st

from se_viz import former_names
from se_viz.analysis.band import Band
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.class_numbers import ClassNumbers
from se_viz.reports.class_pair import channel_labels, on_image
from se_viz.reports.class_profiles import QUESTION, class_report
from se_viz.reports.class_selection import MOST_CLASSES, first_classes, first_pair, rows_shown, stages, with_images
from se_viz.reports.report import Report
from se_viz.reports.subject_facts import profiles_source
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import captures, selection
from se_viz.ui.state import profiles as profiles_state
from se_viz.ui.state.class_numbers import SharedNumbers
from se_viz.ui.state.interrupted_runs import sent_again
from se_viz.ui.state.uploaded_model import called
from se_viz.ui.widgets import (
    channel_card,
    chart,
    folder_profiles,
    group_comparison,
    notes,
    profiles_export,
    profiles_picker,
    server_profiles,
    stage_charts,
    tabs,
)
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]

_FEW_BLOCKS = 6
_CHANNELS = ("50 sampled", "all")  # the paper samples fifty
_BANDS: tuple[Band, ...] = get_args(Band)


@dataclass(frozen=True)
class ClassesState:
    """The state of the page: the model and the images, the numbers of the class profiles, and what is chosen."""

    header: PageHeader
    numbers: ClassNumbers
    gate: str
    pair: tuple[str, str] | tuple[()]

    @property
    def profiles(self) -> ClassProfiles:
        """The class profiles."""
        return self.numbers.profiles

    def report(self, classes: Sequence[str] = (), spread: Band = _BANDS[0], *, everything: bool = False) -> Report:
        """Return the report on all gates; its charts are drawn only when they are shown."""
        gates = [gate.name for gate in self.profiles]
        return class_report(
            self.profiles, classes, gates, (), spread=spread, everything=everything, numbers=self.numbers
        )


def page(header: PageHeader) -> None:
    """Draw the page."""
    profiles = profiles_picker.choose(header.model)
    if profiles is None:
        name = called(header.model)
        header.answer.markdown(escape_markdown(folder_profiles.invitation(name, header.chosen)))
        folder_profiles.offer(header.model, header.chosen, first=True)
        pass_place = st.container()
        server_profiles.offer(header.model, first=True)
        with pass_place:
            server_profiles.go_on(header.model, header.chosen)
        return
    folder_profiles.say_counted(profiles)
    chart.say_provenance(profiles_source(profiles))
    numbers = SharedNumbers(profiles)
    notes.warn(numbers.limits(), "limits")
    state = ClassesState(header, numbers, header.gate(), _pair(header, numbers))
    report = state.report()
    header.answer.markdown(emphasised(report.sentences[0]))
    contents: dict[str, Callable[[], None]] = {
        "By depth": partial(_by_depth, report),
        "Figure 6": partial(_figure_6, state),
        "Figure 7": partial(_figure_7, state),
        "A against B": partial(_compare_classes, state),
        "Channel": partial(channel_card.show, header, profiles, state.gate),
        "Your images": partial(_your_images, state),
        "Export": partial(_export, state),
    }
    folder_profiles.offer(header.model, header.chosen)
    pass_place = st.container()
    tabs.show(contents, former_names.TABS["classes"])
    with pass_place:  # above the tabs, and last: a pass goes on whichever tab is open, below charts that are drawn
        server_profiles.go_on(header.model, header.chosen)


def _pair(header: PageHeader, numbers: ClassNumbers) -> tuple[str, str] | tuple[()]:
    """Draw the choice of the two classes to compare, and return them; () if there are no two with enough images."""
    first = first_pair(numbers)
    if first is None:
        return ()
    chosen = selection.chosen(selection.CLASS_A), selection.chosen(selection.CLASS_B)
    if chosen[0] == first[1] or chosen[1] == first[0]:
        first = first[::-1]  # a link may name one class alone: the other is not the same
    return header.bar.choose_classes(with_images(numbers.profiles, 2), first)


def _by_depth(report: Report) -> None:
    """Draw class specificity, saturation and similarity of all gates, and the paper's observations."""
    chart.row([report.charts["eta_by_gate"], report.charts["class_saturation"]])
    said = "\n".join(f"- {emphasised(sentence)}" for sentence in report.sentences[1:])
    if "gate_heatmap" not in report.charts:
        st.markdown(said)
        return
    left, right = st.columns(2, gap="medium")
    right.markdown(said)
    with left:
        chart.show(report.charts["gate_heatmap"])


def _classes_key(profiles: ClassProfiles) -> str:
    """Return the key of the choice of classes: each set of class profiles has its own."""
    return f"classes{profiles_state.tag(profiles)}"


def _classes(state: ClassesState) -> list[str]:
    """Draw the choice of classes, and return them; the farthest come first."""
    classes: list[str] = st.multiselect(
        "Classes",
        with_images(state.profiles),
        default=first_classes(state.numbers),
        max_selections=MOST_CLASSES,
        key=sent_again(_classes_key(state.profiles)),
        bind="query-params",
    )
    return classes


@st.fragment
def _figure_6(state: ClassesState) -> None:
    """Draw the mean excitation of each class for a block of each stage."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):  # wide, so that a phone wraps
        classes = _classes(state)
        channels = choose("Channels", _CHANNELS, "drawn", segmented=True)
    if not classes:
        st.info("Choose at least one class.")
        return
    report = state.report(classes, everything=channels == "all")
    stage_charts.show(report, "classes", stages(state.profiles), "class_stage", _FEW_BLOCKS)


@st.fragment
def _figure_7(state: ClassesState) -> None:
    """Draw the spread of s over the images of each class, and the similarity of the classes, for one gate."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        kind = choose("Band", _BANDS, "band", segmented=True)
        classes = _classes(state)
    if not classes:
        st.info("Choose at least one class.")
        return
    name, report = state.gate, state.report(classes, kind)
    chart.row([report.charts[f"band_{name}_{place}"] for place in range(len(classes))])
    if f"tree_{name}" not in report.charts:
        return
    if some := rows_shown(state.profiles):
        st.caption(escape_markdown(some))
    chart.row([report.charts[f"class_heatmap_{name}"], report.charts[f"tree_{name}"]])


def _compare_classes(state: ClassesState) -> None:
    """Draw the channels of one gate that differ most between two classes, and one of them on the image in focus."""
    profiles, header, gate = state.profiles, state.header, state.gate
    if not state.pair:
        st.info("A comparison needs two classes with two images each.")
        return
    one, other = pair = state.pair
    if one == other:
        st.info("Choose two different classes.")
        return
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
            st.caption(escape_markdown(labels[channel].replace("channel", "Channel", 1)))
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


def _export(state: ClassesState) -> None:
    """Draw the paper's two figures of the chosen classes, and the downloads."""
    classes = st.session_state.get(_classes_key(state.profiles)) or first_classes(state.numbers)
    profiles_export.show(
        state.header.model,
        state.profiles,
        lambda: class_report(state.profiles, classes, [state.gate], state.pair, numbers=state.numbers),
    )
    st.header("Figures 6 and 7 of the paper", anchor=False)
    report = class_report(state.profiles, classes, [], (), paper_figures=True, numbers=state.numbers)
    chart.row([report.charts["paper_figure_6"], report.charts["paper_figure_7"]])


def _your_images(state: ClassesState) -> None:
    """Draw the chosen images against the class profiles, and the section that makes class profiles of images."""
    group_comparison.show(state.header, state.numbers, state.gate)
    server_profiles.offer(state.header.model)
