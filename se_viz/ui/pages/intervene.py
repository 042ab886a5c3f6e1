"""The Intervene page: which gate, and which channel, matters for a prediction."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import streamlit as st

from se_viz.analysis.head_sentences import meaning
from se_viz.analysis.predictions import Predictions, predict
from se_viz.data.images import InputImage
from se_viz.figures.heatmap import s_range
from se_viz.figures.provenance import Provenance
from se_viz.gates.capture import Capture
from se_viz.gates.errors import InstrumentError
from se_viz.interventions.attribution import METHODS, Attribution, Method
from se_viz.interventions.baseline import NoMean, Weights
from se_viz.interventions.edits import swap
from se_viz.interventions.gate_effects import GateEffects, why_no_mean
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.intervention import QUESTION, Channels, Edited, intervention_report
from se_viz.reports.outcomes import Outcome, outcome_of
from se_viz.reports.report import Report
from se_viz.reports.uniform_weights import uniform_weights
from se_viz.types import Floats
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import captures, interventions
from se_viz.ui.widgets import (
    chart,
    dataset_ablation,
    freeze_gates,
    intervention_export,
    no_mean,
    prediction_cards,
    profiles_picker,
    with_image,
)
from se_viz.ui.widgets.choice import channels as numbers
from se_viz.ui.widgets.choice import check, choose, number
from se_viz.ui.widgets.image_picker import Chosen
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]

_TABS = ("Channels", "Over a dataset")
_PREDICTED = "the predicted one"
_ALONE = "Add a second image to see s of another image in the place of s of this one."


@dataclass(frozen=True)
class InterveneState:
    """The state of the page: model, images, what is asked about, effects of the gates, and the chosen gate."""

    model: Model
    chosen: Chosen
    capture: Capture
    focus: int
    other: int | None
    profiles: ClassProfiles | None
    outcome: Outcome
    effects: GateEffects
    gate: str

    @property
    def image(self) -> InputImage:
        """The image in focus."""
        return self.chosen.images[self.focus]

    @property
    def swapped(self) -> InputImage | None:
        """The image whose s is used, if there is one."""
        return None if self.other is None else self.chosen.images[self.other]

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on weights that do not differ between channels, and on the edits that are missing."""
        unknown = why_no_mean(self.model, self.profiles) if "mean" not in self.effects.edits else None
        mean = () if unknown is None else (no_mean.sentence(unknown),)
        alone = (_ALONE,) if "other image" not in self.effects.edits else ()
        return (*uniform_weights(self.capture, self.focus), *mean, *alone)

    def report(self, channels: Channels | None = None, edited: Edited | None = None) -> Report:
        """Return the report; its charts are drawn only when they are shown."""
        return intervention_report(
            self.outcome,
            self.effects,
            self.image.name,
            other=self.swapped.name if self.swapped else "",
            gate=self.gate,
            channels=channels,
            edited=edited,
            notes=self.notes,
        )


def page(header: PageHeader) -> None:
    """Draw the page."""
    model, chosen = header.model, header.chosen
    captured = captures.values(model, chosen.images)
    predictions = predict(model, captured)
    strip_place = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        focus = header.image()
        target_place = st.container(width=210)
        other = with_image.choose(chosen.images, focus)
        profiles = profiles_picker.choose(model)
    chart.say_provenance(Provenance(model.name, chosen.images[focus].name))
    with strip_place:
        prediction_cards.show(chosen.images, predictions, focus)
    if predictions.fitted is None or not np.isfinite(predictions.outputs[focus]).all():
        _nothing(header, predictions, focus)
        return
    before = predictions.outputs[focus].astype(np.float64)
    names = outcome_of(predictions.fitted, before).names
    with target_place:
        picked = choose("Target class" if len(names) > 1 else "Target", [_PREDICTED, *names], "target")
    outcome = outcome_of(predictions.fitted, before, None if picked == _PREDICTED else names.index(picked))
    gate = header.gate()
    effects = interventions.effects(
        model, chosen.images[focus], before, None if other is None else chosen.images[other], profiles
    )
    state = InterveneState(model, chosen, captured, focus, other, profiles, outcome, effects, gate)
    _gates(state, header)
    if said := meaning(predictions.fitted, "Head in the sidebar"):
        st.caption(escape_markdown(said))
    check("View", _TABS, "view", _TABS[0])
    channels, dataset = st.tabs(_TABS, key="view", bind="query-params")
    if channels.open:
        with channels:
            _channels(state)
    if dataset.open:
        with dataset:
            _dataset(model, profiles)


@st.fragment
def _dataset(model: Model, profiles: ClassProfiles | None) -> None:
    """Draw the ablation, and freezing, which takes what it costs from the ablation that is open."""
    freeze_gates.show(model, profiles, dataset_ablation.show(model))


def _nothing(header: PageHeader, predictions: Predictions, focus: int) -> None:
    """Say why there is no prediction, and what to do."""
    header.answer.markdown(escape_markdown(predictions.images[focus].sentence))
    if predictions.fitted is None:
        st.info(
            "An intervention is measured on an output of the network: a class, a label or a number. Choose what the "
            "outputs mean under Head in the sidebar, or load a network with a classifier."
        )


def _gates(state: InterveneState, header: PageHeader) -> None:
    """Draw the effects of whole gates; a click on a gate chooses it."""
    report = state.report()
    answer, words = report.sentences
    header.answer.markdown(emphasised(answer))
    shown = [report.charts[name] for name in ("gate_changes", "gate_probabilities") if name in report.charts]
    for column, one in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            chart.clickable(one, "gate", state.gate)
    st.caption(emphasised(words))
    for note in report.notes:
        st.caption(escape_markdown(note))


