"""Edits of s: their syntax, and the weights that they give for a network and its images.

    {"SE_5_2": 1.0, "stage 4": "mean", "SE_3_1": array, "all": scale(0.5), "SE_2_1": {40: 0.0}}

An edit of a gate has priority over an edit of its stage, and that over "all". An edit of single channels is laid over
the wider edit: {"stage 5": 0.0, "SE_5_2": {3: 1.0}} sets every channel of stage 5 to 0 but one.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from se_viz.gates.capture_buffer import Replacement
from se_viz.gates.gate import Gate, by_stage
from se_viz.types import AnyFloats
from se_viz.weights.tensor_kinds import doubles

_LARGEST = float(np.finfo(np.float32).max)
_DIGITS = 8  # of a sha256 that tells arrays apart


@dataclass(frozen=True, slots=True, eq=False)
class Swap:
    """An edit that replaces s by s of another image, computed without edits."""

    image: object


@dataclass(frozen=True, slots=True)
class Shuffle:
    """An edit that gives each image s of another image of the same call, computed without edits.

    Raises:
        ValueError: the seed is not a whole number, or less than 0.
    """

    seed: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise ValueError(f"shuffle takes a whole number, 0 or more, as its seed, not {self.seed!r}.")


@dataclass(frozen=True, slots=True)
class Scale:
    """An edit that multiplies s, as the network computes it, by a number."""

    factor: float


@dataclass(frozen=True, slots=True)
class MeanOf:
    """An edit that replaces s by its mean over the images of a class, from class profiles."""

    name: str


def swap(image: object) -> Swap:
    """Return an edit that replaces s by s of another image, given as ``capture`` takes it."""
    return Swap(image)


def shuffle(seed: int = 0) -> Shuffle:
    """Return an edit that gives each image s of another image of the same call, in a random order.

    Raises:
        ValueError: the seed is not a whole number, or less than 0.
    """
    return Shuffle(seed)


def scale(factor: float) -> Scale:
    """Return an edit that multiplies s by a number."""
    return Scale(factor)


def mean_of(name: str) -> MeanOf:
    """Return an edit that replaces s by its mean over the images of a class."""
    return MeanOf(name)


Whole: TypeAlias = float | str | AnyFloats | Tensor | Sequence[float] | Swap | Shuffle | Scale | MeanOf
Edit: TypeAlias = Whole | Mapping[int, Whole]
Edits: TypeAlias = Mapping[str, Edit]


@dataclass(frozen=True, slots=True)
class Sources:
    """The values that edits need besides their own numbers.

    Attributes:
        images: N.
        computed: returns s (N, C) of a gate for the images of the call, without edits.
        computed_of: returns s (1, C) of a gate for another image, without edits.
        mean: returns the mean of s (C,) of a gate over a class or, for None, over all images.
    """

    images: int
    computed: Callable[[str], AnyFloats]
    computed_of: Callable[[object, str], AnyFloats]
    mean: Callable[[str, str | None], AnyFloats]


def resolve(edits: Edits, gates: Sequence[Gate], sources: Sources) -> dict[str, Replacement]:
    """Return the function that replaces s, for each edited gate.

    Raises:
        KeyError: a key names no gate and no stage, or a channel does not exist; the message lists the names.
        ValueError: an edit has another number of channels or images, or numbers that are NaN or infinite.
        TypeError: an edit is something else.
    """
    if not isinstance(edits, Mapping):
        raise TypeError(f'Edits are a mapping such as {{"{gates[0].name}": 1.0}}, not {type(edits).__name__}.')
    places = _places(gates)
    unknown = [key for key in edits if key not in places]
    if unknown:
        stages = ", ".join(f'"stage {stage}"' for stage in sorted({gate.stage for gate in gates}))
        names = ", ".join(gate.name for gate in gates)
        raise KeyError(f'There is no gate {unknown[0]!r}: choose one of {names}, {stages} or "all".')
    named = sorted(((*places[key], edit) for key, edit in edits.items()), key=itemgetter(0))
    made: dict[str, Replacement] = {}
    for gate in gates:
        own = [edit for _, names, edit in named if gate.name in names]
        wholes = [at for at, edit in enumerate(own) if not isinstance(edit, Mapping)]
        for edit in own[wholes[-1] if wholes else 0 :]:  # what a narrower edit replaces whole is not asked for
            if isinstance(edit, Mapping):
                made[gate.name] = _channels(edit, gate, sources, made.get(gate.name, _as_computed))
            else:
                made[gate.name] = _whole(edit, gate, sources)
    return made


def _places(gates: Sequence[Gate]) -> dict[str, tuple[int, frozenset[str]]]:
    """Return the priority of each key that edits can have, and the names of the gates that it means."""
    # Names and not gates, as a comparison of two gates compares all that is known of them.
    by_name = {gate.name: (2, frozenset([gate.name])) for gate in gates}
    stages = {f"stage {stage}": (1, frozenset(gate.name for gate in of)) for stage, of in by_stage(gates).items()}
    return {**by_name, **stages, "all": (0, frozenset(by_name))}


def _as_computed(s: Tensor, _start: int) -> Tensor:
    return s


def _channels(edit: Mapping[int, Whole], gate: Gate, sources: Sources, wider: Replacement) -> Replacement:
    """Return the replacement of single channels; the others are replaced by ``wider``."""
    numbers: dict[int, float] = {}
    parts: dict[int, Replacement] = {}
    for channel, part in edit.items():
        if not isinstance(channel, int | np.integer) or isinstance(channel, bool) or not 0 <= channel < gate.channels:
            raise KeyError(f"{gate.name} has no channel {channel!r}: its channels are 0 to {gate.channels - 1}.")
        if isinstance(part, int | float):
            numbers[int(channel)] = float(_finite(part, gate))
        else:
            parts[int(channel)] = _whole(part, gate, sources)
    places = torch.tensor(list(numbers), dtype=torch.long)
    values = torch.tensor(list(numbers.values()), dtype=torch.float64)

    def channels_only(s: Tensor, start: int) -> Tensor:
        edited = wider(s, start).clone()
        if numbers:  # at once, as there may be hundreds
            edited[:, places.to(s.device)] = values.to(s)
        for channel, replace in parts.items():
            edited[:, channel] = replace(s, start)[:, channel]
        return edited

    return channels_only


def _whole(edit: object, gate: Gate, sources: Sources) -> Replacement:
    if isinstance(edit, Scale):
        factors = _finite(edit.factor, gate)
        if factors.ndim:
            raise TypeError(f"scale multiplies s of {gate.name} by one number, not by {factors.shape}.")
        factor = float(factors)
        return lambda s, _start: s * factor
    if isinstance(edit, Shuffle):
        if sources.images < 2:
            raise ValueError("shuffle gives each image the s of another: it takes two images or more.")
        order = np.random.default_rng(edit.seed).permutation(sources.images)
        dealt = np.empty_like(order)
        dealt[order] = np.roll(order, 1)  # in a ring, so that no image gets its own
        return _rows(sources.computed(gate.name)[dealt])
    if isinstance(edit, Swap):
        return _same(sources.computed_of(edit.image, gate.name)[0])
    if isinstance(edit, MeanOf):
        if not isinstance(edit.name, str):
            raise TypeError(f"mean_of for {gate.name} takes the name of a class, not {edit.name!r}.")
        return _same(sources.mean(gate.name, edit.name))
    if isinstance(edit, str):
        if edit != "mean":
            raise ValueError(f'{gate.name} can be set to a number, {gate.channels} numbers or "mean", not to {edit!r}.')
        return _same(sources.mean(gate.name, None))
    weights = _finite(edit, gate)
    if weights.ndim == 0:
        weights = np.full(gate.channels, weights)
    if weights.shape == (gate.channels,):
        return _same(weights)
    if weights.shape == (sources.images, gate.channels):
        return _rows(weights)
    raise ValueError(
        f"{gate.name} has {gate.channels} channels: it takes a number, ({gate.channels},) or, with as many rows as "
        f"images, ({sources.images}, {gate.channels}), not {weights.shape}."
    )


def _finite(edit: object, gate: Gate) -> AnyFloats:
    """Return the numbers of an edit."""
    if isinstance(edit, Tensor):
        edit = edit.detach().cpu()
        edit = edit.numpy() if edit.is_complex() else edit.double()
    if isinstance(edit, complex | np.ndarray) and (np.iscomplexobj(edit) or np.ma.is_masked(edit)):
        raise TypeError(f"{gate.name} can be set to real numbers, each of them given, not to complex or masked ones.")
    try:
        weights = np.asarray(edit if edit is not None else object(), np.float64)  # NumPy makes NaN of None
    except (TypeError, ValueError):
        raise TypeError(
            f'{gate.name} can be set to a number, {gate.channels} numbers, "mean", mean_of(…), swap(…), shuffle(…), '
            f"scale(…) or {{channel: …}}, not to {type(edit).__name__}."
        ) from None
    largest = np.abs(weights).max(initial=0)  # NaN if there is one
    if largest <= _LARGEST:
        return weights
    if not np.isfinite(largest):
        raise ValueError(f"{gate.name} cannot be set to NaN or an infinite number.")
    raise ValueError(f"{gate.name} cannot be set to {largest:.0e}, which float32 does not have.")


def _same(weights: AnyFloats) -> Replacement:
    """Return a replacement by the same C numbers for each image."""
    kept = torch.from_numpy(np.ascontiguousarray(weights, np.float64))
    return lambda s, _start: kept.to(s).expand_as(s)


def _rows(weights: AnyFloats) -> Replacement:
    """Return a replacement by C numbers for each image of the call."""
    kept = torch.from_numpy(np.ascontiguousarray(weights, np.float64))
    return lambda s, start: kept[start : start + len(s)].to(s)


def described(edits: Edits) -> Iterator[str]:
    """Return each edit in words, for the metadata of a file."""
    for key, edit in edits.items():
        if isinstance(edit, Mapping):
            yield f"{key}: " + ", ".join(f"channel {channel} := {word(part)}" for channel, part in edit.items())
        else:
            yield f"{key} := {word(edit)}"


def word(edit: object) -> str:
    """Return what s is set to, in words."""
    if isinstance(edit, Swap):
        return "s of another image"
    if isinstance(edit, Shuffle):
        return f"s shuffled between the images (seed {edit.seed})"
    if isinstance(edit, Scale):
        return f"{edit.factor:g} s"
    if isinstance(edit, MeanOf):
        return f"mean of {edit.name}"
    if isinstance(edit, str):
        return edit
    try:
        numbers = np.asarray(on_host(edit), np.float64)
    except (TypeError, ValueError):
        return type(edit).__name__  # which is no edit, as ``resolve`` says
    if numbers.ndim == 0:
        return f"{float(numbers):g}"
    digest = hashlib.sha256(numbers.astype("<f8").tobytes()).hexdigest()  # other numbers get another name
    return f"{numbers.size} numbers ({digest[:_DIGITS]})"


def on_host(edit: object) -> Any:  # noqa: ANN401 - whatever NumPy takes
    """Return the numbers of a tensor as an array in double precision, and anything else as it is."""
    return doubles(edit) if isinstance(edit, Tensor) else edit
