"""Reading the tensors out of a checkpoint that anybody may have made, without running what may be in it."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TypeAlias

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import Tensor

from se_viz.zoo import formats
from se_viz.zoo.errors import WeightsRefused
from se_viz.zoo.pickles import brief, unpickled

Source: TypeAlias = Path | bytes | BinaryIO

# Dicts in dicts, and characters of a tensor's name: what goes further is no checkpoint.
_DEEPEST = 6
_LONGEST = 500

# Bytes of a safetensors header: the library's own limit.
_LONGEST_HEADER = 100_000_000

# Bytes of a header that is read to say how long a file should be.
_LONGEST_READ = 10_000_000


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
    if content[8:9] == b"{" and int.from_bytes(content[:8], "little") < _LONGEST_HEADER:
        kind = "a safetensors file"
    elif content.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\x80")):
        kind = "a pickle"
    else:
        raise WeightsRefused(f"{name} {formats.described(content, name)}.")
    if suffix and (suffix == ".safetensors") != (kind == "a safetensors file"):
        other = ".pth" if suffix == ".safetensors" else ".safetensors"
        raise WeightsRefused(
            f"{name} ends in {suffix} but is {kind}. Rename it to end in {other} if you trust where it comes from."
        )
    found = _safetensors(content, name) if kind == "a safetensors file" else unpickled(content, name, largest)
    tensors = _flat(found)
    if not tensors:
        raise WeightsRefused(f"{name} holds no tensors by name{_instead(found)}: save model.state_dict().")
    return tensors


def _instead(found: object) -> str:
    """Return what is in a file without named tensors, as the rest of a sentence."""
    if isinstance(found, Tensor):
        return ", it is one tensor"
    if isinstance(found, list | tuple):
        return f", it is a list of {len(found)} entries"
    if not isinstance(found, Mapping):
        return ""
    inner = [found, *(value for value in found.values() if isinstance(value, Mapping))]
    if any({"param_groups", "state"} <= holder.keys() for holder in inner):
        return ", only the state of an optimiser"
    keys = [key if key.isprintable() else ascii(key) for key in found if isinstance(key, str) and len(key) < 40]
    return f", only {', '.join(keys[:5])}" if keys else ""


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
        stated = _stated_size(content)
        if stated > len(content):
            raise WeightsRefused(
                f"{name} is a broken safetensors file: it has {len(content):,} of {stated:,} bytes, so that "
                f"downloading, copying or saving it was cut short. Do it again."
            ) from error
        raise WeightsRefused(f"{name} is a broken safetensors file: {brief(error)}.") from error


def _stated_size(content: bytes) -> int:
    """Return how many bytes a safetensors file has by its header; 0 where that cannot be read."""
    start = 8 + int.from_bytes(content[:8], "little")
    if start > len(content) or start > _LONGEST_READ:
        return start if start > len(content) else 0
    try:
        header = json.loads(content[8:start])
        return start + max(int(entry["data_offsets"][1]) for key, entry in header.items() if key != "__metadata__")
    except (ValueError, KeyError, TypeError, LookupError, AttributeError, RecursionError):
        return 0


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
