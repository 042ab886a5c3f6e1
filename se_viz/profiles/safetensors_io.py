"""Arrays in a safetensors file: written one after the other, read in slices, verified by a checksum."""

import hashlib
import json
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias, cast

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load

from se_viz.disk.atomic import replacing
from se_viz.profiles.errors import ProfilesRefused
from se_viz.types import Array

Index: TypeAlias = int | slice

_TYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "int16": "I16", "int8": "I8"} | {
    f"uint{bits}": f"U{bits}" for bits in (8, 16, 32, 64)
}
_NUMPY = {short: name for name, short in _TYPES.items()}

# The head begins with the sha256 of the file, computed with zeros in its place, so it is always at the same position.
_BLANK = b"0" * 64
_BEFORE = b'{"__metadata__":{"sha256":"'
_PLACE = 8 + len(_BEFORE)
_OLDER = {"format", "version", "header"}  # the metadata of files without a checksum
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class Spec:
    """Name, type ("uint64", "float32", …) and shape of an array to be written."""

    name: str
    dtype: str
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        """Size of the array in bytes."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


class Sliced(Protocol):
    """An array that is read in slices."""

    def __getitem__(self, index: tuple[Index, ...], /) -> Array: ...


class Tensors(Protocol):
    """The arrays of an open file, by name."""

    metadata: Mapping[str, str] | None

    def __getitem__(self, name: str, /) -> Sliced: ...

    def __contains__(self, name: object, /) -> bool: ...


def write(path: Path, metadata: Mapping[str, str], specs: Iterable[Spec], arrays: Iterable[Array]) -> None:
    """Write a safetensors file with its checksum, completely or not at all; the same content gives the same bytes.

    Args:
        path: file to write.
        metadata: strings for its head.
        specs: specs of all arrays, in the order of ``arrays``. An array of 8-byte numbers must not follow an array
            whose size is not a multiple of 8 bytes, or it could not be memory-mapped.
        arrays: contents of the arrays in that order; an array may come in several pieces.

    Raises:
        WriteFailed: the file cannot be written; the message says why.
    """
    listed, end = list(specs), 0
    head: dict[str, object] = {"__metadata__": {"sha256": _BLANK.decode(), **metadata}}
    for spec in listed:
        head[spec.name] = {
            "dtype": _TYPES[spec.dtype],
            "shape": list(spec.shape),
            "data_offsets": [end, end + spec.bytes],
        }
        end += spec.bytes
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    begin = len(text).to_bytes(8, "little") + text
    digest = hashlib.sha256(begin)
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        file.write(begin)
        for array in arrays:
            content = np.ascontiguousarray(array).data
            file.write(content)
            digest.update(content)
        if file.tell() != len(begin) + end:
            raise AssertionError(f"{file.tell() - len(begin)} bytes were written instead of the announced {end}.")
        file.seek(_PLACE)
        file.write(digest.hexdigest().encode())


def verify(path: Path) -> bool:
    """Raise if a file differs from what was written; return True if it has a checksum to check against.

    Files of older versions have no checksum. The whole file is read once. A file compressed as ``.xz`` has a checksum
    that is checked whenever it is opened.

    Raises:
        ProfilesRefused: a byte differs, or the file cannot be read.
    """
    if path.suffix == ".xz":
        return True
    try:
        with path.open("rb") as file:
            start = file.read(_PLACE + len(_BLANK))
            digest = hashlib.sha256(start[:_PLACE] + _BLANK)
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError as error:
        raise ProfilesRefused(
            f"{path} cannot be read ({error.strerror}). Check its disk, or make the class profiles again."
        ) from error
    if start[8:_PLACE] == _BEFORE:
        if digest.hexdigest().encode() == start[_PLACE:]:
            return True
    elif (open_tensors(path).metadata or {}).keys() <= _OLDER:
        return False
    raise ProfilesRefused(
        f"{path} is damaged: its bytes are not those that were written (sha256). Copy it again, or remove it and make "
        "the class profiles again."
    )


def open_tensors(path: Path) -> Tensors:
    """Open a safetensors file for reading in slices; one compressed as ``.xz`` is read into memory.

    Raises:
        ProfilesRefused: the file does not exist, is truncated or damaged, or has another format.
    """
    if not path.is_file():
        raise ProfilesRefused(f"There are no class profiles at {path}. Make them with `python -m se_viz profile`.")
    try:
        return _InMemory(lzma.decompress(path.read_bytes())) if path.suffix == ".xz" else _OnDisk(path)
    except (SafetensorError, lzma.LZMAError, EOFError) as error:
        raise ProfilesRefused(
            f"{path} contains no class profiles, or is truncated or damaged ({error}). Copy it again, or make it again."
        ) from error


class _OnDisk:
    def __init__(self, path: Path) -> None:
        self._file = safe_open(path, "numpy")
        self.metadata: Mapping[str, str] | None = self._file.metadata()
        self._names = frozenset(self._file.keys())

    def __getitem__(self, name: str) -> Sliced:
        tensor = self._file.get_slice(name)
        shape = tensor.get_shape()
        # safetensors cannot slice empty arrays, such as those of a shard without images.
        return np.zeros(shape, _NUMPY[tensor.get_dtype()]) if 0 in shape else cast("Sliced", tensor)

    def __contains__(self, name: object) -> bool:
        return name in self._names


class _InMemory:
    def __init__(self, content: bytes) -> None:
        self._arrays: dict[str, Array] = load(content)
        # safetensors returns the metadata of files only, not of bytes.
        length = int.from_bytes(content[:8], "little")
        self.metadata: Mapping[str, str] | None = json.loads(content[8 : 8 + length]).get("__metadata__")

    def __getitem__(self, name: str) -> Sliced:
        return self._arrays[name]

    def __contains__(self, name: object) -> bool:
        return name in self._arrays
