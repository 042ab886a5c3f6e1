"""A network of one's own: an architecture and a file of weights."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from se_viz.data.preprocess import Preprocess
from se_viz.zoo import sources
from se_viz.zoo.catalogue import Network
from se_viz.zoo.errors import WeightsRefused
from se_viz.zoo.fit import fitted
from se_viz.zoo.state import read_state

# For an architecture that does not say how its pictures are prepared.
_USUAL = Preprocess(crop=(224, 224), resize=256)

_SIDES = range(16, 1025)


def read_network(
    source: Path | bytes,
    architecture: str | Callable[..., nn.Module],
    *,
    arguments: Mapping[str, object] | None = None,
    classes: Sequence[str] = (),
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    size: int | None = None,
    name: str = "",
) -> Network:
    """Build an architecture and give it the weights of a file, on the CPU and in eval mode.

    No name of an architecture makes anything be imported, so that one may come from a page. Arguments may make a
    network of any depth, so that a page should let through none but the number of classes.

    Args:
        source: a safetensors file or a state dict saved by torch, or its content.
        architecture: of timm or torchvision ("timm/seresnet50"), or a function that returns the network.
        arguments: keyword arguments of the architecture, for instance {"num_classes": 10}.
        classes: names of the logits; where ``arguments`` does not say how many there are, these do.
        mean, std: per RGB channel, of values in 0–1; those of the architecture's default weights if not given.
        size: side of the network's input, pixels, 16 to 1024; likewise. The picture is resized in proportion.
        name: of the file, for messages.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file is refused, see ``state.read_state``; or it does not fit the network, and the message
            lists what is missing, unexpected or of another shape; or the architecture does not take the arguments.
        ValueError: a number is out of its range.
    """
    state = read_state(source, name)
    label = name or (source.name if isinstance(source, Path) else "The file")
    given = dict(arguments or {})
    preprocess = _USUAL
    if callable(architecture):
        called = getattr(architecture, "__qualname__", "the given function")
        network = _made(architecture, given, called)
        weights = fitted(state, network.state_dict(), label)
    else:
        called = architecture
        given = ({"num_classes": len(classes)} if classes else {}) | given
        library, plain, preprocess = _looked_up(architecture, given)
        weights = fitted(state, _sketched(library, plain, given, called), label)
        network = _made(lambda **own: library.blank(plain, **own), given, called)
    try:
        network.load_state_dict(weights, strict=False)  # It lacks at most counters of batches, see ``fitted``.
    except RuntimeError as error:
        # Tensors of the right shape may still be of a kind that cannot be copied: quantised, sparse.
        raise WeightsRefused(f"{label} does not fit the network. {' '.join(str(error).split())}") from error
    prepared = _adapted(preprocess, mean, std, size)
    return Network(network.eval(), prepared, tuple(classes), f"{called} with the weights of {label}")


def _looked_up(architecture: str, arguments: Mapping[str, object]) -> tuple[sources.Source, str, Preprocess]:
    library, plain, tag = sources.find(architecture)
    refused = sorted(library.FORBIDDEN & arguments.keys())
    if refused:
        raise WeightsRefused(f"{', '.join(refused)} is no argument here, as the weights are those of your file.")
    return library, plain, library.preprocess(plain, tag)


def _sketched(
    library: sources.Source, architecture: str, arguments: Mapping[str, object], called: str
) -> dict[str, Tensor]:
    """Names and shapes without numbers, so that an architecture of any size costs nothing before its file fits."""

    def make(**own: object) -> nn.Module:
        return library.blank(architecture, **own)

    try:
        with torch.device("meta"):
            return _made(make, arguments, called).state_dict()
    except WeightsRefused:
        # Some builders compute with tensors (torchvision's RegNet), which that device has no numbers for.
        return _made(make, arguments, called).state_dict()


def _made(make: Callable[..., nn.Module], arguments: Mapping[str, object], called: str) -> nn.Module:
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
