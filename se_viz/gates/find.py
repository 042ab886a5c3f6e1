"""The search for the gates of a network: modules that are gates, and multiplications outside such modules."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn

from se_viz.gates.channel_products import close
from se_viz.gates.errors import NoGateFound, NotAnImageModel, NotFinite, PartlyFound
from se_viz.gates.finding_sentences import none_found, partly_found
from se_viz.gates.finite import advice, origin, what_is_in
from se_viz.gates.gate import NOT_SEEN, Gate, TapPoint
from se_viz.gates.known_gates import kind_of
from se_viz.gates.naming import Site, locate_gates
from se_viz.gates.private_copy import HALF, private_copy, undisturbed
from se_viz.gates.probe import living_channels
from se_viz.gates.refusals import check_readable
from se_viz.gates.trace import IMAGES, ModuleRun, Size, Trace, noise, placement, trace
from se_viz.gates.values import Frame
from se_viz.gates.verify import VerifiedGate, verify_gate
from se_viz.gates.watched_gates import PARTS, Passed, Watched, call_taps, overlooked, select

_Verified: TypeAlias = dict[str, VerifiedGate]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a search for gates.

    Attributes:
        gates: the gates in execution order.
        notes: one sentence for each kind of gate that was seen but cannot be read.
        passed: multiplications of maps by one factor per channel that are not gates, with the reason.
    """

    gates: tuple[Gate, ...]
    notes: tuple[str, ...] = ()
    passed: tuple[Passed, ...] = ()


def find_gates(network: nn.Module, size: Size | None = None) -> tuple[Gate, ...]:
    """Return every SE-type gate of a network, in execution order; see ``survey``.

    If some gates were seen but cannot be read, a ``PartlyFound`` warning says which ones and what to do.
    """
    finding = survey(network, size)
    for note in finding.notes:
        warnings.warn(note, PartlyFound, stacklevel=2)
    return finding.gates


def survey(network: nn.Module, size: Size | None = None) -> Finding:
    """Search a network for SE-type gates: X̃ = s · U, where s has one number per channel and differs between images.

    Two images of noise go through a private copy of the network's modules, which shares the weights and computes in
    float32 or more. Every module and every multiplication in this pass is watched. Modules of a known class, and
    modules that keep the shape of their maps, are then verified separately: X̃ = s · U with U ≠ 0, where s is the
    output of one of their parts (see ``gates.verify``). If one module that passes contains another, the inner
    one is the gate. Outside these modules, a multiplication of maps by one factor per channel that depends on the image
    is also a gate, unless the factor is computed without weights or a gate function, as in a normalisation. A module
    that runs several times is several gates.

    The network itself does not run, unless a part of it cannot be copied. The network and the random number generators
    are left unchanged.

    Args:
        network: a network that takes images (N, 3, H, W).
        size: size of the images for this pass, (height, width) or the side of a square; None tries what the network
            states, then common sizes.

    Raises:
        NoGateFound: no gate was found; the message says what was searched for. It is a ``NotFinite`` if the network's
            numbers become NaN or infinite before any gate.
        NotReadable: the network is compiled, scripted or exported.
        NotAnImageModel: the network does not run on images.
    """
    check_readable(network)
    half = placement(network)[1] in HALF
    try:
        return _survey(network, size, widen=half)
    except NotAnImageModel:
        if not half:
            raise
        # Some networks cast to their own type in their code.
        return _survey(network, size, widen=False)


