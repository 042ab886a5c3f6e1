"""How the tensors of a file become the weights of a named architecture, found out before anything is built."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeAlias

from torch import Tensor, nn

from se_viz.weights.classifier import Classifier, asked_away, fitted, without
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.extra_entries import left_out, split
from se_viz.weights.head import Head, expected_outputs, fit
from se_viz.weights.key_matching import match
from se_viz.weights.matching import check_fit, some
from se_viz.weights.meta_model import bounded, count_buffers, count_params, head_axes, sketched
from se_viz.weights.parametrized import multiplied_out
from se_viz.zoo import libraries as sources

Maker: TypeAlias = Callable[..., nn.Module]

# Numbers in buffers: tables of positions and masks, which grow with the square of a window. No architecture of the
# libraries has more than 26 M.
_BUFFERS = 60_000_000

# What Python says of an argument that a function does not have.
_UNTAKEN = re.compile(r"unexpected keyword argument '(\w+)'")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build, and what to fill it with.

    Attributes:
        arguments: of the architecture.
        weights: by the network's names; at most counters and tables lack.
        place, module: what to put in a module's place, see ``classifier.Classifier``.
        logits: how many the network has; None for one without a classifier.
        notes: sentences on what was taken, left out or filled in.
    """

    arguments: dict[str, object]
    weights: dict[str, Tensor]
    place: str
    module: nn.Module | None
    logits: int | None
    notes: tuple[str, ...]


class Sketch:
    """An architecture of which only the shapes are looked at.

    Args:
        make: returns the network for keyword arguments.
        called: its name, for messages.
        largest: how many weights and biases it may have.
    """

    def __init__(self, make: Maker, called: str, largest: int) -> None:
        self.make = make
        self.called = called
        self.largest = largest
        self._numbers: bool | None = None
        self._blank: nn.Module | None = None

    def network(self, arguments: Mapping[str, object]) -> nn.Module:
        """Return the network on the meta device.

        Raises:
            WeightsRefused: it does not take the arguments, or is too large.
        """
        with self._bounds(arguments):
            network = sketched(lambda: made(self.make, arguments, self.called), self._needs_numbers(arguments))
        self.check_size(network)
        if arguments and count_buffers(network) > _BUFFERS:
            raise WeightsRefused(f"{self.called} has tables too large for these arguments.")
        return network

    def check_size(self, network: nn.Module) -> None:
        """Raise WeightsRefused where a network has too many parameters."""
        count = count_params(network)
        if count > self.largest:
            raise WeightsRefused(
                f"{self.called} has {count / 1e6:,.0f} M parameters; {self.largest / 1e6:,.0f} M is the limit here."
            )

    def create(self) -> nn.Module:
        """Return the network of no arguments on the meta device, each time the same; raises as ``network`` does."""
        if self._blank is None:
            self._blank = self.network({})
        return self._blank

    def build(self, arguments: Mapping[str, object]) -> nn.Module:
        """Return the network with random weights, of arguments of which ``network`` has been made."""
        with self._bounds(arguments):
            return made(self.make, arguments, self.called)

    def shapes(self, arguments: Mapping[str, object]) -> dict[str, Tensor]:
        """Return its state dict, without numbers; raises as ``network`` does."""
        return self.network(arguments).state_dict()

    def _bounds(self, arguments: Mapping[str, object]) -> AbstractContextManager[None]:
        """Return what ends the building of a network whose arguments make it endless."""
        return bounded(self.called) if arguments.keys() - {"num_classes"} else nullcontext()

    def _needs_numbers(self, arguments: Mapping[str, object]) -> bool:
        """Return whether small tensors may have numbers: only where the architecture cannot be made without any.

        Else arguments could be chosen that fail on the meta device and then take memory.
        """
        if self._numbers is None and not arguments.keys() <= {"num_classes"}:
            try:
                sketched(lambda: made(self.make, {}, self.called), numbers=False)
                self._numbers = False
            except WeightsRefused:
                self._numbers = True
        return self._numbers is not False


