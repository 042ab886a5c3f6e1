"""A network of one's own: an architecture and a file of weights."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from se_viz.data.preprocess import Preprocess
from se_viz.sandbox import ShouldCancel
from se_viz.weights.errors import Misfit, WeightsRefused
from se_viz.weights.extra_entries import left_out, split
from se_viz.weights.finite_outputs import check_sound
from se_viz.weights.head import Head
from se_viz.weights.key_matching import match
from se_viz.weights.matching import check_fit, replaceable
from se_viz.weights.meta_model import LARGEST
from se_viz.weights.parametrized import multiplied_out
from se_viz.weights.state_dict import CheckpointFile, read_state, warm
from se_viz.zoo import libraries as sources
from se_viz.zoo.checkpoint_plan import Maker, made, plan, sketch_of
from se_viz.zoo.registry import Network
from se_viz.zoo.suggest_architecture import advised

# For an architecture that does not say how its images are prepared.
_USUAL = Preprocess(crop=(224, 224), resize=256)

_SIDES = range(16, 1025)


def read_network(
    source: CheckpointFile,
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
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
) -> Network:
    """Build an architecture and give it the weights of a file, on the CPU and in eval mode.

    A named architecture is built only once its shapes are those of the file, and its size is counted before that: what
    is not used costs nothing. The number of classes is the file's own, and so is a classifier of one linear layer; a
    file with another classifier, or without one, gives a network without logits, which ``about`` says. No name makes
    anything be imported, so that name, file and names of classes may come from a page; arguments from a page go through
    ``arguments.from_stranger`` first, and how deep a network they make is bounded here.

    Args:
        source: a safetensors file or a state dict saved by torch, its content, or such a file that is open.
        architecture: of timm or torchvision ("timm/seresnet50"), or a function that returns the network.
        arguments: keyword arguments of the architecture, for instance {"num_classes": 4}.
        classes: names of the logits; of a named architecture as many as the file has, see ``head.fit``.
        head: what the logits mean, if that is known.
        mean, std: per RGB channel, of values in 0–1; those of the architecture's default weights if not given.
        size: side of the network's input, pixels, 16 to 1024; likewise. The image is resized in proportion.
        name: of the file, for messages.
        largest: how many weights and biases a named architecture may have; the file may have 4 bytes for each. At its
            height the memory in use is what that is three times: the file, its tensors and the network.
        trusted: read the file in this process, without limits of time and memory, see ``state.read_state``.
        cancelled: asked while a child process reads the file; True ends it.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file is refused, see ``state.read_state``, or makes the network return NaN, see
            ``sound.check_sound``; or the architecture is too large, or does not take the arguments; or there are not
            as many names of classes as logits. A ``Misfit``, where the file does not fit the network: the message
            lists what is missing, unexpected or of another shape, and of named architectures it says which one fits.
        Cancelled: ``cancelled`` returned True.
        ValueError: a number is out of its range.
    """
    if not trusted:
        warm()  # while the architecture is looked up
    given = dict(arguments or {})
    preprocess = _USUAL
    label = name or str(getattr(source, "name", "")).rpartition("/")[2] or "The file"
    read = partial(read_state, largest=4 * largest, name=label, trusted=trusted, cancelled=cancelled)
    if callable(architecture):
        called = str(getattr(architecture, "__qualname__", "the given function"))
        network = made(architecture, given, called)
        weights, notes = _for_a_given(network, read(source), called, label)
    else:
        called = architecture
        preprocess = _preprocess(architecture, given)
        sketch = sketch_of(architecture, largest)
        sketch.network(given)  # Too large, or arguments that it does not take: told before a file is read.
        state = read(source)
        try:
            planned = plan(state, sketch, given, classes, label, head)
        except Misfit as error:
            raise advised(error, state, largest) from error
        network = sketch.build(planned.arguments)
        if planned.module is not None:
            network.set_submodule(planned.place, planned.module.to_empty(device="cpu"))
        weights, notes = planned.weights, list(planned.notes)
        classes = classes if planned.logits is not None or planned.module is None else ()
        if head is None and ((planned.logits is None and planned.module is not None) or given.get("num_classes") == 0):
            head = Head("features")  # without its classifier
    prepared = _adapted(preprocess, mean, std, size)
    own = network.state_dict()
    weights = {key: value for key, value in weights.items() if not replaceable(key, value, own[key])}
    network.load_state_dict(weights, strict=False)  # It lacks at most counters and tables, see ``fit.difference``.
    check_sound(network.eval(), prepared.crop, label)
    about = ". ".join((f"{called} with the weights of {label}", *notes))
    return Network(network, prepared, tuple(classes), about, head)


def _for_a_given(
    network: nn.Module, state: Mapping[str, Tensor], called: str, label: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of a file for a network that is there, and sentences on what was done with them."""
    own = network.state_dict()
    state, notes = multiplied_out(state, own)
    matched = match(state, own)
    strange, known = split(matched.strange)
    check_fit(matched.weights | {name: matched.strange[name] for name in strange}, own, label, called)
    return matched.weights, [*notes, *matched.notes, *left_out(known, matched.outside)]


def _preprocess(architecture: str, arguments: Mapping[str, object]) -> Preprocess:
    """Return how images are prepared for an architecture; raise WeightsRefused for arguments that it cannot have."""
    library, plain, tag = sources.find(architecture)
    refused = sorted(library.FORBIDDEN & arguments.keys())
    if refused:
        raise WeightsRefused(f"The argument {', '.join(refused)} is not allowed: weights come from your file.")
    return library.preprocess(plain, tag)


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
