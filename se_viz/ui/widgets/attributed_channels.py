"""The channels of a gate by their attribution to the prediction: the method, the chart, and how faithful it is."""

from functools import partial

import streamlit as st

from se_viz.gates.errors import InstrumentError
from se_viz.interventions.attribution import METHODS, Method
from se_viz.interventions.baseline import NoMean, Weights
from se_viz.reports.intervention import Channels
from se_viz.reports.unknown_mean import unknown_mean
from se_viz.ui.markdown import emphasised, escape_markdown
from se_viz.ui.state import captures, interventions, presentation
from se_viz.ui.widgets import chart
from se_viz.ui.widgets.choice import choose_or_keep
from se_viz.ui.widgets.intervene_state import InterveneState


def show(state: InterveneState) -> None:
    """Draw the choice of the method, and the channels with the largest attribution."""
    st.header(f"Channels of {state.gate}", anchor=False)
    channels = attributed(state, drawn=True)
    if channels is not None:
        report = state.report(channels)
        st.markdown(emphasised(report.sentences[2]))
        chart.show(report.charts[f"attribution_{state.gate}"], wide=True)


def faithfulness(state: InterveneState) -> None:
    """Draw the choice of the method, and whether its order finds the channels that matter."""
    st.header("Does the attribution find the channels that matter?", anchor=False)
    channels = attributed(state, drawn=True)
    if channels is not None:
        chart.show(state.report(channels).charts[f"faithfulness_{state.gate}"], wide=True)


def attributed(state: InterveneState, *, drawn: bool) -> Channels | None:
    """Return the attribution to the channels of the chosen gate, or say why it is not defined.

    Args:
        state: the state of the page.
        drawn: whether this tab draws the choice of the method and its baseline; otherwise the last choice holds.
    """
    mean = state.mean
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        # A list, as five names side by side are wider than a phone.
        with st.container(width=presentation.wide(230)):
            method: Method = choose_or_keep("Attribution by", METHODS, "method", drawn=drawn)
        baselines = (["mean"] if mean is not None else []) + ["1", "0"]
        base = choose_or_keep("Baseline of s", baselines, "baseline", drawn=drawn, segmented=True)
    baseline: Weights = base if base == "mean" else float(base)
    if drawn and method == "layer-conductance":
        st.caption(
            "Layer-conductance starts at an image of the mean colour. The baseline of s is only used for the curves."
        )
    # Conductance starts at an image; only its curves have a baseline of s.
    starts: Weights = "mean" if method == "layer-conductance" else baseline
    about = (state.gate, state.outcome.target, method)
    gate_capture = captures.maps(state.model, state.image, state.gate)[state.gate]
    in_words = "the mean of s" if base == "mean" else base
    try:
        found = interventions.attribution(state.model, state.image, state.profiles, (*about, starts))
    except (InstrumentError, NoMean, ImportError) as error:
        said = unknown_mean(error, "page") if isinstance(error, NoMean) else str(error)
        st.info(escape_markdown(f"{said} Channels can be edited nevertheless."))
        return None
    curves = partial(interventions.curves, state.model, state.image, state.profiles, (*about, baseline))
    return Channels(found, (state.image.name,), 0, gate_capture, mean, in_words, curves)
