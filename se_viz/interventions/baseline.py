"""Excitation weights to compare s with: its mean over a dataset, 1, or 0."""

from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

from se_viz.gates.gate import Gate
from se_viz.model.model import Model
from se_viz.profiles.bundled import bundled_profiles
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.profiles.errors import ProfilesRefused
from se_viz.types import AnyFloats, Floats

Weights: TypeAlias = float | str | AnyFloats | Tensor
"""A number, C numbers, or "mean"."""


class NoMean(ValueError):
    """The mean of s is unknown; the message says why, and what to do in Python.

    Attributes:
        why: the reason.
        remedy: what class profiles would help: "make" if there are no class profiles, "remake" if these do not fit,
            "" if these have no images to average.
    """

    def __init__(self, why: str, remedy: Literal["make", "remake", ""] = "") -> None:
        super().__init__(why, remedy)
        self.why = why
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.why} {_IN_PYTHON[self.remedy]}".strip()


_IN_PYTHON = {
    "make": "Make them with `se-viz profile` and pass profiles=open_profiles(…), or give 1, 0 or C numbers in place of "
    "the mean.",
    "remake": "Make class profiles of this network with `se-viz profile`.",
    "": "",
}


def mean_weights(
    model: object,
    gate: str,
    profiles: ClassProfiles | None = None,
    of: str | None = None,
    *,
    channels: int | None = None,
) -> Floats:
    """Return the mean of s over the images of class profiles (C,).

    Args:
        model: a ``Model``, whose bundled class profiles are taken where none are given.
        gate: name of the gate.
        profiles: class profiles of this network.
        of: the class whose images are averaged (default: all images).
        channels: C of the gate, from which profiles of another network are recognised if ``model`` is a bare module.

    Raises:
        NoMean: there are no class profiles of this network, or they have no such gate, no images, or other channels.
        KeyError: the class profiles have no such class.
        ProfilesMismatch: the class profiles are of another network than the ``Model``.
    """
    if isinstance(model, Model):
        profiles = profiles or _bundled(model.name)
        if profiles is not None:
            profiles.check(model)
    if profiles is None:
        raise NoMean("The mean of s is unknown, because this network has no class profiles.", "make")
    try:
        moments = profiles[gate].s()
    except KeyError as error:
        why = f"The class profiles {profiles.path} have no mean of this gate: {error.args[0]}."
        raise NoMean(why, "remake") from None
    profiled = moments.mean.shape[1]
    if channels is not None and profiled != channels:
        raise NoMean(
            f"The class profiles {profiles.path} are of another network: {gate} has {profiled} channels there and "
            f"{channels} here.",
            "remake",
        )
    if of is not None:
        index = profiles.class_index(of)
        if not profiles.counts[index]:
            raise NoMean(f"The class profiles {profiles.path} have no image of {of}.")
        row: Floats = np.asarray(moments.mean[index], np.float64)
        return row
    some = profiles.counts > 0
    if not some.any():
        raise NoMean(f"The class profiles {profiles.path} have no images.")
    mean: Floats = np.average(moments.mean[some], axis=0, weights=profiles.counts[some])
    return mean


@lru_cache(maxsize=32)
def _bundled(name: str) -> ClassProfiles | None:
    """Return the class profiles that come with a demo model, or None."""
    try:
        return bundled_profiles(name) if name.startswith("demo/") else None
    except ProfilesRefused:
        return None


def baseline_of(weights: Weights, gate: Gate, s: Tensor, model: object, profiles: ClassProfiles | None) -> Tensor:
    """Return a baseline as (C,), in the precision and on the device of s (N, C).

    Raises:
        NoMean: the mean is not known.
        ValueError: these are not C finite numbers.
    """
    if isinstance(weights, str):
        if weights != "mean":
            raise ValueError(f'A baseline is "mean", a number or {gate.channels} numbers, not {weights!r}.')
        weights = mean_weights(model, gate.name, profiles, channels=gate.channels)
    try:
        given = torch.as_tensor(weights, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f'A baseline is "mean", a number or {gate.channels} numbers, not {type(weights).__name__}.'
        ) from None
    if given.ndim > 1 or given.numel() not in (1, gate.channels):
        raise ValueError(f"A baseline of {gate.name} has {gate.channels} numbers or one, not {tuple(given.shape)}.")
    if not bool(given.isfinite().all()):
        raise ValueError("A baseline must not be NaN or infinite.")
    made = given.expand(gate.channels).to(s)
    if not bool(made.isfinite().all()):
        raise ValueError(f"A baseline cannot be {float(given.abs().max()):.0e}, which {s.dtype} does not have.")
    return made
