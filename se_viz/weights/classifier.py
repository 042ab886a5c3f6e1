"""The classifier of a file, where it is not the architecture's own: another layer, several layers, or none."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from se_viz.weights.extra_entries import split
from se_viz.weights.key_matching import Matched
from se_viz.weights.matching import computed, some
from se_viz.weights.meta_model import count_classes

# A part of a name under which people put a classifier.
_CALLED = re.compile(
    r"(\w+_)?(head\w*|fc\w*|cls\w*|classif\w*|linear\w*|logits?|last\w*|out|output\w*|mlp\w*|dense\w*|predict\w*)", re.I
)

# Layers of a classifier that take features (N, D): a container of nothing but these may be replaced by another.
_OF_A_HEAD = (nn.Linear, nn.Dropout, nn.Identity, nn.ReLU, nn.Hardswish, nn.SiLU, nn.GELU, nn.BatchNorm1d)


class NoClassifier(nn.Module):
    """Stand in for a classifier that is not known: return the features (N, D) as maps (N, D, 1, 1).

    So nothing takes them for logits (N, K).
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return x with two axes of length 1 behind the others, unless it has them."""
        return x[..., None, None] if x.ndim == 2 else x


@dataclass(frozen=True, slots=True)
class Classifier:
    """How a file's tensors become those of an architecture.

    Attributes:
        weights: by the network's names.
        logits: how many; None where the file has no classifier that can be rebuilt.
        place, module: a module of the architecture, by its path, and what to put in its place; "" and None for nothing.
        used: names of the file's other tensors that belong to its classifier.
        notes: sentences on what was done.
    """

    weights: dict[str, Tensor]
    logits: int | None
    place: str = ""
    module: nn.Module | None = None
    used: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def fitted(matched: Matched, network: nn.Module, axes: Mapping[str, int]) -> Classifier:
    """Return the classifier that a file has for an architecture.

    One linear layer is taken, whatever its name: layers without weights around it are dropout. Of several layers
    nothing in a file says what is between them, so they are left out. Where the rest of the network does not fit
    either, everything stays as it is.

    Args:
        matched: the file's tensors.
        network: the architecture, which may lie on the meta device.
        axes: its tensors that grow with the number of classes, see ``sketch.head_axes``.
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
        note = "The file has no classifier: gates can be read, predictions cannot"
    else:
        note = (
            f"The file's classifier ({some(layers, 3)}) is not the architecture's, and a file does not say what stands "
            f"between its layers: it was left out, so gates can be read, predictions cannot"
        )
    return Classifier(body, None, place, NoClassifier(), used, (note,))


def without(network: nn.Module, axes: Mapping[str, int]) -> tuple[str, nn.Module | None]:
    """Return the place of the classifier in a network that was made without one, and what to put there."""
    root = _module_of(axes)
    try:
        empty = bool(root) and not list(network.get_submodule(root).parameters())
    except AttributeError:
        empty = False
    return (root, NoClassifier()) if empty else ("", None)


def asked_away(matched: Matched, axes: Mapping[str, int]) -> list[str]:
    """Return the names of a file's classifier, for an architecture that was made without one, as num_classes=0 does."""
    tops = sorted({name.rpartition(".")[0] for name in axes})
    return sorted({name for top in tops for name in _region(matched, top, matched.weights) if name in matched.strange})


def _differs(name: str, tensor: Tensor, weights: Mapping[str, Tensor], axes: Mapping[str, int]) -> bool:
    """Return whether the file lacks a tensor or has it in another shape, whatever the number of classes."""
    if name not in weights:
        return True
    there, here = list(weights[name].shape), list(tensor.shape)
    if name in axes and len(there) == len(here):
        there[axes[name]] = here[axes[name]]
    return there != here


def _module_of(axes: Mapping[str, int]) -> str:
    """Return the path of the one module that holds all tensors of the classifier, or ""."""
    modules = {name.rpartition(".")[0] for name in axes}
    return modules.pop() if len(modules) == 1 else ""


def _place(wrong: Iterable[str], root: str, network: nn.Module) -> str:
    """Return the smallest module around the classifier that holds all that is wrong and may be replaced, or ""."""
    if all(name.startswith(f"{root}.") for name in wrong):
        return root
    parent = root.rpartition(".")[0]
    if not parent or not all(name.startswith(f"{parent}.") for name in wrong):
        return ""
    held = network.get_submodule(parent)
    simple = isinstance(held, nn.Sequential) and all(isinstance(layer, _OF_A_HEAD) for layer in held)
    return parent if simple else ""


def _region(matched: Matched, place: str, body: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of the file's classifier: those at its place, or else those that are left and may be one."""
    own = {name: tensor for name, tensor in matched.weights.items() if name.startswith(f"{place}.")}
    own |= {name: tensor for name, tensor in matched.strange.items() if name.startswith(f"{place}.")}
    own = _weights_of(own)
    if own:
        return own
    # Inside a module of the network's body, a layer that it lacks belongs to another architecture.
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
    """Return whether a layer's bias goes with its weight."""
    weight, bias = layer.get("weight"), layer.get("bias")
    return weight is None or bias is None or (weight.ndim > 0 and bias.shape == weight.shape[:1])


def _is_linear(layer: Mapping[str, Tensor], features: int | None) -> bool:
    """Return whether a layer is linear, of so many features, or a convolution of 1×1, which is the same."""
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
    """Return the classifier of one linear layer, in the architecture's own or in its place."""
    weight, bias = layer["weight"], layer.get("bias")
    logits, features = weight.shape[:2]
    used = frozenset(f"{stem}.{last}" for last in layer)
    said = f"The classifier is the file's linear layer {some([stem])}{'' if bias is not None else ' without bias'}"
    if stem.rpartition(".")[2].strip("0").isdigit():
        said += ", and what stands before it, without weights, is taken for dropout"
    own = shapes[f"{root}.weight"]
    if place == root and (bias is None or f"{root}.bias" in shapes):
        weights = {**body, f"{root}.weight": weight.reshape(logits, features, *own.shape[2:])}
        if f"{root}.bias" in shapes:
            weights[f"{root}.bias"] = torch.zeros(1).expand(logits) if bias is None else bias
        return Classifier(weights, logits, "", None, used, (said,))
    # On the meta device, as a file may ask for any number of classes; its weights come from the file.
    there = bias is not None
    if place == root and own.ndim == 4:
        module: nn.Module = nn.Conv2d(features, logits, 1, bias=there, device="meta")
        weight = weight.reshape(logits, features, 1, 1)
    else:
        module = nn.Linear(features, logits, there, device="meta")
        weight = weight.reshape(logits, features)
    weights = {**body, f"{place}.weight": weight} | ({f"{place}.bias": bias} if bias is not None else {})
    return Classifier(weights, logits, place, module, used, (said,))
