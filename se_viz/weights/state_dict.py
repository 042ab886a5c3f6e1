"""Reading the tensors of an untrusted checkpoint, in a child process and without running code in it."""

import os
from pathlib import Path
from typing import BinaryIO, TypeAlias

from torch import Tensor

from se_viz import sandbox
from se_viz.sandbox import Ended, Limits
from se_viz.types import ShouldCancel
from se_viz.weights.errors import Cancelled, WeightsRefused
from se_viz.weights.parse import parsed, parsed_and_packed
from se_viz.weights.transfer import unpacked

CheckpointFile: TypeAlias = Path | bytes | BinaryIO


def read_state(
    source: CheckpointFile,
    largest: int,
    name: str = "",
    *,
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file or of a pickle of torch, on the CPU, by their names.

    The name of a tensor in nested dicts joins their keys: ``state_dict.fc.weight``. The first bytes tell the format of
    a file; if its name tells another one, it is refused. It is read in a child process with limits of memory and time,
    see ``sandbox``, which returns plain numbers.

    Args:
        source: the file, its content, or an open file, which is read from its start.
        largest: maximum number of bytes of the file, also when unpacked.
        name: name of the file, for messages; its suffix must match the format. Default: the name of the path.
        trusted: read it in this process, without limits of time and memory. Code in it is not run either.
        cancelled: called while the child reads; True ends it.

    Raises:
        WeightsRefused: the file is too large or broken, has another format than its name, requests code, contains no
            weights, or takes more time or memory than weights need.
        Cancelled: ``cancelled`` returned True.
    """
    name = name or (source.name if isinstance(source, Path) else "The file")
    content = _content(source, name, largest)
    if trusted:
        return parsed(content, name, largest)
    size = len(content)
    try:
        found = sandbox.run(
            parsed_and_packed,
            content,
            name,
            largest,
            limits=_limits(size, largest),
            cancelled=cancelled,
            passes=(WeightsRefused,),
        )
        del content
        return unpacked(found)
    except Ended as ended:
        raise _given_up(ended, name, size) from ended


def warm() -> None:
    """Start the child process that reads a file, which takes a second or two, without waiting for it."""
    sandbox.warm(parsed_and_packed.__module__)


def _limits(size: int, largest: int) -> Limits:
    """Return the limits for reading a file of this size; each is several times what the slowest file took."""
    return Limits(memory=10**9 + 4 * size, cpu=3 + size / 10e6, wall=120 + size / 1e6, output=largest + 64_000_000)


def _given_up(ended: Ended, name: str, size: int) -> Exception:
    """Return the error for a file that a child process could not read."""
    if ended.reason == "cancelled":
        return Cancelled(f"Reading {name} was cancelled.")
    if ended.reason == "unavailable":
        return WeightsRefused(
            f"{name} was not read: reading it {ended.why}. Your own file can be read without a child process: "
            f"trusted=True, or --trusted."
        )
    if ended.reason in ("memory", "time", "output"):
        return WeightsRefused(
            f"{name} was not read: reading it {ended.why}, more than any checkpoint of {_shown(size)} needs. It is "
            f"damaged or malicious: save model.state_dict() as safetensors."
        )
    why = ended.why if ended.reason == "died" else "failed in an unexpected way"
    return WeightsRefused(
        f"{name} was not read: reading it {why}. It is damaged or malicious: download it again, or save "
        f"model.state_dict() as safetensors."
    )


def _shown(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size:,} bytes"


def _content(source: CheckpointFile, name: str, largest: int) -> bytes:
    """Return the whole content of a file, read once, so that it cannot change between its check and its use."""
    if isinstance(source, bytes):
        content = source[: largest + 1]  # a copy only of a file that is refused
        size = len(source)
    else:
        try:
            if isinstance(source, Path):
                if source.exists() and not source.is_file():
                    raise WeightsRefused(f"{name} cannot be read: it is not a file.")
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
    """Return the size of a file and its content, which is not read if the file is too large."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    content = b"" if size > largest else file.read(largest + 1)
    return max(size, len(content)), content
