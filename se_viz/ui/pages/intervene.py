"""The Intervene page: which gate, and which channel, matters for a prediction."""

from collections.abc import Callable
from functools import partial

import numpy as np
import streamlit as st

from se_viz.analysis.head_sentences import meaning
from se_viz.analysis.predictions import Predictions, predict
from se_viz.figures.provenance import Provenance
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.intervention import QUESTION
from se_viz.reports.target_output import outcome_of
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import captures, interventions, presentation
from se_viz.ui.widgets import (
    attributed_channels,
    chart,
    dataset_ablation,
    edited_channels,
    freeze_gates,
    other_image_picker,
    prediction_cards,
    profiles_picker,
    tabs,
)
from se_viz.ui.widgets.choice import choose
from se_viz.ui.widgets.intervene_state import InterveneState
from se_viz.ui.widgets.page_header import PageHeader

__all__ = ["QUESTION", "page"]

_PREDICTED = "the predicted one"
# Choices that name a tab in a link that was made before there were these tabs.
_FORMER = {
    **dict.fromkeys(("edit", "set", "weight"), "Edit channels"),
    **dict.fromkeys(("method", "baseline"), "Channels"),
    **dict.fromkeys(("frozen", "constant", "loss"), "Over a dataset"),
}


def page(header: PageHeader) -> None:
    """Draw the page."""
    model, chosen = header.model, header.chosen
    captured = captures.values(model, chosen.images)
    predictions = predict(model, captured, images=chosen.images)
    strip_place = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        focus = header.image()
        target_place = st.container(width=presentation.wide(210))
        other = other_image_picker.choose(chosen.images, focus)
        profiles = profiles_picker.choose(model)
    with strip_place:
        prediction_cards.show(chosen.images, predictions, focus)
    if predictions.fitted is None or not np.isfinite(predictions.outputs[focus]).all():
        _nothing(header, predictions, focus)
        return
    chart.say_provenance(Provenance(model.name, chosen.images[focus].name))
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
    header.answer.markdown(emphasised(state.report().sentences[0]))
    contents: dict[str, Callable[[], None]] = {
        "Gates": partial(_gates, state, meaning(predictions.fitted, "Head in the sidebar")),
        "Channels": partial(attributed_channels.show, state),
        "Edit channels": partial(edited_channels.show, state),
        "Faithfulness": partial(attributed_channels.faithfulness, state),
        "Over a dataset": partial(_dataset, model, profiles),
        "Export": partial(edited_channels.export, state),
    }
    tabs.show(contents, _FORMER)


def _nothing(header: PageHeader, predictions: Predictions, focus: int) -> None:
    """Say why there is no prediction, and what to do."""
    header.answer.markdown(escape_markdown(predictions.images[focus].sentence))
    if predictions.fitted is None:
        st.info(
            "An intervention is measured on an output of the network: a class, a label or a number. Choose what the "
            "outputs mean under Head in the sidebar, or load a network with a classifier."
        )


def _gates(state: InterveneState, head: str) -> None:
    """Draw the effects of whole gates; a click on a gate chooses it."""
    report = state.report()
    shown = [report.charts[name] for name in ("gate_changes", "gate_probabilities") if name in report.charts]
    for column, one in zip(st.columns(len(shown), gap="medium"), shown, strict=True):
        with column:
            chart.clickable(one, "gate", state.gate)
    st.caption(emphasised(report.sentences[1]))
    for note in filter(None, (*report.notes, head)):
        st.caption(escape_markdown(note))


@st.fragment
def _dataset(model: Model, profiles: ClassProfiles | None) -> None:
    """Draw the ablation, and freezing, which takes what it costs from the ablation that is open."""
    freeze_gates.show(model, profiles, dataset_ablation.show(model))
