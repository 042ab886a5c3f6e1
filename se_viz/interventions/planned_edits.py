"""Edits of an ablation, with their names; means and s of other images are replaced by numbers."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, cast

import numpy as np
from torch import Tensor

from se_viz.gates.gate import Gate, by_stage
from se_viz.interventions.baseline import NoMean
from se_viz.interventions.edits import (
    Edit,
    Edits,
    MeanOf,
    Scale,
    Shuffle,
    Sources,
    Swap,
    Whole,
    described,
    on_host,
    resolve,
)
from se_viz.interventions.edits import word as word_of
from se_viz.types import AnyFloats

Scope: TypeAlias = Literal["gate", "stage", "all", "other"]
Values: TypeAlias = Sequence[Whole]
AblationEdits: TypeAlias = Mapping[str, Edits | Edit | Sequence[Edit] | None] | Values

DEFAULT: Values = (1.0, "mean", Shuffle())
_IMAGES = 2  # what edits are tried with before a pass
_PROFILES = "The command `profile` and the page Classes make class profiles."


@dataclass(frozen=True, slots=True)
class EditInfo:
    """Description of an edit of an ablation.

    Attributes:
        name: "SE_5_2 := 1".
        where: a gate, "stage 5" or "all"; for edits that the caller has named, that name.
        scope: which of these it is.
        value: what s was set to: a number, "mean", "shuffled", or words.
        gates: names of the edited gates, in execution order.
        sha256: sha256 of the numbers that they are set to, with means and s of other images as numbers.
    """

    name: str
    where: str
    scope: Scope
    value: float | str
    gates: tuple[str, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class PlannedEdit:
    """An edit of an ablation: its description, and by gate numbers (C,), ``shuffle``, ``scale``, or some of these by
    channel.
    """

    info: EditInfo
    edits: Edits


def plan_edits(
    ablation_edits: AblationEdits | None, gates: Sequence[Gate], sources: Sources
) -> tuple[tuple[PlannedEdit, ...], tuple[str, ...]]:
    """Return the edits of an ablation, and a sentence on what was left out.

    Args:
        ablation_edits: values for each gate, each stage and all; or by name: what ``capture`` takes as its edits, or
            by a gate, "stage 4" or "all": a value, a list of values, or None for ``DEFAULT``. ``DEFAULT`` for each if
            not given.
        gates: of the network, in execution order.
        sources: gives means, and s of another image.

    Raises:
        KeyError: a key names no gate and no stage, or there is no such class or channel.
        ValueError, TypeError: an edit is not one of these, does not fit its gate, or is there twice; or there is no
            edit.
        NoMean: a mean is asked for, and no class profiles say what it is.
    """
    planned: list[PlannedEdit] = []
    notes: list[str] = []
    for name, where, scope, value, edits in _planned(DEFAULT if ablation_edits is None else ablation_edits, gates):
        may_lack = ablation_edits is None or (
            isinstance(ablation_edits, Mapping) and ablation_edits.get(where, edits) is None
        )
        try:
            fixed = _fixed(edits, gates, sources)
        except NoMean as error:
            if not may_lack:
                raise
            if not notes:
                # For Python, the shell and the page, which show the note of a file.
                notes.append(f"No gate was set to its mean. {error.why} {_PROFILES}")
            continue
        edited = tuple(gate.name for gate in gates if gate.name in fixed)
        planned.append(PlannedEdit(EditInfo(name, where, scope, value, edited, edits_sha256(fixed)), fixed))
    if not planned:
        raise ValueError('There is no edit: give some, for instance edits=[1.0, "mean"], or {"SE_5_2": 1.0}.')
    twice = [name for name, count in Counter(plan.info.name for plan in planned).items() if count > 1]
    if twice:
        raise ValueError(f"{twice[0]} is there twice: give it once, or give the edits names, {{name: {{gate: …}}}}.")
    return tuple(planned), tuple(notes)


_Planned: TypeAlias = tuple[str, str, Scope, float | str, Edits]


def _planned(ablation_edits: AblationEdits, gates: Sequence[Gate]) -> Iterator[_Planned]:
    if not isinstance(ablation_edits, Mapping):
        if isinstance(ablation_edits, str) or not isinstance(ablation_edits, Iterable):
            raise TypeError(
                "edits are values for each gate, as [1.0, 'mean'], or a mapping, as {'SE_5_2': 1.0}, not "
                f"{type(ablation_edits).__name__}."
            )
        values = list(ablation_edits)  # once, as a generator gives its values once
        for where in _places(gates):
            for value in values:
                yield _at(where, value)
        return
    for key, given in ablation_edits.items():
        if not isinstance(key, str):
            raise KeyError(f"The name of an edit is a text, not {key!r}.")
        if isinstance(given, Mapping) and any(isinstance(part, str) for part in given):
            edits = cast("Edits", given)
            yield key, key, "other", "; ".join(described(edits)), edits
        else:
            yield from (_at(key, one) for one in (DEFAULT if given is None else _several(given)))


def _several(value: object) -> "Sequence[Edit]":
    return cast("Sequence[Edit]", value if isinstance(value, list | tuple) else [value])


def _places(gates: Sequence[Gate]) -> list[str]:
    return [*(gate.name for gate in gates), *(f"stage {stage}" for stage in by_stage(gates)), "all"]


def _at(where: str, value: Edit) -> _Planned:
    scope: Scope = "all" if where == "all" else "stage" if where.startswith("stage ") else "gate"
    if isinstance(value, Mapping):
        said: float | str = ", ".join(f"channel {channel} := {word_of(part)}" for channel, part in value.items())
        return f"{where}: {said}", where, scope, said, {where: value}
    said = float(on_host(value)) if _is_number(value) else _word(value)
    return f"{where} := {word_of(value) if isinstance(said, float) else said}", where, scope, said, {where: value}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) or (isinstance(value, np.ndarray | Tensor) and value.ndim == 0)


def _word(value: object) -> str:
    if isinstance(value, Shuffle):
        return "shuffled" if value.seed == 0 else f"shuffled, seed {value.seed}"
    return word_of(value)


def _fixed(edits: Edits, gates: Sequence[Gate], sources: Sources) -> Edits:
    """Return the edit of each gate, with means and s of other images as numbers."""
    for edit in edits.values():
        for part in edit.values() if isinstance(edit, Mapping) else (edit,):
            if isinstance(part, list | tuple | np.ndarray | Tensor) and np.asarray(on_host(part)).ndim > 1:
                raise ValueError("Over a dataset a gate is set to a number or C numbers, the same for every image.")
    found: dict[str, Edit] = {}
    # That finds out what fits, and which gates are meant: the closest key of several.
    resolved = resolve(edits, gates, sources)
    for gate in gates:
        if gate.name in resolved:
            edit = next(edits[key] for key in (gate.name, f"stage {gate.stage}", "all") if key in edits)
            found[gate.name] = (
                {int(channel): _numbers(part, gate, sources) for channel, part in edit.items()}
                if isinstance(edit, Mapping)
                else _numbers(edit, gate, sources)
            )
    return found


def _numbers(edit: Whole, gate: Gate, sources: Sources) -> Whole:
    if isinstance(edit, Shuffle | Scale):
        return edit
    if isinstance(edit, Swap):
        return np.asarray(sources.computed_of(edit.image, gate.name)[0], np.float64)
    if isinstance(edit, str):
        return np.asarray(sources.mean(gate.name, None), np.float64)
    if isinstance(edit, MeanOf):
        return np.asarray(sources.mean(gate.name, edit.name), np.float64)
    return np.broadcast_to(np.asarray(on_host(edit), np.float64), gate.channels).copy()


def edits_sha256(edits: Edits) -> str:
    """Return the sha256 of edits by gate, in execution order, whose numbers are arrays (C,) in double precision."""
    digest = hashlib.sha256()
    for gate, edit in edits.items():
        for channel, part in edit.items() if isinstance(edit, Mapping) else (("", edit),):
            digest.update(f"{gate} {channel} ".encode())
            digest.update(part.astype("<f8").tobytes() if isinstance(part, np.ndarray) else repr(part).encode())
    return digest.hexdigest()


def trial_sources(gates: Sequence[Gate], sources: Sources) -> Sources:
    """Return sources for trying edits before any image is read, in which s of two images is 0."""
    channels = {gate.name: gate.channels for gate in gates}

    def zeros(gate: str) -> AnyFloats:
        return np.zeros((_IMAGES, channels[gate]))

    return Sources(_IMAGES, zeros, sources.computed_of, sources.mean)
