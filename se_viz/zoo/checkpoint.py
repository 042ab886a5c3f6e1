"""A user's network: an architecture and a file of weights."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from se_viz.data.preprocess import Preprocess
from se_viz.types import ShouldCancel
from se_viz.weights.errors import Misfit, WeightsRefused
from se_viz.weights.extra_entries import left_out, split
from se_viz.weights.finite_outputs import check_sound
from se_viz.weights.head import Head
from se_viz.weights.key_matching import match
from se_viz.weights.matching import check_fit, replaceable
from se_viz.weights.meta_model import LARGEST
from se_viz.weights.parametrized import multiplied_out
from se_viz.weights.state_dict import CheckpointFile, read_state, warm
from se_viz.zoo import libraries
from se_viz.zoo.checkpoint_plan import Maker, made, plan, sketch_of
from se_viz.zoo.registry import Network
from se_viz.zoo.suggest_architecture import advised

# For an architecture that does not state its preprocessing.
_USUAL = Preprocess(crop=(224, 224), resize=256)

# As Hugging Face names the files of a checkpoint that is too large for one.
_PART = re.compile(r"-(?P<part>\d{5})-of-(?P<of>\d{5})(?!\d)")
_SIDES = range(16, 1025)
_RGB = 3
_TOP = 255


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

    A named architecture is built only after its shapes match those of the file and its size is checked, so a mismatch
    costs almost nothing. The number of classes is that of the file, and so is a classifier of one linear layer; a file
    with another classifier, or without one, gives a network without logits, as ``about`` states. A name never causes an
    import, so name, file and names of classes may come from the page; arguments from the page must be parsed by
    ``architecture_arguments.from_stranger``, and the depth of the network that they make is limited here.

    Args:
        source: a safetensors file or a state dict saved by torch, as a path, its content or an open file.
        architecture: name in timm or torchvision ("timm/seresnet50"), or a function that returns the network.
        arguments: keyword arguments of the architecture, for instance {"num_classes": 4}.
        classes: names of the logits; for a named architecture one for each logit of the file, see ``head.fit``.
        head: meaning of the logits, if known.
        mean, std: per RGB channel, of values in 0–1; default: those of the architecture's default weights.
        size: side of the input of the network, pixels, 16 to 1024; same default. Images are resized in proportion.
        name: name of the file, for messages.
        largest: maximum number of weights and biases of a named architecture; the file may have 4 bytes for each. The
            peak of memory in use is three times that: the file, its tensors and the network.
        trusted: read the file in this process, without limits of time and memory, see ``state_dict.read_state``.
        cancelled: called while a child process reads the file; True ends it.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file is refused, see ``state_dict.read_state``, or makes the network return NaN, see
            ``finite_outputs.check_sound``; or the architecture is too large, or does not take the arguments; or the
            number of names of classes is not that of the logits. If the file does not fit the network, it is a
            ``Misfit``, whose message lists missing and unexpected tensors and those of another shape, and for named
            architectures says which one fits.
        Cancelled: ``cancelled`` returned True.
        ValueError: a number is out of its range.
    """
    if not trusted:
        warm()  # while the architecture is searched
    given = dict(arguments or {})
    preprocess = _USUAL
    label = name or str(getattr(source, "name", "")).rpartition("/")[2] or "The file"
    if (part := _PART.search(label)) and int(part["of"]) > 1:
        raise WeightsRefused(
            f"{label} is part {int(part['part'])} of a checkpoint in {int(part['of'])} files: load all of them "
            "(safetensors.torch.load_file or torch.load for each), and save them as one."
        )
    read = partial(read_state, largest=4 * largest, name=label, trusted=trusted, cancelled=cancelled)
    if callable(architecture):
        called = str(getattr(architecture, "__qualname__", "the given function"))
        network = made(architecture, given, called)
        weights, notes = _for_a_given(network, read(source), called, label)
    else:
        called = architecture
        preprocess = _preprocess(architecture, given)
        sketch = sketch_of(architecture, largest)
        sketch.network(given)  # Raises for a large architecture or wrong arguments before the file is read.
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
    network.load_state_dict(weights, strict=False)  # at most counters and tables are missing, see ``check_fit``
    check_sound(network.eval(), prepared.crop, label)
    about = ". ".join((f"{called} with the weights of {label}", *notes))
    return Network(network, prepared, tuple(classes), about, head)


def _for_a_given(
    network: nn.Module, state: Mapping[str, Tensor], called: str, label: str
) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of a file for an existing network, and sentences on how they were matched."""
    own = network.state_dict()
    state, notes = multiplied_out(state, own)
    matched = match(state, own)
    strange, known = split(matched.strange)
    check_fit(matched.weights | {name: matched.strange[name] for name in strange}, own, label, called)
    return matched.weights, [*notes, *matched.notes, *left_out(known, matched.outside)]


def _preprocess(architecture: str, arguments: Mapping[str, object]) -> Preprocess:
    """Return the preprocessing of an architecture; raise WeightsRefused for arguments that are not allowed."""
    library, plain, tag = libraries.find(architecture)
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
    for called, values, span in (("mean", mean, "from 0 to 1"), ("std", std, "above 0 and at most 1")):
        if values is None or (len(values) == _RGB and all(0 <= one <= 1 and (one or values is mean) for one in values)):
            continue
        hint = ", as values of images are in 0–1: divide them by 255" if any(1 < one <= _TOP for one in values) else ""
        raise ValueError(f"{called} must be three numbers {span}, not {tuple(values)}{hint}.")
    changed = own if size is None else replace(own, crop=(size, size), resize=_in_proportion(own, size))
    return replace(changed, mean=mean or own.mean, std=std or own.std)


def _in_proportion(own: Preprocess, size: int) -> int | tuple[int, int]:
    if isinstance(own.resize, int):
        return round(own.resize * size / min(own.crop))
    height, width = own.resize
    return round(height * size / own.crop[0]), round(width * size / own.crop[1])