def _survey(network: nn.Module, size: Size | None, *, widen: bool) -> Finding:
    with undisturbed(placement(network)[0]), private_copy(network, widen=widen) as (copy, is_private):
        traced = trace(copy, size, private=is_private)
        verified = _verify(traced, copy)
        runs = [run for run in traced.runs if run.path in verified and _is_confirmed(run, verified[run.path], traced)]
        whole = [run for run in runs if run.input is not None and run.input[0] == IMAGES]
        covered = {Frame(run.path, run.number) for run in runs}
        weights = placement(copy)
        watched, passed = select(traced, covered, lambda run: living_channels(run.module, run.input, weights))
        passed += [Passed(path, PARTS) for path in dict.fromkeys(run.path for run in runs if run not in whole)]
        gates = _gates(traced, verified, whole, watched)
        modules = dict(copy.named_modules())
        small = overlooked(traced, watched, modules)
        # NaN equals nothing, so no gate can be verified where numbers are not finite.
        verified_runs = sum(run.path in verified for run in traced.runs)
        doubtful = not gates or len(runs) < verified_runs or what_is_in([traced.output])
        broken = origin(copy, noise(*traced.images[1:]).to(*weights)) if doubtful else None
    notes = partly_found(gates, passed, small, traced)
    if broken is not None and broken.maps:
        what_to_do = advice(network)
        if not gates:
            raise NotFinite(f"No gate of {type(network).__name__} can be found: {broken.where}. {what_to_do}")
        notes = (f"Gates may be missing: {broken.where}, and no gate can be found after that. {what_to_do}", *notes)
    if not gates:
        raise NoGateFound(none_found(network, traced, passed))
    return Finding(gates, notes, tuple(passed))


def _is_confirmed(run: ModuleRun, properties: VerifiedGate, traced: Trace) -> bool:
    """Return whether a module did the same in the network as when it ran alone; True if that cannot be seen.

    A module that runs alone has the default values of its arguments, and the hooks and flags of the code around it do
    not act on it.
    """
    pixels = run.input is None or (run.input[2:] if properties.layout == "nchw" else run.input[1:3]).numel()
    if not properties.seen or run.thread or pixels == 1:
        return True
    frame = Frame(run.path, run.number)
    s, z = (_tapped(run, tap, properties.channels, traced) for tap in (properties.s_tap, properties.z_tap))
    for event in traced.events:
        returned = run.gives is None or run.gives.origin.call is event.call
        if frame in event.call.frames and returned and (s is None or _alike(event.product.factor, s)):
            seen = event.excitation.z
            return properties.z_tap is None or z is None or (seen is not None and _alike(seen.data, z))
    return False


def _tapped(run: ModuleRun, tap: TapPoint | None, channels: int, traced: Trace) -> Tensor | None:
    """Return the value at a tap in a run of a gate, (N, C); None if it is not known."""
    if tap is None:
        return None
    part, frame = run.module.get_submodule(tap.path), Frame(run.path, run.number)
    inner = next((one for one in traced.runs if one.module is part and frame in one.frames), None)
    value = None if inner is None else inner.takes if tap.side == "input" else inner.gives
    data = None if value is None else value.data
    return None if data is None or len(data) != IMAGES else tap.finish(data, IMAGES, channels)


def _alike(one: Tensor | None, other: Tensor) -> bool:
    return one is not None and one.numel() == other.numel() and close(one.reshape(other.shape).to(other), other)


def _gates(
    traced: Trace, verified: _Verified, runs: Sequence[ModuleRun], watched: Sequence[Watched]
) -> tuple[Gate, ...]:
    """Return the gates in execution order, both those that are modules and those that are multiplications."""
    shared = _shared_parts(traced, verified, runs)
    entries: list[tuple[int, Site, dict[str, object]]] = []
    for run in runs:
        properties = verified[run.path]
        site = Site(_called_at(run), run.input, properties.layout, run.path)
        fields: dict[str, object] = {
            "path": run.path,
            "kind": type(run.module).__name__,
            "channels": properties.channels,
            "bottleneck": properties.bottleneck,
            "squeeze": properties.squeeze or NOT_SEEN,
            "gate_function": properties.gate_function,
            "found_by": "class" if kind_of(run.module) else "search",
            "layout": properties.layout,
            "run": run.number,
            "z_tap": properties.z_tap,
            "s_tap": properties.s_tap,
            "called_at": site.path,
            "scoped": run.path in shared,
            "threaded": run.thread,
        }
        entries.append((run.began, site, fields))
    for item, (z_call, product_tap) in zip(watched, call_taps(traced, watched), strict=True):
        product, excitation = item.event.product, item.event.excitation
        path = item.run.path
        place = _called_at(item.run) if item.whole else f"{_called_at(item.run)}.s".lstrip(".")
        site = Site(place, product.shape, product.layout, f"{path} {product_tap.call.ordinal}")
        fields = {
            "path": path,
            "kind": type(item.run.module).__name__,
            "channels": product.channels,
            "bottleneck": excitation.bottleneck,
            "squeeze": excitation.squeeze or NOT_SEEN,
            "gate_function": excitation.gate_function,
            "found_by": "watch",
            "layout": product.layout,
            "run": item.run.number,
            "parameters": excitation.parameters,
            "z_call": z_call,
            "product": product_tap,
            "called_at": place,
        }
        entries.append((item.event.call.index, site, fields))
    entries.sort(key=lambda entry: entry[0])
    named = locate_gates(traced, [site for _, site, _ in entries])
    return tuple(
        Gate(name=place.name, stage=place.stage, block=place.block, **fields)  # type: ignore[arg-type]
        for place, (_, _, fields) in zip(named, entries, strict=True)
    )


