"""The plan by which the tensors of a file become the weights of a named architecture, made before it is built."""

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
from se_viz.zoo import libraries

Maker: TypeAlias = Callable[..., nn.Module]

# Maximum number of elements in buffers: tables of positions and masks grow with the square of a window. No
# architecture of the libraries has more than 26 M.
_BUFFERS = 60_000_000

# Message of Python for an argument that a function does not have.
_UNTAKEN = re.compile(r"unexpected keyword argument '(\w+)'")


@dataclass(frozen=True, slots=True)
class Plan:
    """The network to build, and its weights.

    Attributes:
        arguments: arguments of the architecture.
        weights: tensors by the names of the network; at most counters and tables are missing.
        place, module: path of a module and its replacement, see ``classifier.Classifier``.
        logits: number of logits; None for a network without a classifier.
        notes: sentences on which tensors were used, left out or added.
    """

    arguments: dict[str, object]
    weights: dict[str, Tensor]
    place: str
    module: nn.Module | None
    logits: int | None
    notes: tuple[str, ...]


class Sketch:
    """An architecture as shapes without numbers, on torch's meta device.

    Args:
        make: function that returns the network for keyword arguments.
        called: name of the architecture, for messages.
        largest: maximum number of weights and biases.
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
            WeightsRefused: the architecture does not take the arguments, or is too large.
        """
        with self._bounds(arguments):
            network = sketched(lambda: made(self.make, arguments, self.called), self._needs_numbers(arguments))
        self.check_size(network)
        if arguments and count_buffers(network) > _BUFFERS:
            raise WeightsRefused(f"{self.called} has tables too large for these arguments.")
        return network

    def check_size(self, network: nn.Module) -> None:
        """Raise WeightsRefused if a network has too many parameters."""
        count = count_params(network)
        if count > self.largest:
            raise WeightsRefused(
                f"{self.called} has {count / 1e6:,.0f} M parameters; {self.largest / 1e6:,.0f} M is the limit here."
            )

    def create(self) -> nn.Module:
        """Return the network without arguments on the meta device, the same each time; raises as ``network`` does."""
        if self._blank is None:
            self._blank = self.network({})
        return self._blank

    def build(self, arguments: Mapping[str, object]) -> nn.Module:
        """Return the network with random weights; ``network`` must have accepted the arguments before."""
        with self._bounds(arguments):
            return made(self.make, arguments, self.called)

    def shapes(self, arguments: Mapping[str, object]) -> dict[str, Tensor]:
        """Return the state dict of the network, without numbers; raises as ``network`` does."""
        return self.network(arguments).state_dict()

    def _bounds(self, arguments: Mapping[str, object]) -> AbstractContextManager[None]:
        """Return the context that limits the building of a network with arguments."""
        return bounded(self.called) if arguments.keys() - {"num_classes"} else nullcontext()

    def _needs_numbers(self, arguments: Mapping[str, object]) -> bool:
        """Return whether small tensors may have numbers: only if the architecture cannot be built without any.

        Otherwise arguments could be chosen that fail on the meta device and then allocate memory.
        """
        if self._numbers is None and not arguments.keys() <= {"num_classes"}:
            try:
                sketched(lambda: made(self.make, {}, self.called), numbers=False)
                self._numbers = False
            except WeightsRefused:
                self._numbers = True
        return self._numbers is not False


def sketch_of(architecture: str, largest: int) -> Sketch:
    """Return the sketch of an architecture of timm or torchvision; raise UnknownModel for another name."""
    library, plain, _ = libraries.find(architecture)
    return Sketch(lambda **arguments: library.create(plain, **arguments), architecture, largest)


def plan(
    state: Mapping[str, Tensor],
    sketch: Sketch,
    arguments: dict[str, object],
    names: Sequence[str],
    label: str,
    head: Head | None = None,
) -> Plan:
    """Return the plan of an architecture with the tensors of a file.

    Args:
        state: tensors of the file.
        sketch: the architecture.
        arguments: arguments of the architecture.
        names: names of the classes; empty if they are not known.
        label: name of the file, for messages.
        head: meaning of the outputs, if known.

    Raises:
        WeightsRefused: the architecture is too large or does not take the arguments, or ``num_classes`` is not that of
            the file; it is a Misfit if the tensors are not those of the architecture.
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
        sketch.check_size(network)  # A file of a few bytes may state a large module.
    if logits is not None:
        fit(head, logits, names)  # Raises before the network is built, and after its size is checked.
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
    """Return the arguments with the number of classes of the file or, if that is unknown, of the names.

    Raises WeightsRefused if ``num_classes`` is another number.
    """
    asked = arguments.get("num_classes")
    if found.module is not None and found.logits is None:
        if asked:
            raise WeightsRefused(f"{label} has no classifier of {asked} classes: leave num_classes out.")
        return arguments
    logits = found.logits
    if logits is None:
        # Its tensors disagree, which is reported later; or the architecture has no classifier.
        return {"num_classes": expected_outputs(head, names)} | arguments if names and axes else arguments
    if asked not in (None, logits):
        raise WeightsRefused(
            f"{label} has {logits:,} logits, not {asked}: leave num_classes out; the file determines it."
        )
    return arguments if found.module is not None else {**arguments, "num_classes": logits}


def made(make: Maker, arguments: Mapping[str, object], called: str) -> nn.Module:
    """Return the network that ``make`` builds; raise WeightsRefused if it fails or returns something else."""
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
        raise WeightsRefused(f"{called} returns {type(network).__name__}, not a torch.nn.Module.")
    return network
