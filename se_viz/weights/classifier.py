"""The classifier of a file that differs from the architecture's: another layer, several layers, or no classifier."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from se_viz.weights.extra_entries import split
from se_viz.weights.key_matching import Matched
from se_viz.weights.matching import computed, some
from se_viz.weights.meta_model import count_classes

# Usual names of a classifier, as one part of the name of a tensor.
_CALLED = re.compile(
    r"(\w+_)?(head\w*|fc\w*|cls\w*|classif\w*|linear\w*|logits?|last\w*|out|output\w*|mlp\w*|dense\w*|predict\w*)", re.I
)

# Layers of a classifier that take features (N, D): a container of only these may be replaced.
_OF_A_HEAD = (nn.Linear, nn.Dropout, nn.Identity, nn.ReLU, nn.Hardswish, nn.SiLU, nn.GELU, nn.BatchNorm1d)


class NoClassifier(nn.Module):
    """A substitute for an unknown classifier: it returns the features (N, D) as maps (N, D, 1, 1).

    In that shape they cannot be mistaken for logits (N, K).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x with two axes of length 1 appended, unless it has them."""
        return x[..., None, None] if x.ndim == 2 else x


@dataclass(frozen=True, slots=True)
class Classifier:
    """The tensors of a file as those of an architecture, with the file's classifier.

    Attributes:
        weights: the tensors by the names of the network.
        logits: number of logits; None if the file has no classifier that can be rebuilt.
        place, module: path of a module of the architecture, and its replacement; "" and None if nothing is replaced.
        used: names of the other tensors of the file that belong to its classifier.
        notes: sentences on what was done.
    """

    weights: dict[str, Tensor]
    logits: int | None
    place: str = ""
    module: nn.Module | None = None
    used: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def fitted(matched: Matched, network: nn.Module, axes: Mapping[str, int]) -> Classifier:
    """Return the classifier of a file, fitted to an architecture.

    A single linear layer is used under any name: layers without weights around it are assumed to be dropout. Several
    layers are left out, because a file does not say what is between them. If the rest of the network does not fit
    either, nothing is changed.

    Args:
        matched: the tensors of the file.
        network: the architecture, which may be on the meta device.
        axes: its tensors that grow with the number of classes, see ``meta_model.head_axes``.
    """
    shapes = network.state_dict()
    weights = matched.weights
    logits = count_classes(weights, axes)
    unchanged = Classifier(weights, logits)
    wrong = [name for name, tensor in shapes.items() if not computed(name) and _differs(name, tensor, weights, axes)]
    root = _module_of(axes)
    if not root or not wrong:
        return unchanged
    if wrong == [f"{root}.bias"] and wrong[0] not in weights and logits is not None:
        return _without_bias(weights, logits, wrong[0])
    place = _place(wrong, root, network)
    if not place:
        return unchanged
    body = {name: tensor for name, tensor in weights.items() if not name.startswith(f"{place}.")}
    layers = _layers(_region(matched, place, body))
    if any(not _well_formed(layer) for layer in layers.values()):
        return unchanged
    inside = (tensor for name, tensor in shapes.items() if name.startswith(f"{place}.") and tensor.ndim > 1)
    features = next((tensor.shape[1] for tensor in inside if tensor.numel() == tensor.shape[0] * tensor.shape[1]), -1)
    fitting = [stem for stem, layer in layers.items() if _is_linear(layer, features)]
    if len(layers) == 1 and fitting:
        stem = fitting[0]
        return _rebuilt(body, stem, layers[stem], shapes, place, root)
    used = frozenset(f"{stem}.{last}" for stem, layer in layers.items() for last in layer)
    if not layers:
        note = "The file has no classifier: gates can be read, but there are no predictions"
    else:
        note = (
            f"The file's classifier ({some(layers, 3)}) is not the architecture's, and a file does not say what is "
            f"between its layers: it was left out, so gates can be read, but there are no predictions"
        )
    return Classifier(body, None, place, NoClassifier(), used, (note,))


def without(network: nn.Module, axes: Mapping[str, int]) -> tuple[str, nn.Module | None]:
    """Return the path of the missing classifier of a network that was made without one, and its substitute."""
    root = _module_of(axes)
    try:
        empty = bool(root) and not list(network.get_submodule(root).parameters())
    except AttributeError:
        empty = False
    return (root, NoClassifier()) if empty else ("", None)


def asked_away(matched: Matched, axes: Mapping[str, int]) -> list[str]:
    """Return the tensors of a file's classifier that an architecture made without one (num_classes=0) does not need."""
    tops = sorted({name.rpartition(".")[0] for name in axes})
    return sorted({name for top in tops for name in _region(matched, top, matched.weights) if name in matched.strange})


def _differs(name: str, tensor: Tensor, weights: Mapping[str, Tensor], axes: Mapping[str, int]) -> bool:
    """Return whether the file lacks a tensor or has it in another shape, apart from the number of classes."""
    if name not in weights:
        return True
    there, here = list(weights[name].shape), list(tensor.shape)
    if name in axes and len(there) == len(here):
        there[axes[name]] = here[axes[name]]
    return there != here