def _channels(state: InterveneState) -> None:
    """Draw the channels of the chosen gate: their attribution, and what follows from it."""
    st.header(f"Channels of {state.gate}", anchor=False)
    mean = (interventions.means(state.model, state.profiles) or {}).get(state.gate)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        # A list, as five names side by side are wider than a phone.
        with st.container(width=230):
            method: Method = choose("Attribution by", METHODS, "method")
        baselines = (["mean"] if mean is not None else []) + ["1", "0"]
        base = choose("Baseline of s", baselines, "baseline", segmented=True)
    baseline: Weights = base if base == "mean" else float(base)
    if method == "layer-conductance":
        st.caption("Layer-conductance starts at an image of the mean colour; the baseline of s is that of the curves.")
    # Conductance starts at an image; only its curves have a baseline of s.
    starts: Weights = "mean" if method == "layer-conductance" else baseline
    about = (state.gate, state.outcome.target, method)
    gate_capture = captures.maps(state.model, state.image, state.gate)[state.gate]
    in_words = "the mean of s" if base == "mean" else base
    channels = None
    try:
        found = interventions.attribution(state.model, state.image, state.profiles, (*about, starts))
        work = partial(interventions.curves, state.model, state.image, state.profiles, (*about, baseline))
        channels = Channels(found, (state.image.name,), 0, gate_capture, mean, in_words, work)
    except (InstrumentError, NoMean, ImportError) as error:
        said = no_mean.sentence(error) if isinstance(error, NoMean) else str(error)
        st.info(escape_markdown(f"{said} Edits work all the same."))
    if channels is not None:
        report = state.report(channels)
        st.markdown(emphasised(report.sentences[2]))
        chart.show(report.charts[f"attribution_{state.gate}"], wide=True)
    _edit(state, channels, mean)


_CHOICES = ("5 strongest", "20 strongest", "all", "chosen")


@st.fragment
def _edit(state: InterveneState, channels: Channels | None, mean: Floats | None) -> None:
    """Draw the edit of some channels with the predictions before and after, the curves, and the export."""
    st.header("Edit channels", anchor=False)
    gate_capture = state.capture[state.gate]
    left, right = st.columns([4, 5], gap="large")
    with left:
        picked = _picked(state, channels)
        sources = ["a number", "0", "1", *["mean"] * (mean is not None), *["other image"] * bool(state.swapped)]
        source = choose("Set s of these channels to", sources, "set", segmented=True)
        low, high = s_range(gate_capture)
        weight = number("Weight s", low, high, max(low, 0.0), "weight", disabled=source != "a number")
    if not picked:
        st.info("Choose at least one channel.")
        return
    value = weight if source == "a number" else source if source in ("mean", "other image") else float(source)
    edit = swap(state.swapped) if value == "other image" else value
    count = gate_capture.gate.channels
    edits = {state.gate: edit if len(picked) == count else dict.fromkeys(picked, edit)}
    after = interventions.edited(state.model, state.image, edits, state.profiles)
    report = state.report(channels, Edited(_words(state, picked, value), after, _attributed(channels, picked, value)))
    with left:
        st.markdown(emphasised(report.sentences[-1]))
        weights = gate_capture.s[state.focus, picked]
        st.caption(f"s as computed: mean {weights.mean():.2f} over {len(picked)} of {count} channels.")
    with right:
        chart.show(report.charts["before_and_after"])
    if channels is not None:
        st.header("Does the attribution find the channels that matter?", anchor=False)
        chart.show(report.charts[f"faithfulness_{state.gate}"], wide=True)
    intervention_export.show(
        state.model, state.chosen, report, state.gate, (state.focus, state.other), edits, channels, state.profiles
    )


def _picked(state: InterveneState, channels: Channels | None) -> list[int]:
    choices = _CHOICES if channels is not None else _CHOICES[2:]
    by = choose("Channels", choices, "edit", segmented=True)
    count = state.capture[state.gate].gate.channels
    if by == "all":
        return list(range(count))
    if by == "chosen":
        first = channels.attribution.strongest(1)[0] if channels is not None else 0
        return numbers("Channel numbers", count, int(first), f"edited_{state.gate}")
    assert channels is not None  # noqa: S101 - otherwise it is not offered
    return [int(one) for one in channels.attribution.strongest(int(by.partition(" ")[0]))]


def _words(state: InterveneState, picked: Sequence[int], value: float | str) -> str:
    """Return the edit in words, "s := 0 in channels 450, 12 of SE_5_2"."""
    to = value if isinstance(value, str) else f"{value:g}"
    if value == "other image" and state.swapped:
        to = f"that of {state.swapped.name}"
    if len(picked) == state.capture[state.gate].gate.channels:
        return f"s := {to} in all channels of {state.gate}"
    numbers = ", ".join(map(str, picked[:5])) + (f" and {len(picked) - 5} more" if len(picked) > 5 else "")
    return f"s := {to} in {'channel' if len(picked) == 1 else 'channels'} {numbers} of {state.gate}"


def _attributed(channels: Channels | None, picked: Sequence[int], value: float | str) -> float | None:
    """Return the sum of the attributions of the channels, if they are set to the baseline."""
    if channels is None or channels.attribution.method == "layer-conductance":
        return None
    found: Attribution = channels.attribution
    same = value == "mean" if channels.baseline == "the mean of s" else value == float(channels.baseline)
    return float(found.values[0, list(picked)].sum()) if same else None
