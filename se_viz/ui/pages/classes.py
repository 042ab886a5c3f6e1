"""The Classes page: where in the network classes part, and which channels tell them apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import streamlit as st

from se_viz.analysis.band import Band, band
from se_viz.analysis.class_overview import kin
from se_viz.analysis.class_separation import difference
from se_viz.figures.class_comparison import auroc_text, effect_sizes, two_distributions
from se_viz.figures.class_profiles import class_band, mean_excitation, sampled
from se_viz.figures.class_similarity import class_heatmap, class_tree, gate_heatmap
from se_viz.figures.finite import number
from se_viz.figures.maps import recalibrated_maps
from se_viz.figures.separation_by_gate import parting, saturation_by_gate
from se_viz.profiles.class_profiles import Atlas, GateAtlas
from se_viz.reports.class_selection import MOST_CLASSES, first_classes, first_pair, stages, with_images
from se_viz.reports.observations import against_chance, gates_alike, observations, where_classes_part
from se_viz.ui.markdown import plain
from se_viz.ui.state import captures as readings
from se_viz.ui.state import profiles as atlases
from se_viz.ui.state.class_overview import overview
from se_viz.ui.widgets import build_profiles as building
from se_viz.ui.widgets import chart, notes
from se_viz.ui.widgets import checkpoint_picker as own
from se_viz.ui.widgets import group_comparison as resembling
from se_viz.ui.widgets.page_header import Head

QUESTION = "Where do classes part?"
_FEW_BLOCKS = 6
_CHANNELS = ("fifty, as in the paper", "all")
_BANDS: tuple[Band, ...] = get_args(Band)


@dataclass(frozen=True)
class View:
    """What the page is about: the atlas, the classes chosen, and whether to draw all channels."""

    atlas: Atlas
    classes: tuple[str, ...]
    everything: bool

    def drawn(self, gate: GateAtlas) -> Sequence[int]:
        """Channel numbers to draw."""
        return range(gate.entry.channels) if self.everything else sampled(gate.entry.channels)


def page(head: Head) -> None:
    """Draw the page."""
    atlas = atlases.of(head.model)
    if atlas is None:
        head.answer.markdown(
            plain(f"Nobody has profiled {own.called(head.model)} yet, so there is nothing to compare with.")
        )
        building.build(head.model, first=True)
        return
    notes.warn(atlases.limits(atlas), "limits")
    found = observations(atlases.depths(atlas))
    head.answer.markdown(
        where_classes_part(atlases.depths(atlas))
        + " Of the paper's three observations, "
        + ", ".join(f"“{one.claim.rstrip('.')}” {one.verdict}" for one in found)
        + "."
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="large"):  # wide, so that a phone wraps
        classes = st.multiselect(
            "Classes",
            with_images(atlas),
            default=first_classes(atlas),
            max_selections=MOST_CLASSES,
            key=f"classes{atlases.tag(atlas)}",
            bind="query-params",
        )
        channels = st.segmented_control(
            "Channels", _CHANNELS, default=_CHANNELS[0], key="drawn", bind="query-params", required=True
        )
    if classes:
        view = View(atlas, tuple(classes), channels == "all")
        _stages(view)
        _parting(atlas)
        _gate(view)
    else:
        st.info("Choose at least one class.")
    _faceoff(atlas, head)
    resembling.show(head, atlas)
    building.build(head.model)
    atlases.take_away(head.model, atlas)


@st.fragment
def _stages(view: View) -> None:
    """Figure 6, a block of each stage, two in a row."""
    listed = stages(view.atlas)
    for start in range(0, len(listed), 2):
        for column, (stage, gates) in zip(st.columns(2, gap="medium"), listed[start : start + 2], strict=False):
            with column:
                _stage(view, stage, gates)


@st.fragment
def _stage(view: View, stage: int, gates: list[str]) -> None:
    label, key = f"Block of stage {stage}", f"class_stage{stage}"
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if len(gates) <= _FEW_BLOCKS:
            name = st.segmented_control(
                label,
                gates,
                default=gates[-1],
                key=key,
                bind="query-params",
                required=True,
                label_visibility="collapsed",
            )
        else:
            name = st.selectbox(
                label,
                gates,
                index=len(gates) - 1,
                key=key,
                bind="query-params",
                label_visibility="collapsed",
                width=140,
            )
        gate = view.atlas[name]
        means = {one: gate.s(one).mean for one in view.classes}
        overall = overview(view.atlas, gate).patterns.common
        shown = mean_excitation(name, means, overall, gate.span, view.drawn(gate))
        chart.tools(shown)
    chart.draw(shown)


def _parting(atlas: Atlas) -> None:
    st.header("Depth by depth", anchor=False)
    depths = atlases.depths(atlas)
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(parting(depths))
    with right:
        chart.show(saturation_by_gate(depths))
    said = "\n".join(f"- {one.claim} Here it **{one.verdict}**. {plain(one.said)}" for one in observations(depths))
    said += f"\n- {against_chance(depths)}"
    names = [depth.gate for depth in depths]
    if len(names) < 2:
        st.markdown(said)
        return
    left, right = st.columns(2, gap="medium")
    with left:
        alike = atlases.gate_similarity(atlas)
        chart.show(gate_heatmap(names, alike.cka, alike.chance))
    right.markdown(f"{said}\n- {gates_alike(names, alike)}")


@st.fragment
def _gate(view: View) -> None:
    """Figure 7 and the kinship of classes, for one gate."""
    st.header("One gate, class by class", anchor=False)
    names = [gate.name for gate in view.atlas]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        name = st.selectbox("Gate", names, index=len(names) - 1, key="class_gate", bind="query-params", width=160)
        kind = st.segmented_control("Band", _BANDS, default=_BANDS[0], key="band", bind="query-params", required=True)
    gate = view.atlas[name]
    span = gate.span
    for start in range(0, len(view.classes), 2):
        for column, place in zip(st.columns(2, gap="medium"), range(start, len(view.classes)), strict=False):
            own = view.classes[place]
            centre, ends = band(gate, own, kind)
            with column:
                chart.show(class_band(name, own, centre, ends, kind, span, view.drawn(gate), place))
    _kin(view, gate, span)


def _kin(view: View, gate: GateAtlas, span: tuple[float, float]) -> None:
    known = overview(view.atlas, gate)
    found = kin(gate, known, [view.atlas.class_index(one) for one in view.classes])
    if found is None:
        return
    names = view.atlas.classes
    if len(found.rows) < len(known.there):
        st.caption(f"Of {len(names)} classes, the {len(found.rows)} most like those chosen.")
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(class_heatmap(gate.name, [names[row] for row in found.ordered], found.means, span))
    with right:
        chart.show(class_tree(gate.name, [names[row] for row in found.rows], found.links))


@st.fragment
def _faceoff(atlas: Atlas, head: Head) -> None:
    """The channels of one gate that differ most between two classes, one of them on a picture."""
    there = with_images(atlas, 2)
    pair = first_pair(atlas, overview(atlas, list(atlas)[-1])) if len(there) > 1 else None
    if pair is None:
        return
    st.header("Two classes face to face", anchor=False)
    names, tag = [gate.name for gate in atlas], atlases.tag(atlas)
    first, second, third = st.columns(3, gap="medium")
    start = [there.index(name) for name in pair]
    one = first.selectbox("This class", there, index=start[0], key=f"one{tag}", bind="query-params")
    other = second.selectbox("against", there, index=start[1], key=f"other{tag}", bind="query-params")
    gate = atlas[third.selectbox("in gate", names, index=len(names) - 1, key="faceoff_gate", bind="query-params")]
    if one == other:
        st.info("Choose two different classes.")
        return
    apart = difference(gate, one, other)
    d, area, margin, order = apart.d, apart.auroc, apart.margin, apart.channels
    areas = dict(zip(order, auroc_text(area[order], margin[order]), strict=True))
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(effect_sizes(gate.name, (one, other), order, d[order], area[order], margin[order]))
    with right:
        channel = st.selectbox(
            "Channel",
            order,
            format_func=lambda number: f"channel {number}: d = {d[number]:+.2f}, AUROC {areas[number]}",
            key=f"faceoff_channel_{gate.name}_{one}_{other}",
        )
        own, against = (gate.histogram(name, channel) for name in (one, other))
        drawn = (own.counts, own.edges), (against.counts, against.edges)
        chart.show(two_distributions(gate.name, channel, (one, other), drawn, gate.span))
    pictures = head.chosen.pictures
    left, right = st.columns(2, gap="medium")
    with left:
        index = st.selectbox(
            "On the picture",
            range(len(pictures)),
            format_func=lambda i: f"{i + 1} {pictures[i].name}",
            key="faceoff_picture",
        )
        reading = readings.maps(head.model, pictures[index], gate.name)[gate.name]
        means = " and ".join(f"{gate.s(name, channel).mean:.2f} for {plain(name)}" for name in (one, other))
        st.markdown(
            f"Here {gate.name} gives channel {channel} the weight **s = {number(reading.s[0, channel])}**; "
            f"in the atlas it is {means} on average."
        )
    with right:
        chart.show(recalibrated_maps(reading, 0, [channel], pictures[index].name))
