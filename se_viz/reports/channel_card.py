"""One channel of a gate in class profiles: its role, its class means, and the images with its highest weights."""

import numpy as np
import pandas as pd

from se_viz.analysis.selectivity import eta_squared
from se_viz.figures.chart import Chart
from se_viz.figures.class_means import class_means
from se_viz.profiles.class_profiles import ClassProfiles, GateProfile
from se_viz.profiles.errors import NotInProfiles
from se_viz.reports.target_output import Outcome
from se_viz.types import Floats
from se_viz.wording import signed

_ENDS = 10  # classes at each end, if there are too many for one chart


def most_specific_channel(gate: GateProfile) -> int:
    """Return the channel whose variance the class explains most; 0 if s is constant in all."""
    eta = eta_squared(gate)
    return int(np.nanargmax(eta)) if np.isfinite(eta).any() else 0


def channel_role(profiles: ClassProfiles, gate: str, channel: int) -> str:
    """Return two sentences on the class means of a channel, and on how much of its variance the class explains."""
    moments = profiles[gate].s(slice(None), channel)
    some = np.flatnonzero(moments.count)
    means = moments.mean[some]
    names = profiles.classes
    low, high = some[int(means.argmin())], some[int(means.argmax())]
    said = (
        f"Channel {channel} of {gate} has a mean weight of **{signed(means.mean(), '.2f')}** over the classes. It is "
        f"highest for {names[high]} ({signed(moments.mean[high], '.2f')}) and lowest for {names[low]} "
        f"({signed(moments.mean[low], '.2f')})."
    )
    eta = eta_squared(profiles[gate])
    if np.isnan(eta[channel]):
        return f"{said} Its s is constant over these images."
    rank = int((eta > eta[channel]).sum()) + 1
    return f"{said} The class explains **{eta[channel]:.0%}** of the variance of s, rank {rank} of {len(eta)} channels."


def channel_chart(profiles: ClassProfiles, gate: str, channel: int) -> Chart:
    """Draw the class means of a channel, the highest first; of many classes, the ten at each end."""
    moments = profiles[gate].s(slice(None), channel)
    some = np.flatnonzero(moments.count)
    order = some[np.argsort(-moments.mean[some], kind="stable")]
    if len(order) > 2 * _ENDS:
        order = np.concatenate([order[:_ENDS], order[-_ENDS:]])
    names = [profiles.classes[row] for row in order]
    overall = float(moments.mean[some].mean())
    return class_means(gate, channel, names, moments.mean[order], moments.std[order], overall, profiles[gate].span)


def channel_effect(outcome: Outcome, before: Floats, after: Floats, image: str, s: float, mean: float) -> str:
    """Return a sentence on what one channel does to the outputs for an image: their change with its mean in its place.

    Args:
        outcome: meaning of the outputs, and the one that the network says.
        before: outputs for the image (K,).
        after: the same with s of this channel set to its mean.
        image: name of the image.
        s: the weight of the channel for the image.
        mean: its mean over the class profiles.
    """
    if not np.isfinite(after).all():
        return f"If s of this channel is set to its mean, the network returns NaN or infinity for {image}."
    change = after - before
    most = int(np.argmax(np.abs(change)))
    edit = f"For {image} its s is **{signed(s, '.3f')}**. If s is set to its mean ({signed(mean, '.3f')}),"
    if not change.any():
        return f"{edit} **no output changes**."
    said = f"{edit} the {outcome.unit} of {outcome.name} changes by **{signed(change[outcome.target], '+.2g')}**"
    if most == outcome.target:
        return f"{said}{', more than any other' if len(change) > 1 else ''}."
    return f"{said}. That of {outcome.names[most]} changes most, by {signed(change[most], '+.2g')}."


def channel_images(profiles: ClassProfiles, gate: str, channel: int) -> pd.DataFrame | str:
    """Return the images with the highest s of a channel, or a sentence on why the class profiles have none.

    Columns: image, class, s, sha256 (of the file).
    """
    try:
        found = profiles[gate].highest(channel)
    except NotInProfiles:
        return (
            "These class profiles are compact and name no images. Those that you make with `se-viz profile` or "
            "on this page name the images with the highest weight of each channel."
        )
    return pd.DataFrame(
        [(one.name, one.label, one.s, one.sha256) for one in found], columns=["image", "class", "s", "sha256"]
    )
