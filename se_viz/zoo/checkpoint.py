"""A network of one's own: an architecture and a file of weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from torch import Tensor, nn

from se_viz.data.preprocess import Preprocess
from se_viz.zoo import sources
from se_viz.zoo.catalogue import Network
from se_viz.zoo.errors import WeightsRefused
from se_viz.zoo.fit import check_fit, difference, renamed
from se_viz.zoo.head import Head, expected_outputs, fit
from se_viz.zoo.sketch import LARGEST, count_classes, count_params, head_axes, sketched
from se_viz.zoo.state import Source, read_state

Maker: TypeAlias = Callable[..., nn.Module]

# For an architecture that does not say how its pictures are prepared.
_USUAL = Preprocess(crop=(224, 224), resize=256)

_SIDES = range(16, 1025)


def read_network(
    source: Source,
    architecture: str | Maker,
    *,
    arguments: Mapping[str, object] | None = None,
    classes: Sequence[str] = (),
    head: Head | None = None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    size: int | None = None,
    name: str = "",
    largest: int = LARGEST,
) -> Network:
    """Build an architecture and give it the weights of a file, on the CPU and in eval mode.

    A named architecture is built only once its shapes are those of the file, and its size is counted before that: what
    is not used costs nothing. The number of classes is the file's own. No name makes anything be imported, so that
    name, file and names of classes may come from a page; arguments may not, as they may make a network of any depth.

    Args:
        source: a safetensors file or a state dict saved by torch, its content, or such a file that is open.
        architecture: of timm or torchvision ("timm/seresnet50"), or a function that returns the network.
        arguments: keyword arguments of the architecture, for instance {"num_classes": 4}.
        classes: names of the logits; of a named architecture as many as the file has, see ``head.fit``.
        head: what the logits mean, if that is known.
        mean, std: per RGB channel, of values in 0–1; those of the architecture's default weights if not given.
        size: side of the network's input, pixels, 16 to 1024; likewise. The picture is resized in proportion.
        name: of the file, for messages.
        largest: how many weights and biases a named architecture may have; the file may have 4 bytes for each. At its
            height the memory in use is what that is three times: the file, its tensors and the network.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file is refused, see ``state.read_state``; or it does not fit the network, and the message
            lists what is missing, unexpected or of another shape; or the architecture is too large, or does not take
            the arguments; or there are not as many names of classes as logits.
        ValueError: a number is out of its range.
    """
    given = dict(arguments or {})
    preprocess = _USUAL
    label = name or str(getattr(source, "name", "")).rpartition("/")[2] or "The file"
    if callable(architecture):
        called = str(getattr(architecture, "__qualname__", "the given function"))
        network = _made(architecture, given, called)
        weights = renamed(read_state(source, 4 * largest, label), network.state_dict())
        check_fit(weights, network.state_dict(), label)
    else:
        called = architecture
        library, plain, preprocess = _looked_up(architecture, given)
        sketch = _Sketch(lambda **own: library.blank(plain, **own), called, largest)
        shapes = sketch.shapes(given)  # Too large, or arguments that it does not take: told before a file is read.
        weights = renamed(read_state(source, 4 * largest, label), shapes)
        given = _with_classes(given, weights, sketch, label, classes, head)
        check_fit(weights, sketch.shapes(given), label)
        network = _made(sketch.make, given, called)
    prepared = _adapted(preprocess, mean, std, size)
    network.load_state_dict(weights, strict=False)  # It lacks at most counters of batches, see ``fit.difference``.
    if head is None and given.get("num_classes") == 0:  # without its classifier, in timm and torchvision
        head = Head("features")
    return Network(network.eval(), prepared, tuple(classes), f"{called} with the weights of {label}", head)


class _Sketch:
    """An architecture of which only the shapes are looked at."""

    def __init__(self, make: Maker, called: str, largest: int) -> None:
        self.make = make
        self.called = called
        self.largest = largest

    def shapes(self, arguments: Mapping[str, object]) -> dict[str, Tensor]:
        """Its state dict, without numbers."""
        network = sketched(lambda: _made(self.make, arguments, self.called))
        count = count_params(network)
        if count > self.largest:
            raise WeightsRefused(
                f"{self.called} has {count / 1e6:,.0f} M parameters; {self.largest / 1e6:,.0f} M is the limit here."
            )
        return network.state_dict()


def _looked_up(architecture: str, arguments: Mapping[str, object]) -> tuple[sources.Source, str, Preprocess]:
    library, plain, tag = sources.find(architecture)
    refused = sorted(library.FORBIDDEN & arguments.keys())
    if refused:
        raise WeightsRefused(f"{', '.join(refused)} is no argument here, as the weights are those of your file.")
    return library, plain, library.preprocess(plain, tag)


def _with_classes(
    arguments: dict[str, object],
    weights: Mapping[str, Tensor],
    sketch: _Sketch,
    label: str,
    names: Sequence[str],
    head: Head | None,
) -> dict[str, object]:
    """The arguments with the number of classes that the file says; where it says none, the names'.

    Raises WeightsRefused where another is asked for.
    """
    axes = head_axes(lambda count: sketch.shapes({**arguments, "num_classes": count}))
    logits = count_classes(weights, axes)
    if logits is None:
        missing = difference(weights, sketch.shapes(arguments)).missing
        if axes and set(missing) == axes.keys():
            raise WeightsRefused(
                f"{label} has no classifier ({', '.join(missing)}): save the whole network, or give num_classes=0 as "
                f"an argument of the architecture to look into the rest."
            )
        return {"num_classes": expected_outputs(head, len(names))} | arguments if names else arguments
    if arguments.get("num_classes", logits) != logits:
        raise WeightsRefused(
            f"{label} has {logits:,} logits, not {arguments['num_classes']}: leave num_classes out, the file says it."
        )
    fit(head, logits, names)  # Told before the network is built.
    return {**arguments, "num_classes": logits}


def _made(make: Maker, arguments: Mapping[str, object], called: str) -> nn.Module:
    try:
        network = make(**arguments)
    except Exception as error:
        stated = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        why = " ".join(str(error).split())
        raise WeightsRefused(f"{called} cannot be built with ({stated}): {type(error).__name__}: {why}.") from error
    if not isinstance(network, nn.Module):
        raise WeightsRefused(f"{called} returns {type(network).__name__} and no torch.nn.Module.")
    return network


def _adapted(
    own: Preprocess,
    mean: tuple[float, float, float] | None,
    std: tuple[float, float, float] | None,
    size: int | None,
) -> Preprocess:
    if size is not None and size not in _SIDES:
        raise ValueError(f"size must be {_SIDES[0]} to {_SIDES[-1]} pixels, not {size}.")
    if std is not None and not all(value > 0 for value in std):
        raise ValueError(f"std must be three numbers above 0, not {std}.")
    changed = own if size is None else replace(own, crop=(size, size), resize=_in_proportion(own, size))
    return replace(changed, mean=mean or own.mean, std=std or own.std)


def _in_proportion(own: Preprocess, size: int) -> int | tuple[int, int]:
    if isinstance(own.resize, int):
        return round(own.resize * size / min(own.crop))
    height, width = own.resize
    return round(height * size / own.crop[0]), round(width * size / own.crop[1])