def _module_of(axes: Mapping[str, int]) -> str:
    """Return the path of the single module that contains all tensors of the classifier, or ""."""
    modules = {name.rpartition(".")[0] for name in axes}
    return modules.pop() if len(modules) == 1 else ""


def _place(wrong: Iterable[str], root: str, network: nn.Module) -> str:
    """Return the smallest replaceable module around the classifier that contains all wrong tensors, or ""."""
    if all(name.startswith(f"{root}.") for name in wrong):
        return root
    parent = root.rpartition(".")[0]
    if not parent or not all(name.startswith(f"{parent}.") for name in wrong):
        return ""
    container = network.get_submodule(parent)
    simple = isinstance(container, nn.Sequential) and all(isinstance(layer, _OF_A_HEAD) for layer in container)
    return parent if simple else ""


def _region(matched: Matched, place: str, body: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the file's classifier: those at its path, else unmatched ones that may be a classifier."""
    own = {name: tensor for name, tensor in matched.weights.items() if name.startswith(f"{place}.")}
    own |= {name: tensor for name, tensor in matched.strange.items() if name.startswith(f"{place}.")}
    own = _weights_of(own)
    if own:
        return own
    # An unknown layer inside a module of the network's body belongs to another architecture, not to a classifier.
    tops = {name.partition(".")[0] for name in body}
    loose = {name: tensor for name, tensor in matched.strange.items() if name.partition(".")[0] not in tops}
    loose = _weights_of(loose | matched.outside)
    called = {name: tensor for name, tensor in loose.items() if _named(name)}
    return called or {
        f"{stem}.{last}": tensor
        for stem, layer in _layers(loose).items()
        if _is_linear(layer, None)
        for last, tensor in layer.items()
    }


def _weights_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensors[name] for name in split(tensors)[0]}


def _named(name: str) -> bool:
    return any(_CALLED.fullmatch(part) for part in name.split(".")[:-1])


def _layers(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    """Return the tensors by layer: {"fc.1": {"weight": …, "bias": …}}."""
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        stem, _, last = name.rpartition(".")
        layers.setdefault(stem, {})[last] = tensor
    return layers


def _well_formed(layer: Mapping[str, Tensor]) -> bool:
    """Return whether the bias of a layer has as many elements as its weight has rows."""
    weight, bias = layer.get("weight"), layer.get("bias")
    return weight is None or bias is None or (weight.ndim > 0 and bias.shape == weight.shape[:1])


def _is_linear(layer: Mapping[str, Tensor], features: int | None) -> bool:
    """Return whether a layer is linear with this number of features, or an equivalent 1 × 1 convolution."""
    weight = layer.get("weight")
    if weight is None or layer.keys() - {"weight", "bias"} or not weight.is_floating_point():
        return False
    plain = weight.ndim == 2 or (weight.ndim == 4 and weight.shape[2:] == (1, 1))
    return plain and weight.layout == torch.strided and features in (None, weight.shape[1])


def _without_bias(weights: dict[str, Tensor], logits: int, bias: str) -> Classifier:
    note = f"The file's classifier has no bias: {bias} is 0"
    return Classifier({**weights, bias: torch.zeros(1).expand(logits)}, logits, notes=(note,))


def _rebuilt(
    body: dict[str, Tensor],
    stem: str,
    layer: Mapping[str, Tensor],
    shapes: Mapping[str, Tensor],
    place: str,
    root: str,
) -> Classifier:
    """Return a classifier of one linear layer: the architecture's with new weights, or a replacement."""
    weight, bias = layer["weight"], layer.get("bias")
    logits, features = weight.shape[:2]
    used = frozenset(f"{stem}.{last}" for last in layer)
    said = f"The classifier is the file's linear layer {some([stem])}{'' if bias is not None else ' without bias'}"
    if stem.rpartition(".")[2].strip("0").isdigit():
        said += ", and the layers without weights before it are assumed to be dropout"
    own = shapes[f"{root}.weight"]
    if place == root and (bias is None or f"{root}.bias" in shapes):
        weights = {**body, f"{root}.weight": weight.reshape(logits, features, *own.shape[2:])}
        if f"{root}.bias" in shapes:
            weights[f"{root}.bias"] = torch.zeros(1).expand(logits) if bias is None else bias
        return Classifier(weights, logits, "", None, used, (said,))
    # On the meta device, because a file may ask for any number of classes; the weights come from the file.
    there = bias is not None
    if place == root and own.ndim == 4:
        module: nn.Module = nn.Conv2d(features, logits, 1, bias=there, device="meta")
        weight = weight.reshape(logits, features, 1, 1)
    else:
        module = nn.Linear(features, logits, there, device="meta")
        weight = weight.reshape(logits, features)
    weights = {**body, f"{place}.weight": weight} | ({f"{place}.bias": bias} if bias is not None else {})
    return Classifier(weights, logits, place, module, used, (said,))
