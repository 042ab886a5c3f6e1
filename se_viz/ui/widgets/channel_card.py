"""The card of one channel on the Classes page: its role, its strongest images, and its effect on the outputs."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from se_viz.analysis.predictions import predict
from se_viz.data.images import InputImage
from se_viz.figures.not_finite import number
from se_viz.gates.errors import InstrumentError
from se_viz.interventions.baseline import NoMean
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.reports.channel_card import (
    channel_chart,
    channel_effect,
    channel_images,
    channel_role,
    most_specific_channel,
)
from se_viz.reports.target_output import outcome_of
from se_viz.ui.markdown import emphasised
from se_viz.ui.state import captures, dataset_images, interventions
from se_viz.ui.widgets import chart, thumbnails
from se_viz.ui.widgets.minus_signs import with_minus
from se_viz.ui.widgets.page_header import PageHeader
from se_viz.ui.widgets.page_links import link

_FEW = 8  # images of a strip


def show(header: PageHeader, profiles: ClassProfiles, gate: str) -> None:
    """Draw the card of the chosen channel, or of the one that the class explains most."""
    first = most_specific_channel(profiles[gate])
    channel = header.channel(gate, first)
    channel = first if channel is None else channel  # an emptied field
    st.markdown(emphasised(channel_role(profiles, gate, channel)))
    _effect(header, profiles, gate, channel)
    left, right = st.columns(2, gap="medium")
    with left:
        chart.show(channel_chart(profiles, gate, channel))
    with right:
        _strongest(channel_images(profiles, gate, channel), {one.sha256: one for one in header.chosen.images})
        _yours(header, gate, channel)


def _effect(header: PageHeader, profiles: ClassProfiles, gate: str, channel: int) -> None:
    """Draw the exact effect of the channel on the outputs for the image in focus, with the link to its page."""
    model, image = header.model, header.chosen.images[header.image()]
    captured = captures.values(model, [image], "channel")
    predictions = predict(model, captured)
    mean = (interventions.means(model, profiles) or {}).get(gate)
    if predictions.fitted is not None and np.isfinite(predictions.outputs).all() and mean is not None:
        before = predictions.outputs[0].astype(np.float64)
        try:
            after = interventions.edited(model, image, {gate: {channel: "mean"}}, profiles)
        except (InstrumentError, NoMean):
            return
        s = float(captured[gate].s[0, channel])
        outcome = outcome_of(predictions.fitted, before)
        st.markdown(emphasised(channel_effect(outcome, before, after, image.name, s, float(mean[channel]))))
    edit = {"view": "Edit channels", "edit": "chosen", "set": "mean", f"edited_{gate}": str(channel)}
    link("intervene", f"Edit channel {channel} on the page Intervene", gate=gate, channel=str(channel), **edit)


def _strongest(images: pd.DataFrame | str, uploaded: Mapping[str, InputImage]) -> None:
    """Draw the images of the class profiles with the highest weight, small where they are on the page or the server."""
    if isinstance(images, str):
        st.caption(images)
        return
    st.markdown("Images with the highest weight")
    shown: list[tuple[str, str, str]] = []
    for name, label, s, sha256 in zip(*(images[column] for column in ("image", "class", "s", "sha256")), strict=True):
        image = uploaded.get(str(sha256))
        rgb = image.rgb if image else dataset_images.find(str(name), str(sha256))
        if rgb is not None and len(shown) < _FEW:
            shown.append((thumbnails.data_url(rgb), str(name).rpartition("/")[2], f"{number(s, '.3f')}, {label}"))
    if shown:
        thumbnails.strip("Images with the highest weight of this channel", shown)
    if len(shown) < len(images):
        st.dataframe(with_minus(images, s=".3f"), hide_index=True)  # a tanh gate has negative weights


def _yours(header: PageHeader, gate: str, channel: int) -> None:
    """Draw the images of the page, those with the highest weight first."""
    images = header.chosen.images
    s = captures.values(header.model, images, "channel images")[gate].s[:, channel]
    st.markdown("Your images, by their weight")
    order = np.argsort(-np.where(np.isfinite(s), s, -np.inf), kind="stable")[:_FEW]
    thumbnails.strip(
        "Your images by their weight of this channel",
        [(thumbnails.thumbnail(images[i]), images[i].name, f"s = {number(s[i], '.3f')}") for i in order],
    )
