"""The classifiers of torchvision."""

from pathlib import Path
from typing import Any, cast

import torch
import torchvision
from torch import nn
from torchvision.models import get_model, get_model_builder, get_model_weights, list_models

from se_viz.data.preprocess import Interpolation, Preprocess
from se_viz.weights.remote_files import ReleaseFile, Weights
from se_viz.weights.weight_facts import Facts

# The 1000 names of ImageNet, in the order of its classes in both libraries.
IMAGENET: tuple[str, ...] = tuple(torchvision.models.ResNet18_Weights.IMAGENET1K_V1.meta["categories"])

# Arguments of the builders that would start a download.
FORBIDDEN = frozenset({"weights", "weights_backbone", "progress", "pretrained"})


def architectures() -> dict[str, tuple[str, ...]]:
    """Return every classifier with the tags of its pretrained weights, the default first."""
    return {name: _tags(name) for name in list_models(module=torchvision.models)}


def family(architecture: str) -> str:
    """Return the name of the module of torchvision that contains an architecture."""
    return cast("str", get_model_builder(architecture).__module__.rpartition(".")[2])


def create(architecture: str, **arguments: Any) -> nn.Module:  # noqa: ANN401 - arguments of torchvision
    """Return an architecture with random weights, in eval mode."""
    return cast("nn.Module", get_model(architecture, weights=None, **arguments).eval())


def load_pretrained(architecture: str, tag: str, path: Path) -> nn.Module:
    """Return an architecture with pretrained weights from a file, in eval mode; only tensors are unpickled."""
    state = torch.load(path, map_location="cpu", weights_only=True)
    network = create(architecture, num_classes=len(_entry(architecture, tag).meta["categories"]))
    network.load_state_dict(state)
    return network


def weights(architecture: str, tag: str) -> Weights:
    """Return the file of pretrained weights."""
    return ReleaseFile(_entry(architecture, tag).url)


def preprocess(architecture: str, tag: str = "") -> Preprocess:
    """Return the preprocessing of the ``transforms()`` of the weights."""
    stated = _entry(architecture, tag).transforms()
    height, width = (*stated.crop_size, *stated.crop_size)[:2]
    return Preprocess(
        crop=(height, width),
        resize=stated.resize_size[0],
        interpolation=cast("Interpolation", stated.interpolation.value),
        mean=tuple(stated.mean),
        std=tuple(stated.std),
    )


def classes(architecture: str, tag: str) -> tuple[str, ...]:
    """Return the names of the classes in the order of the logits."""
    return tuple(_entry(architecture, tag).meta["categories"])


def facts(architecture: str, tag: str) -> Facts:
    """Return what torchvision states on pretrained weights."""
    meta = _entry(architecture, tag).meta
    top1 = meta["_metrics"].get("ImageNet-1K", {}).get("acc@1")
    return Facts(
        licence=meta.get("license", ""),
        classes=len(meta["categories"]),
        top1=top1 / 100 if top1 else None,
        size=round(meta["_file_size"] * 2**20),
    )


def _tags(architecture: str) -> tuple[str, ...]:
    entries = get_model_weights(architecture)
    return tuple(dict.fromkeys([entries.DEFAULT.name, *(entry.name for entry in entries)]))


def _entry(architecture: str, tag: str) -> Any:  # noqa: ANN401 - torchvision has no types
    entries = get_model_weights(architecture)
    return entries[tag] if tag else entries.DEFAULT
