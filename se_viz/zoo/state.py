"""Reading the tensors out of a checkpoint that anybody may have made, without running what may be in it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from se_viz.zoo.errors import WeightsRefused
from se_viz.zoo.pickles import brief, unpickled

Source: TypeAlias = Path | bytes | BinaryIO

# Dicts in dicts, and characters of a tensor's name: what goes further is no checkpoint.
_DEEPEST = 6
_LONGEST = 500


def read_state(source: Source, largest: int, name: str = "") -> dict[str, Tensor]:
    """The tensors of a safetensors file or of a pickle of torch, on the CPU, by their names.

    A tensor in a dict of dicts has a name of several: ``state_dict.fc.weight``. What a file is, its first bytes say;
    where its name says something else, it is refused.

    Args:
        source: the file, or its content, or a file that is open (it is read from its start).
        largest: how many bytes it may have, unpacked too.
        name: of the file, for messages and for what its ending says; the path's own if not given.

    Raises:
        WeightsRefused: it is too large, broken, not what its name says, wants code to be run, or holds no weights.
    """
    name = name or (source.name if isinstance(source, Path) else "The file")
    content = _content(source, name, largest)
    suffix = Path(name).suffix.lower()
    # A header's length in 8 bytes, then its JSON.
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content):
        kind = "safetensors"
    elif content.startswith((b"PK\x03\x04", b"\x80")):
        kind = "a pickle"
    else:
        raise WeightsRefused(
            f"{name} is neither a safetensors file nor a state dict saved by torch: save model.state_dict()."
        )
    if suffix and (suffix == ".safetensors") != (kind == "safetensors"):
        raise WeightsRefused(f"{name} is {kind}, which its name denies: get it from where you trust it, or rename it.")
    found = _safetensors(content, name) if kind == "safetensors" else unpickled(content, name, largest)
    tensors = _flat(found)
    if not tensors:
        raise WeightsRefused(f"{name} holds no tensors by name: save model.state_dict().")
    return tensors


def _content(source: Source, name: str, largest: int) -> bytes:
    """All of a file, read at once: what is looked at, and then used, does not change in between."""
    if isinstance(source, bytes):
        content = source[: largest + 1]  # a copy only of what is refused
        size = len(source)
    else:
        try:
            if isinstance(source, Path):
                if source.exists() and not source.is_file():
                    raise WeightsRefused(f"{name} cannot be read: it is no file.")
                with source.open("rb") as file:
                    size, content = _read(file, largest)
            else:
                size, content = _read(source, largest)
        except OSError as error:
            raise WeightsRefused(f"{name} cannot be read: {error.strerror or error}.") from error
    if size > largest:
        raise WeightsRefused(f"{name} has {size / 1e6:,.0f} MB; {largest / 1e6:,.0f} MB is the limit.")
    return content


def _read(file: BinaryIO, largest: int) -> tuple[int, bytes]:
    """The size of a file and its content, of which no more is read than tells that it is too large."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    content = b"" if size > largest else file.read(largest + 1)
    return max(size, len(content)), content


def _safetensors(content: bytes, name: str) -> object:
    try:
        return load_safetensors(content)
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:
        raise WeightsRefused(f"{name} is a broken safetensors file: {brief(error)}.") from error


def _flat(found: object) -> dict[str, Tensor]:
    """The tensors of dicts in dicts; each dict once, as a file may say that it contains itself."""
    tensors: dict[str, Tensor] = {}
    level: list[tuple[str, object]] = [("", found)]
    seen: set[int] = set()
    for _ in range(_DEEPEST):
        inner: list[tuple[str, object]] = []
        for prefix, holder in level:
            if not isinstance(holder, Mapping) or id(holder) in seen:
                continue
            seen.add(id(holder))
            for key, value in holder.items():
                if not isinstance(key, str) or len(prefix) + len(key) > _LONGEST:
                    continue
                if isinstance(value, Tensor):
                    tensors[prefix + key] = value
                else:
                    inner.append((f"{prefix}{key}.", value))
        level = inner
    return tensors
