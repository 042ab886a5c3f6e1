"""The libraries of networks, each with the same functions."""

from pathlib import Path
from typing import Any, Protocol

from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.weights.errors import UnknownModel
from se_viz.weights.remote_files import Weights
from se_viz.weights.weight_facts import Facts
from se_viz.zoo import timm_source
from se_viz.zoo import torchvision_source as from_torchvision


class ModelSource(Protocol):
    """A library of architectures and pretrained weights, which are named by tags."""

    FORBIDDEN: frozenset[str]

    def architectures(self) -> dict[str, tuple[str, ...]]:
        """Return every architecture with the tags of its pretrained classifiers, the default first."""

    def family(self, architecture: str) -> str:
        """Return the name of the module of the library that contains an architecture."""

    def create(self, architecture: str, **arguments: Any) -> nn.Module:  # noqa: ANN401 - arguments of the library
        """Return an architecture with random weights, in eval mode."""

    def load_pretrained(self, architecture: str, tag: str, path: Path) -> nn.Module:
        """Return an architecture with pretrained weights from a file, in eval mode."""

    def weights(self, architecture: str, tag: str) -> Weights:
        """Return the file of pretrained weights."""

    def preprocess(self, architecture: str, tag: str = "") -> Preprocess:
        """Return the preprocessing of these weights; without a tag, of the default ones."""

    def classes(self, architecture: str, tag: str) -> tuple[str, ...]:
        """Return the names of the classes in the order of the logits; empty if unknown."""

    def facts(self, architecture: str, tag: str) -> Facts:
        """Return what the library states on pretrained weights."""


SOURCES: dict[str, ModelSource] = {"timm": timm_source, "torchvision": from_torchvision}


def find(name: str) -> tuple[ModelSource, str, str]:
    """Return the same as ``split``, after checking that the library has the architecture and the tag.

    Raises:
        UnknownModel: the library does not have them.
    """
    source, architecture, tag = split(name)
    known = source.architectures()
    if architecture not in known or (tag and tag not in known[architecture]):
        raise _unknown(name)
    return source, architecture, tag


def split(name: str) -> tuple[ModelSource, str, str]:
    """Return library, architecture and tag (or "") of a name such as "timm/seresnet50.ra2_in1k".

    Raises:
        UnknownModel: the part before the slash is not the name of a library, or there is nothing after it.
    """
    library, _, rest = name.partition("/")
    architecture, _, tag = rest.partition(".")
    if library not in SOURCES or not architecture:
        raise _unknown(name)
    return SOURCES[library], architecture, tag


def architectures() -> dict[str, tuple[str, ...]]:
    """Return every architecture of every library, with the tags of its pretrained weights."""
    return {
        f"{library}/{architecture}": tags
        for library, source in SOURCES.items()
        for architecture, tags in source.architectures().items()
    }


def _unknown(name: str) -> UnknownModel:
    return UnknownModel(f"No architecture {name[:100]!r}: write timm/NAME or torchvision/NAME, as in timm/seresnet50.")