def sketch_of(architecture: str, largest: int) -> Sketch:
    """Return the sketch of an architecture of timm or torchvision; raises UnknownModel where there is none."""
    library, plain, _ = sources.find(architecture)
    return Sketch(lambda **own: library.create(plain, **own), architecture, largest)


def plan(
    state: Mapping[str, Tensor],
    sketch: Sketch,
    arguments: dict[str, object],
    names: Sequence[str],
    label: str,
    head: Head | None = None,
) -> Plan:
    """Return what to build of an architecture for a file's tensors.

    Args:
        state: the file's tensors.
        sketch: the architecture.
        arguments: of the architecture.
        names: of the classes; none where they are not known.
        label: the file's name, for messages.
        head: what the outputs mean, if that is known.

    Raises:
        WeightsRefused: the architecture is too large or does not take the arguments, or the number of classes asked
            for is not the file's; Misfit, which is one, where the tensors are not the architecture's.
    """
    blank = sketch.network(arguments) if arguments else sketch.create()
    own = blank.state_dict()
    state, notes = multiplied_out(state, own)
    matched = match(state, own)
    axes = head_axes(lambda count: sketch.shapes({**arguments, "num_classes": count}))
    found = fitted(matched, blank, axes)
    place, module, logits = found.place, found.module, found.logits
    if logits is None and module is None:
        place, module = without(blank, axes)
    arguments = _with_classes(arguments, found, axes, len(names), label, head)
    network = sketch.network(arguments)
    if module is not None:
        network.set_submodule(place, module)
        sketch.check_size(network)  # The file says how large the module is, in no bytes if it likes.
    if logits is not None:
        fit(head, logits, names)  # Told before the network is built, and of one that is not too large.
    away = asked_away(matched, axes) if arguments.get("num_classes") == 0 and module is not None else []
    strange, known = split(name for name in matched.strange if name not in found.used and name not in away)
    outside = [name for name in matched.outside if name not in found.used]
    check_fit(
        found.weights | {name: matched.strange[name] for name in strange}, network.state_dict(), label, sketch.called
    )
    if away:
        notes.append(f"The file's classifier ({some(away, 3)}) was left out, as num_classes is 0")
    notes += [*matched.notes, *found.notes, *left_out(known, outside)]
    if module is not None and logits is None and names:
        notes.append(f"The {len(names):,} names of classes are not used")
    return Plan(arguments, found.weights, place, module, logits, tuple(notes))


def _with_classes(
    arguments: dict[str, object],
    found: Classifier,
    axes: Mapping[str, int],
    names: int,
    label: str,
    head: Head | None,
) -> dict[str, object]:
    """Return the arguments with the number of classes that the file says; where it says none, the names'.

    Raises WeightsRefused where another is asked for.
    """
    asked = arguments.get("num_classes")
    if found.module is not None and found.logits is None:
        if asked:
            raise WeightsRefused(f"{label} has no classifier of {asked} classes: leave num_classes out.")
        return arguments
    logits = found.logits
    if logits is None:
        # Its tensors contradict each other, and are told; or the architecture has no classifier.
        return {"num_classes": expected_outputs(head, names)} | arguments if names and axes else arguments
    if asked not in (None, logits):
        raise WeightsRefused(f"{label} has {logits:,} logits, not {asked}: leave num_classes out, the file says it.")
    return arguments if found.module is not None else {**arguments, "num_classes": logits}


def made(make: Maker, arguments: Mapping[str, object], called: str) -> nn.Module:
    """Return the network that ``make`` makes; raise WeightsRefused where it cannot, or makes something else."""
    try:
        network = make(**arguments)
    except WeightsRefused:
        raise
    except Exception as error:
        stated = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        why = " ".join(str(error).split())
        untaken = _UNTAKEN.search(why) if isinstance(error, TypeError) else None
        if untaken and untaken[1] in arguments:
            raise WeightsRefused(f"{called} takes no argument {untaken[1]}.") from error
        raise WeightsRefused(f"{called} cannot be built with ({stated}): {type(error).__name__}: {why}.") from error
    if not isinstance(network, nn.Module):
        raise WeightsRefused(f"{called} returns {type(network).__name__} and no torch.nn.Module.")
    return network
