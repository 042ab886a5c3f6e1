"""The file of a frozen network: its weights as safetensors, with a text (JSON) that says what it is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from se_viz.disk.atomic import replacing, write_bytes
from se_viz.weights.errors import UnknownModel
from se_viz.zoo import libraries, registry

About: TypeAlias = dict[str, Any]

_FORMAT = "se-viz frozen network"
_VERSION = 1


class FrozenRefused(ValueError):
    """A file that is not that of a frozen network, or does not fit the network; the message says why and what to do."""


def write(path: Path, network: nn.Module, about: About) -> None:
    """Write both files, each at once or not at all.

    Args:
        path: the safetensors file.
        network: the frozen network.
        about: its description, in types that JSON has; the format and its version are added.

    Raises:
        ValueError: the name of the file does not end in .safetensors.
        WriteFailed: the system refused it; the sentence says why.
    """
    if path.suffix != ".safetensors":
        raise ValueError(f"A frozen network is written as safetensors: name the file {path.stem}.safetensors.")
    about = {"format": _FORMAT, "version": _VERSION, **about}
    # Copies, as the format refuses tensors that share memory; each is then read into its own place.
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in network.state_dict().items()}
    with replacing(path) as unfinished:
        unfinished.touch()  # its error has a number, which that of safetensors has not
        try:
            save_file(tensors, unfinished, {"about": json.dumps(about, ensure_ascii=False)})
        except SafetensorError as error:
            raise OSError(str(error)) from error
    write_bytes(path.with_suffix(".json"), json.dumps(about, ensure_ascii=False, indent=1).encode())


def read(path: Path) -> tuple[About, dict[str, Tensor]]:
    """Return what ``write`` wrote.

    Raises:
        FrozenRefused: there is no such file, or it is not that of a frozen network.
    """
    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get("about", "null"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - it has no iterator
    except FileNotFoundError as error:
        raise FrozenRefused(f"There is no file {path}.") from error
    except (OSError, SafetensorError, ValueError) as error:
        raise FrozenRefused(f"{path} cannot be read as safetensors: {error}.") from error
    if not isinstance(about, dict) or about.get("format") != _FORMAT:
        raise FrozenRefused(f"{path} is not a frozen network: name a file that `se-viz freeze` or `save` wrote.")
    if about["version"] != _VERSION:
        raise FrozenRefused(f"{path} was written by another version of SE Viz (format {about['version']}).")
    return about, tensors


def without_weights(about: Mapping[str, Any], path: Path) -> nn.Module:
    """Return the architecture of a frozen network by the name of its model, with all gates.

    Raises:
        FrozenRefused: no architecture is known by this name.
    """
    name = about["model"]
    try:
        if not registry.pretrained(name):
            return registry.build(name).module
        source, architecture, _ = libraries.find(name)
        arguments = {"num_classes": len(about["classes"])} if about["classes"] else {}
        return source.create(architecture, **arguments)
    except UnknownModel as error:
        raise FrozenRefused(
            f"{path} is of {name or 'a network without a name'}, whose architecture is not known here: give "
            "network=…, one of the same architecture."
        ) from error


@contextmanager
def refusing(path: Path, about: Mapping[str, Any]) -> Iterator[None]:
    """Raise ``FrozenRefused`` for errors inside the block, which mean that the file does not fit the network."""
    try:
        yield
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise FrozenRefused(
            f"{path} is of {about['model'] or 'a network without a name'} and does not fit this network: {error}"
        ) from error