def _called_at(run: ModuleRun) -> str:
    """Return the path of a run; for a module that several blocks share, the path it would have in the calling block."""
    caller = run.frames[-1].path if run.frames else ""
    if not run.number or run.path.startswith(f"{caller}.") or not caller:
        return run.path
    return f"{caller}.{run.path.rpartition('.')[2]}"


def _shared_parts(traced: Trace, verified: _Verified, runs: Sequence[ModuleRun]) -> set[str]:
    """Return the paths of gates whose parts also run for others, so that a value is theirs only while they run."""
    first: dict[nn.Module, ModuleRun] = {}
    for run in traced.runs:
        first.setdefault(run.module, run)
    users: dict[nn.Module, set[str]] = {}
    scoped = {run.path for run in runs if run.number}
    for run in runs:
        properties = verified[run.path]
        for tap in filter(None, (properties.z_tap, properties.s_tap)):
            part = run.module.get_submodule(tap.path)
            users.setdefault(part, set()).add(run.path)
            began = first.get(part)
            if began is None or not any(frame.path == run.path for frame in (*began.frames, Frame(began.path, 0))):
                scoped.add(run.path)
    return scoped.union(*(paths for paths in users.values() if len(paths) > 1))


def _verify(traced: Trace, network: nn.Module) -> _Verified:
    """Verify all candidate modules, and return the properties of those that are gates, by path."""
    weights = placement(network)
    # The deepest modules first, so that a gate is found before the wrapper around it.
    candidates = sorted(filter(_may_be_gate, traced.steps), key=lambda step: -step.path.count("."))
    watched = {frame.path for event in traced.events for frame in event.call.frames[-1:]}
    verified: _Verified = {}
    found: set[type[nn.Module]] = set()
    # A second time for classes that passed elsewhere: there an s that no image changes belongs to a dead gate.
    for again in (False, True):
        for step in candidates:
            if step.input is None or step.path in verified or _holds_one_of(step.path, verified):
                continue
            if again and type(step.module) not in found:
                continue
            kind = kind_of(step.module)
            properties = verify_gate(step.module, step.input, weights, kind, dead=again or kind is not None)
            if properties is not None and not (properties.hidden and step.path in watched):
                verified[step.path] = properties
        found = {type(step.module) for step in traced.steps if step.path in verified} - {nn.Sequential}
    return verified


def _may_be_gate(step: ModuleRun) -> bool:
    """Return whether a module is of a known class, or has parts and weights and keeps the shape of its maps."""
    if step.input is None or len(step.input) != 4:
        return False
    if kind_of(step.module) is not None:
        return True
    return (
        step.output == step.input
        and next(step.module.children(), None) is not None
        and next(step.module.parameters(), None) is not None
    )


def _holds_one_of(path: str, verified: _Verified) -> bool:
    return any(inner.startswith(f"{path}." if path else "") for inner in verified)
