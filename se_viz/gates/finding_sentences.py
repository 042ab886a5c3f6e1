"""The sentences of a search on gates that cannot be read, and on networks without gates."""

from collections.abc import Sequence

from torch import nn

from se_viz.gates.gate import Gate
from se_viz.gates.other_products import AXES, FIVE_AXES
from se_viz.gates.trace import ModuleRun, Trace
from se_viz.gates.watched_gates import PARTS, SCALES, Passed
from se_viz.weights.matching import some


def partly_found(
    gates: Sequence[Gate], passed: Sequence[Passed], small: Sequence[ModuleRun], traced: Trace
) -> tuple[str, ...]:
    """Return a sentence for each kind of gate that was seen but cannot be read, and what to do."""
    notes = []
    if small:
        count, of = len(small), len(small) + len(gates)
        where = some(dict.fromkeys(run.path for run in small))
        notes.append(
            f"{len(gates)} of {of} gates were found: {count} {'see' if count > 1 else 'sees'} maps of 1 × 1 at this "
            f"size ({where}). Use images of {2 * traced.width} pixels or more."
        )
    parts = list(dict.fromkeys(item.path or "the network itself" for item in passed if item.reason == PARTS))
    if parts:
        notes.append(
            f"Left out: {some(parts)} {'run' if len(parts) > 1 else 'runs'} on parts of an image or of the "
            f"batch, so that no single s belongs to an image."
        )
    axes = list(dict.fromkeys(item.path or "the network itself" for item in passed if item.reason == AXES))
    if axes:
        notes.append(
            f"Left out: the code of {some(axes)} multiplies maps that do not have the four axes (N, C, H, W) by "
            f"one factor per channel."
        )
    five = list(dict.fromkeys(item.path or "the network itself" for item in passed if item.reason == FIVE_AXES))
    if five:
        notes.append(f"Left out: the code of {some(five)} multiplies maps, but {FIVE_AXES}.")
    unread = [item for item in passed if item.reason.startswith(SCALES)]
    # One call may pass on what another has scaled, so each path is named once.
    first = {item.path: item for item in reversed(unread)}
    notes += [f"Left out: {path or 'the network itself'}: {first[path].reason}." for path in reversed(first)]
    if traced.reordered and gates:
        paths = list(dict.fromkeys(frames[-1].path if frames else "" for frames in traced.reordered))
        which = some([path or "the network itself" for path in paths])
        notes.append(
            f"The code of {which} puts the images of a batch into another order, so that rows of z and s may belong to "
            "other images: read the images one at a time (batch=1)."
        )
    if traced.copies:
        notes.append(f"Left out: copies of modules that ran in threads ({some(traced.copies)}).")
    return tuple(notes)


def none_found(network: nn.Module, traced: Trace, passed: Sequence[Passed]) -> str:
    """Say why no gate was found: what was searched for, what was seen but is not a gate, and what was not analysed."""
    name = type(network).__name__
    searched = (
        f"two images of noise, {traced.width} pixels wide, went through its {len(traced.steps)} "
        f"{'module' if len(traced.steps) == 1 else 'modules'}"
    )
    parts = list(dict.fromkeys(item.path or "its own code" for item in passed if item.reason == PARTS))
    others = [item for item in passed if item.reason != PARTS]
    listed = "; ".join(dict.fromkeys(f"{item.path or name}: {item.reason}" for item in others))
    if parts:
        said = [
            f"No gate of {name} can be read: {some(parts)} {'run' if len(parts) > 1 else 'runs'} on parts of an image "
            "or of the batch, so that no single s belongs to an image."
        ]
        said += [f"Not counted as gates: {listed}."] if others else []
    elif others:
        # Each was seen to multiply maps, so the sentence says why that is no gate, and not that nothing multiplies.
        said = [
            f"No channel gate found in {name}: {searched}, and what was seen to multiply maps by a factor is not "
            f"counted as a gate: {listed}."
        ]
    else:
        said = [
            f"No channel gate found in {name}: {searched}, and none was seen to multiply maps of more than one pixel "
            "by one weight per channel that depends on the image."
        ]
    if not parts:
        said.append("Code in scripts, and in threads that the network starts, is not analysed.")
    if traced.quantized:
        said.append("Its maps are quantised, and their multiplications are not analysed: use the float model.")
    if traced.copies:
        said.append(
            f"Copies of modules were not analysed ({some(traced.copies)}): data parallelism makes such replicas for "
            "its threads. Search the network without it."
        )
    return " ".join(said)
