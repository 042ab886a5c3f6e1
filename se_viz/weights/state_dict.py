"""Reading the tensors of a checkpoint that anybody may have made, in a child process, without running what is in it."""

import os
from pathlib import Path
from typing import BinaryIO, TypeAlias

from torch import Tensor

from se_viz import sandbox
from se_viz.sandbox import Ended, Limits, ShouldCancel
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
    """The tensors of a safetensors file or of a pickle of torch, on the CPU, by their names.

    A tensor in a dict of dicts has a name of several: ``state_dict.fc.weight``. What a file is, its first bytes say;
    where its name says something else, it is refused. It is read in a child process, of whose memory and time there is
    an end, see ``sandbox``; what comes back is plain numbers.

    Args:
        source: the file, or its content, or a file that is open (it is read from its start).
        largest: how many bytes it may have, unpacked too.
        name: of the file, for messages and for what its ending says; the path's own if not given.
        trusted: read it in this process, without limits of time and memory. Code in it is not run for that.
        cancelled: asked while the child reads; True ends it.

    Raises:
        WeightsRefused: it is too large, broken, not what its name says, wants code to be run, holds no weights, or
            takes more time or memory than weights do.
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
    """Begin to prepare the child process that reads a file, which takes a second or two, and do not wait for it."""
    sandbox.warm(parsed_and_packed.__module__)


def _limits(size: int, largest: int) -> Limits:
    """Return what reading a file of so many bytes may take; each is several times what the slowest one took."""
    return Limits(memory=10**9 + 4 * size, cpu=3 + size / 10e6, wall=120 + size / 1e6, output=largest + 64_000_000)


def _given_up(ended: Ended, name: str, size: int) -> Exception:
    """Return the error for a file that a child process could not read."""
    if ended.reason == "cancelled":
        return Cancelled(f"Reading {name} was cancelled.")
    if ended.reason == "unavailable":
        return WeightsRefused(
            f"{name} was not read: that {ended.why}. A file of your own can be read without one: trusted=True, or "
            f"--trusted."
        )
    if ended.reason in ("memory", "time", "output"):
        return WeightsRefused(
            f"{name} was not read: that {ended.why}, which no checkpoint of {_shown(size)} does. It is damaged, or "
            f"made to do harm: save model.state_dict() as safetensors."
        )
    why = ended.why if ended.reason == "died" else "failed in a way that no checkpoint does"
    return WeightsRefused(
        f"{name} was not read: that {why}. It is damaged, or made to do harm: download it again, or save "
        f"model.state_dict() as safetensors."
    )


def _shown(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size:,} bytes"


def _content(source: CheckpointFile, name: str, largest: int) -> bytes:
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
