"""Gates that are not modules: which multiplications of a pass they are, and how to find them in another pass."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import nn

from se_viz.gates.channel_products import name_of
from se_viz.gates.findings import Event
from se_viz.gates.gate import CallTap, ProductTap
from se_viz.gates.trace import ModuleRun, Trace
from se_viz.gates.values import Call, Frame
from se_viz.types import Function


@dataclass(frozen=True, slots=True, eq=False)
class Watched:
    """A multiplication that is a gate, and the run of the module whose code makes it.

    ``whole`` is True if this module does nothing else: it takes U and returns X̃.
    """

    event: Event
    run: ModuleRun
    whole: bool


@dataclass(frozen=True, slots=True)
class Passed:
    """A multiplication by one factor per channel that is not a gate or cannot be read, with the reason."""

    path: str
    reason: str


NORMALISATION = "its factor is computed from the maps without weights or a gate function: a normalisation"
RESIZED = "its factor has one weight for each channel and pixel; these are equal only at this size"
PARTS = "it runs on parts of an image or of the batch, so that no single s belongs to an image"
SCALES = "its code multiplies maps by one factor per channel"
UNSEEN = f"{SCALES} where calls of torch functions are not seen, as in a script or a custom operator"
KERNELS = "its convolution has a separate kernel for each image, which is not a factor per channel"


def select(
    trace: Trace, covered: Collection[Frame], alone: Callable[[ModuleRun], Collection[int]]
) -> tuple[list[Watched], list[Passed]]:
    """Return the multiplications of a pass that are gates, and those that are not, with reasons.

    Args:
        trace: the pass.
        covered: runs of modules that are gates themselves; multiplications inside them belong to these gates.
        alone: function that runs a module on stronger maps than those of the pass, and returns the numbers of channels
            of its factors that differ between images.
    """
    runs = {Frame(run.path, run.number): run for run in trace.runs}
    candidates = [event for event in trace.events if not any(frame in covered for frame in event.call.frames)]
    asked: dict[str, Collection[int]] = {}

    def lives(event: Event) -> bool:
        if event.product.varies():
            return True
        run = runs[_frame(event.call)]
        if run.path not in asked:
            asked[run.path] = alone(run)
        return event.product.channels in asked[run.path]

    living = [event for event in candidates if event.product.whole and lives(event)]
    # An s that no image changes belongs to a dead gate if another gate of the same kind is alive.
    kinds = {_kind(event, runs) for event in living}
    found: list[Watched] = []
    passed: list[Passed] = []
    for event in candidates:
        frame = _frame(event.call)
        if not event.product.whole:
            if event.excitation.learned:
                passed.append(Passed(frame.path, PARTS))
        elif event not in living and _kind(event, runs) not in kinds:
            continue
        elif event.product.large and not event.excitation.repeated:
            passed.append(Passed(frame.path, RESIZED))
        elif not event.excitation.learned:
            passed.append(Passed(frame.path, NORMALISATION))
        else:
            found.append(Watched(event, runs[frame], _is_whole(event, runs[frame])))
    others = list(trace.others)
    others += [
        (frames, f"{SCALES} in a way that is not read ({name})" if name else UNSEEN) for frames, name in trace.unread
    ]
    unread = {frames for frames, _ in trace.unread}
    others += [(call.frames, KERNELS) for call in trace.kernels if call.frames not in unread]
    shown = {*covered, *(Frame(item.run.path, item.run.number) for item in found if item.whole)}
    passed += [
        Passed(frames[-1].path if frames else "", why) for frames, why in others if not shown.intersection(frames)
    ]
    return found, list(dict.fromkeys(passed))


def call_taps(trace: Trace, watched: Sequence[Watched]) -> list[tuple[CallTap | None, ProductTap]]:
    """Return the calls at which z and the product of each gate are found in another pass.

    A call is identified by the run of the module that makes it, and by its number among the calls of the same function
    in this run. Only runs of modules that make such calls are counted, so that few hooks are needed: calls of other
    modules inside them count as theirs.
    """
    owners = {_frame(item.event.call).path for item in watched}
    owners |= {_frame(call).path for item in watched if (call := _z_call(item.event)) is not None}
    wanted = {call.function for item in watched for call in (item.event.call, _z_call(item.event)) if call is not None}
    places: dict[int, tuple[Frame, Function, int]] = {}
    counts: dict[tuple[Frame, Function], int] = {}
    for call in trace.calls:
        if call.function not in wanted:
            continue
        owner = next((frame for frame in reversed(call.frames) if frame.path in owners), Frame("", 0))
        number = counts.get((owner, call.function), 0)
        counts[owner, call.function] = number + 1
        places[call.index] = owner, call.function, number
    taps = {
        index: CallTap(*owner, function, number, counts[owner, function])
        for index, (owner, function, number) in places.items()
    }
    return [(_z_tap(item.event, taps), _product_tap(item.event, taps)) for item in watched]


def overlooked(trace: Trace, watched: Iterable[Watched], modules: Mapping[str, nn.Module]) -> list[ModuleRun]:
    """Return the runs of blocks in which no gate was found because the maps have one pixel.

    Only blocks of classes that contain gates elsewhere in the network count.
    """
    holding = {Frame(item.run.path, item.run.number) for item in watched}
    kinds = {type(item.run.module) for item in watched if item.run.path} - {nn.Sequential}
    small = [
        run for run in trace.runs if run.output is not None and run.output[2:].numel() == 1 == (len(run.output) == 4)
    ]
    return [
        run for run in small if type(run.module) in kinds and Frame(run.path, run.number) not in holding
        and run.path in modules
    ]  # fmt: skip


def _kind(event: Event, runs: Mapping[Frame, ModuleRun]) -> tuple[object, ...]:
    run = runs[_frame(event.call)]
    kind = type(run.module)
    return (run.path if kind is nn.Sequential else kind), name_of(event.call.function)


def _frame(call: Call) -> Frame:
    return call.frames[-1] if call.frames else Frame("", 0)


def _is_whole(event: Event, run: ModuleRun) -> bool:
    """Return whether a run takes U and returns X̃."""
    takes, gives = run.takes, run.gives
    made = gives.origin.call if gives is not None else None
    return takes is not None and takes.origin is event.u.origin and made is event.call


def _z_call(event: Event) -> Call | None:
    z = event.excitation.z
    return z.call if z is not None else None


def _z_tap(event: Event, taps: Mapping[int, CallTap]) -> CallTap | None:
    z, call = event.excitation.z, _z_call(event)
    if z is None or call is None:
        return None
    return replace(taps[call.index], item=z.item)


def _product_tap(event: Event, taps: Mapping[int, CallTap]) -> ProductTap:
    product = event.product
    return ProductTap(taps[event.call.index], product.u, product.s, divides=product.divides, item=product.item)
