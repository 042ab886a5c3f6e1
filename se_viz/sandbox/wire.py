"""Values between processes as JSON and raw bytes: reading them runs nothing, whoever wrote them.

A message is the length of its header (8 bytes), the header (JSON), then the raw bytes that the header counts.
"""

import json
import struct
from collections.abc import Sequence
from math import prod
from typing import Any, Protocol, TypeAlias

import numpy as np

Value: TypeAlias = Any  # None, bool, int, float, str, bytes-like, array, or a list, tuple or dict (of str) of these

# Bytes of a header; one of names of files or a description of arrays is a small part.
LONGEST = 8_000_000

# The byte by which a child says that it has what it needs.
READY = b"!"

_LENGTH = struct.Struct("<Q")
_MOST_AXES = 8
_DTYPES = frozenset("?bBhHiIlLqQefd")


class Malformed(ValueError):
    """What came is no message, or one that is larger than was agreed."""


class TooLarge(Malformed):
    """A message is larger than was agreed."""


class Raw(Protocol):
    """What bytes come from and go to, unbuffered."""

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - a memoryview
        """Read up to as many bytes as the buffer has; return how many, 0 at the end."""

    def write(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - a memoryview
        """Write some of the bytes; return how many."""


def pack(value: Value) -> list[memoryview]:
    """Return the bytes of a message, without copying those of arrays and byte strings in it.

    Raises:
        TypeError: something in the value is of another type than ``Value`` says.
        TooLarge: what is no array or byte string takes more than 8 MB.
    """
    buffers: list[memoryview] = []
    plain = _plain(value, buffers)
    header = json.dumps({"value": plain, "sizes": [buffer.nbytes for buffer in buffers]}).encode()
    if len(header) > LONGEST:
        raise TooLarge(f"A header of {len(header):,} bytes.")
    return [memoryview(_LENGTH.pack(len(header))), memoryview(header), *buffers]


def send(file: Raw, message: Sequence[memoryview]) -> None:
    """Write a packed message."""
    for buffer in message:
        rest = buffer
        while rest.nbytes:
            rest = rest[file.write(rest) or 0 :]


def receive(file: Raw, most: int | None = None) -> Value:
    """Read one message; byte strings come as ``bytearray``, tuples as lists.

    Args:
        file: where it comes from.
        most: bytes that it may have in all; None where the writer is trusted.

    Raises:
        EOFError: the file ends first.
        Malformed: it is no message; TooLarge, which is one, where it has more bytes.
    """
    (length,) = _LENGTH.unpack(exactly(file, _LENGTH.size))
    if length > LONGEST:
        raise TooLarge(f"A header of {length:,} bytes.")
    try:
        header = json.loads(exactly(file, length))
        sizes = header["sizes"]
        plain = header["value"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed("A header that cannot be read.") from error
    if not isinstance(sizes, list) or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise Malformed("Sizes that are none.")
    if most is not None and length + sum(sizes) > most:
        raise TooLarge(f"A message of {length + sum(sizes):,} bytes.")
    buffers = [exactly(file, size) for size in sizes]
    try:
        return _value(plain, buffers)
    except (ValueError, KeyError, TypeError, LookupError, OverflowError, RecursionError, AttributeError) as error:
        raise Malformed("A header that says what is not there.") from error


def exactly(file: Raw, size: int) -> bytearray:
    """Read so many bytes; raise EOFError where the file ends first."""
    content = bytearray(size)
    rest = memoryview(content)
    while rest.nbytes:
        count = file.readinto(rest)
        if not count:
            raise EOFError("The other process has ended.")
        rest = rest[count:]
    return content


def _plain(value: Value, buffers: list[memoryview]) -> object:
    """Return a value as JSON has it: an object has one key that says what it stands for."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        buffers.append(memoryview(value).cast("B"))
        return {"bytes": len(buffers) - 1}
    if isinstance(value, np.ndarray) and value.dtype.char in _DTYPES:
        flat = np.ascontiguousarray(value).reshape(-1)
        buffers.append(flat.view(np.uint8).data)
        return {"array": [len(buffers) - 1, value.dtype.str, list(value.shape)]}
    if isinstance(value, list | tuple):
        return [_plain(item, buffers) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"dict": {key: _plain(item, buffers) for key, item in value.items()}}
    raise TypeError(f"{type(value).__name__} does not go from process to process.")


def _value(plain: Any, buffers: list[bytearray]) -> Value:  # noqa: ANN401 - JSON
    if isinstance(plain, list):
        return [_value(item, buffers) for item in plain]
    if not isinstance(plain, dict):
        return plain
    ((kind, content),) = plain.items()
    if kind == "bytes":
        return buffers[content]
    if kind == "dict":
        return {key: _value(item, buffers) for key, item in content.items()}
    if kind != "array":
        raise ValueError(kind)
    place, named, shape = content
    dtype = np.dtype(str(named))
    if dtype.char not in _DTYPES or len(shape) > _MOST_AXES or prod(shape) * dtype.itemsize != len(buffers[place]):
        raise ValueError("An array of another size.")
    return np.frombuffer(buffers[place], dtype).reshape(shape)
