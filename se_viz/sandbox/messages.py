"""Values between processes, as JSON and raw bytes: reading a message never runs code, even if its writer is hostile.

A message is the length of its header (8 bytes), the header (JSON), then the raw bytes whose sizes the header lists.
"""

import json
import struct
from collections.abc import Sequence
from math import prod
from typing import Any, Protocol, TypeAlias

import numpy as np

Value: TypeAlias = Any  # None, bool, int, float, str, bytes-like, array, or a list, tuple or dict (of str) of these

# The most bytes of a header; headers with file names or descriptions of arrays are far smaller.
LONGEST = 8_000_000

# The byte by which a child says that its imports are done.
READY = b"!"

_LENGTH = struct.Struct("<Q")
_MOST_AXES = 8
_DTYPES = frozenset("?bBhHiIlLqQefd")


class Malformed(ValueError):
    """The bytes are not a message, or the message is larger than agreed."""


class TooLarge(Malformed):
    """A message is larger than agreed."""


class Raw(Protocol):
    """An unbuffered binary file."""

    def readinto(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - a memoryview
        """Read at most as many bytes as fit into the buffer; return how many, 0 at the end."""

    def write(self, buffer: Any, /) -> int | None:  # noqa: ANN401 - a memoryview
        """Write some of the bytes; return how many."""


def pack(value: Value) -> list[memoryview]:
    """Return the bytes of a message, without copying those of arrays and byte strings in it.

    Raises:
        TypeError: something in the value has a type that ``Value`` does not list.
        TooLarge: the parts that are neither arrays nor byte strings take more than 8 MB.
    """
    buffers: list[memoryview] = []
    plain = _plain(value, buffers)
    header = json.dumps({"value": plain, "sizes": [buffer.nbytes for buffer in buffers]}).encode()
    if len(header) > LONGEST:
        raise TooLarge(f"The header has {len(header):,} bytes.")
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
        file: the file to read from.
        most: the most bytes that the message may have; None where the writer is trusted.

    Raises:
        EOFError: the file ends before the message does.
        Malformed: the bytes are not a message; its subclass TooLarge where the message has more bytes than ``most``.
    """
    (length,) = _LENGTH.unpack(read_exactly(file, _LENGTH.size))
    if length > LONGEST:
        raise TooLarge(f"The header has {length:,} bytes.")
    try:
        header = json.loads(read_exactly(file, length))
        sizes = header["sizes"]
        plain = header["value"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed("The header cannot be read.") from error
    if not isinstance(sizes, list) or not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise Malformed("The header has sizes that are not numbers of bytes.")
    if most is not None and length + sum(sizes) > most:
        raise TooLarge(f"The message has {length + sum(sizes):,} bytes.")
    buffers = [read_exactly(file, size) for size in sizes]
    try:
        return _value(plain, buffers)
    except (ValueError, KeyError, TypeError, LookupError, OverflowError, RecursionError, AttributeError) as error:
        raise Malformed("The header does not match the bytes that follow it.") from error


def read_exactly(file: Raw, size: int) -> bytearray:
    """Read ``size`` bytes; raise EOFError where the file ends first."""
    content = bytearray(size)
    rest = memoryview(content)
    while rest.nbytes:
        count = file.readinto(rest)
        if not count:
            raise EOFError("The other process has ended.")
        rest = rest[count:]
    return content


def _plain(value: Value, buffers: list[memoryview]) -> object:
    """Return a value in JSON's types; each JSON object has one key, which tells the type of the value it stands for."""
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
    raise TypeError(f"A value of type {type(value).__name__} cannot be sent to another process.")


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
    index, name, shape = content
    dtype = np.dtype(str(name))
    if dtype.char not in _DTYPES or len(shape) > _MOST_AXES or prod(shape) * dtype.itemsize != len(buffers[index]):
        raise ValueError("The array has another size than the header says.")
    return np.frombuffer(buffers[index], dtype).reshape(shape)
