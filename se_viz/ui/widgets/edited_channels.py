"""The edit of some channels of a gate: which channels, their new weight, and the predictions before and after."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from se_viz.figures.heatmap import s_range
from se_viz.interventions.attribution import Attribution
from se_viz.interventions.edits import Edits, swap
from se_viz.reports.edit_words import OTHER_IMAGE, edits_in_words
from se_viz.reports.intervention import Channels, Edited
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import interventions
from se_viz.ui.widgets import attributed_channels, chart, intervention_export
from se_viz.ui.widgets.choice import channels as numbers
from se_viz.ui.widgets.choice import choose_or_keep, kept_channels, kept_number, number
from se_viz.ui.widgets.intervene_state import InterveneState
from se_viz.wording import signed

_CHOICES = ("5 strongest", "20 strongest", "all", "chosen")


@dataclass(frozen=True)
class ChannelEdit:
    """The channels to edit, and what their s is set to: a number, "mean", or "other image"."""

    picked: Sequence[int]
    value: float | str

    def edits(self, state: InterveneState) -> Edits:
        """Return the edit of the chosen gate."""
        edit = swap(state.swapped) if self.value == OTHER_IMAGE else self.value
        return {state.gate: dict.fromkeys(self._some(state), edit) or edit}

    def words(self, state: InterveneState) -> str:
        """Return the edit in words."""
        other_name = state.swapped.name if state.swapped else ""
        return edits_in_words([(state.gate, self._some(state), self.value)], other_name)

    def _some(self, state: InterveneState) -> Sequence[int]:
        """Return the channels to edit; an empty list if these are all channels of the gate."""
        return [] if len(self.picked) == state.capture[state.gate].gate.channels else self.picked

    def applied(self, state: InterveneState, channels: Channels | None) -> Edited:
        """Run the network with the edit, and return the edit in words with the outputs."""
        after = interventions.edited(state.model, state.image, self.edits(state), state.profiles)
        return Edited(self.words(state), after, _attributed(channels, self))


def show(state: InterveneState) -> None:
    """Draw the edit of some channels, and the predictions before and after."""
    channels = attributed_channels.attributed(state, drawn=False)
    if channels is not None:
        method = channels.attribution.method
        start = "" if method == "layer-conductance" else f" from s := {channels.baseline}"
        st.caption(escape_markdown(f"Strongest by {method}{start}, as chosen under Channels."))
    _edit(state, channels)


def export(state: InterveneState) -> None:
    """Draw the downloads and the code for the last edit."""
    channels = attributed_channels.attributed(state, drawn=False)
    edit = _chosen(state, channels, drawn=False)
    if not edit.picked:
        st.info("Choose at least one channel under Edit channels.")
        return
    edited = edit.applied(state, channels)
    method = "" if channels is None else f", and the attribution by {channels.attribution.method}"
    st.caption(escape_markdown(f"With the edit {edited.words}{method}, as chosen in the other tabs."))
    intervention_export.show(state, state.report(channels, edited), edit.edits(state), channels)


@st.fragment
def _edit(state: InterveneState, channels: Channels | None) -> None:
    """Draw the choice of channels and weight, and the predictions before and after."""
    gate_capture = state.capture[state.gate]
    left, right = st.columns([4, 5], gap="large")
    with left:
        edit = _chosen(state, channels, drawn=True)
    if not edit.picked:
        st.info("Choose at least one channel.")
        return
    report = state.report(channels, edit.applied(state, channels))
    with left:
        st.markdown(emphasised(report.sentences[-1]))
        weights = gate_capture.s[state.focus, list(edit.picked)]
        count = gate_capture.gate.channels
        st.caption(f"s as computed: mean {signed(weights.mean(), '.2f')} over {len(edit.picked)} of {count} channels.")
    with right:
        chart.show(report.charts["before_and_after"])


def _chosen(state: InterveneState, channels: Channels | None, *, drawn: bool) -> ChannelEdit:
    """Return the edit; if it is not drawn in this tab, the last choice holds."""
    picked = _picked(state, channels, drawn=drawn)
    sources = ["a number", "0", "1", *["mean"] * (state.mean is not None), *[OTHER_IMAGE] * bool(state.swapped)]
    source = choose_or_keep("Set s of these channels to", sources, "set", drawn=drawn, segmented=True)
    low, high = s_range(state.capture[state.gate])
    if drawn:
        weight = number("Weight s", low, high, max(low, 0.0), "weight", disabled=source != "a number")
    else:
        weight = kept_number(low, high, max(low, 0.0), "weight")
    value = weight if source == "a number" else source if source in ("mean", OTHER_IMAGE) else float(source)
    return ChannelEdit(picked, value)


def _picked(state: InterveneState, channels: Channels | None, *, drawn: bool) -> list[int]:
    choices = _CHOICES if channels is not None else _CHOICES[2:]
    by = choose_or_keep("Channels", choices, "edit", drawn=drawn, segmented=True)
    count = state.capture[state.gate].gate.channels
    if by == "all":
        return list(range(count))
    if by == "chosen":
        first = int(channels.attribution.strongest(1)[0]) if channels is not None else 0
        key = f"edited_{state.gate}"
        return numbers("Channel numbers", count, first, key) if drawn else kept_channels(count, first, key)
    assert channels is not None  # noqa: S101 - otherwise it is not offered
    return [int(one) for one in channels.attribution.strongest(int(by.partition(" ")[0]))]


def _attributed(channels: Channels | None, edit: ChannelEdit) -> float | None:
    """Return the sum of the attributions of the channels, if they are set to the baseline."""
    if channels is None or channels.attribution.method == "layer-conductance":
        return None
    found: Attribution = channels.attribution
    base = "mean" if channels.baseline == "the mean of s" else float(channels.baseline)
    return float(found.values[0, list(edit.picked)].sum()) if edit.value == base else None
