"""The libraries that networks are taken from, each with the same few functions."""

from pathlib import Path
from typing import Any, Protocol

from torch import nn

from se_viz.data.preprocess import Preprocess
from se_viz.weights.errors import UnknownModel
from se_viz.weights.remote_files import Weights
from se_viz.weights.weight_facts import Facts
from se_viz.zoo import timm_source as from_timm
from se_viz.zoo import torchvision_source as from_torchvision


class ModelSource(Protocol):
    """A library of architectures and of pretrained weights, which carry tags."""

    FORBIDDEN: frozenset[str]

    def architectures(self) -> dict[str, tuple[str, ...]]:
        """Every architecture with the tags of its pretrained classifiers, the default first."""

    def family(self, architecture: str) -> str:
        """The library's module that holds an architecture."""

    def create(self, architecture: str, **arguments: Any) -> nn.Module:  # noqa: ANN401 - they are the library's
        """An architecture with random weights, in eval mode."""

    def load_pretrained(self, architecture: str, tag: str, path: Path) -> nn.Module:
        """An architecture with pretrained weights from a file, in eval mode."""

    def weights(self, architecture: str, tag: str) -> Weights:
        """Where pretrained weights lie."""

    def preprocess(self, architecture: str, tag: str = "") -> Preprocess:
        """How images are prepared for these weights; without a tag, for the default ones."""

    def classes(self, architecture: str, tag: str) -> tuple[str, ...]:
        """Names of the classes in the order of the logits, where they are known."""

    def facts(self, architecture: str, tag: str) -> Facts:
        """What the library says of pretrained weights."""


SOURCES: dict[str, ModelSource] = {"timm": from_timm, "torchvision": from_torchvision}


def find(name: str) -> tuple[ModelSource, str, str]:
    """``split``, of an architecture (and a tag, if there is one) that the library really has.

    Raises:
        UnknownModel: it has not.
    """
    source, architecture, tag = split(name)
    known = source.architectures()
    if architecture not in known or (tag and tag not in known[architecture]):
        raise _unknown(name)
    return source, architecture, tag


def split(name: str) -> tuple[ModelSource, str, str]:
    """Source, architecture and tag (or "") of a name such as "timm/seresnet50.ra2_in1k".

    Raises:
        UnknownModel: the part before the slash is no library's, or there is nothing behind it.
    """
    library, _, rest = name.partition("/")
    architecture, _, tag = rest.partition(".")
    if library not in SOURCES or not architecture:
        raise _unknown(name)
    return SOURCES[library], architecture, tag


def architectures() -> dict[str, tuple[str, ...]]:
    """Every architecture of every library, with the tags of its pretrained weights."""
    return {
        f"{library}/{architecture}": tags
        for library, source in SOURCES.items()
        for architecture, tags in source.architectures().items()
    }


def _unknown(name: str) -> UnknownModel:
    return UnknownModel(f"No architecture {name[:100]!r}: write timm/NAME or torchvision/NAME, as in timm/seresnet50.")
