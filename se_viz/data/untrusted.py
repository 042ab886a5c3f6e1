"""Images and archives from outside, read in child processes: what comes back is pixels, bytes and sentences.

The checks of ``images`` and ``archives`` refuse what is known to be wrong; what they do not know ends at a limit of
time, memory or output, or takes a child with it, and costs a sentence. Neither other files nor other visitors notice.
"""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image

from se_viz import sandbox
from se_viz.data import pixels
from se_viz.data import zip_archive as archives
from se_viz.data.colours import WORKING_SIDE
from se_viz.data.images import (
    MAX_ASPECT,
    MAX_BYTES,
    MAX_PIXELS,
    MIN_SIDE,
    ImageRefused,
    InputImage,
    decode_pixels,
    size_refusal,
)
from se_viz.data.names import label_of
from se_viz.data.rejected import shown
from se_viz.data.zip_archive import ArchiveRefused
from se_viz.sandbox import Ended, Limits

ShouldCancel: TypeAlias = Callable[[], bool]
Outcome: TypeAlias = InputImage | ImageRefused

# What an image may take without its turn in the budget: all but the largest photographs.
ALLOWANCE = 25_000_000
# Of files of 100 million pixels the slowest need 5 s, and 16-bit PNGs with a transparent colour 11 s.
_SECONDS, _WAIT = 15.0, 60.0
_LIBRARIES = 512_000_000  # bytes of addresses that decoders take beside their pixels, with their threads
_MOST_PIXELS_KEPT = (2 * WORKING_SIDE) ** 2 * MAX_ASPECT
# Decoders of AVIF start a thread for each processor, and each takes addresses.
_THREADS = 2

# Bytes of an archive's members that come back at a time, with the last of them.
_PART = 32_000_000


def decode_files(files: Sequence[tuple[str, bytes]], cancelled: ShouldCancel | None = None) -> list[Outcome]:
    """Decode files in one child process, see ``images.decode``; one after the other, so that few belong in a call.

    A file whose pixels need more than the allowance waits for its turn in the budget of the process, in a child of its
    own. If a child ends, each of its files is decoded in one of its own.

    Args:
        files: names and contents.
        cancelled: asked often, in this thread; True ends the child.

    Returns:
        An image for each file, or why it was left out.

    Raises:
        Gone: ``cancelled`` said so.
    """
    refusals = [size_refusal(content) for _, content in files]
    told = iter(_decoded([file for file, refusal in zip(files, refusals, strict=True) if not refusal], cancelled))
    return [
        ImageRefused(shown(name), refusal) if refusal else next(told)
        for (name, _), refusal in zip(files, refusals, strict=True)
    ]


def _decoded(files: Sequence[tuple[str, bytes]], cancelled: ShouldCancel | None) -> list[Outcome]:
    if not files:
        return []
    try:
        told = _in_child(files, ALLOWANCE, cancelled)
    except Ended as ended:
        if len(files) > 1 and ended.reason != "unavailable":
            return [outcome for file in files for outcome in _decoded([file], cancelled)]
        return [_refused(name, ended) for name, _ in files]
    return [
        _in_turn(file, outcome, cancelled) if isinstance(outcome, int) else outcome
        for file, outcome in zip(files, told, strict=True)
    ]


def _in_turn(file: tuple[str, bytes], needed: int, cancelled: ShouldCancel | None) -> Outcome:
    """The same for one file that needs more pixels than the allowance."""
    try:
        (outcome,) = _in_child([file], needed, cancelled)
    except Ended as ended:
        return _refused(file[0], ended)
    return _nonsense(file[0]) if isinstance(outcome, int) else outcome


def _in_child(
    files: Sequence[tuple[str, bytes]], allowance: int, cancelled: ShouldCancel | None
) -> list[Outcome | int]:
    """What becomes of each file; a number is of the pixels that it needs at a time. Raises Ended as a child does."""
    limits = Limits(
        memory=_LIBRARIES + pixels.BYTES_A_PIXEL * allowance,
        cpu=_SECONDS,
        wall=_WAIT,
        output=(3 * _MOST_PIXELS_KEPT + 1000) * len(files),
    )
    names, contents = [shown(name) for name, _ in files], [content for _, content in files]
    with pixels.budget().hold(allowance, cancelled):
        told = _run(cancelled, limits, (), decode_all, names, contents, allowance)
    if not isinstance(told, list) or len(told) != len(files):
        return [_nonsense(name) for name in names]
    return [_outcome(*file, one) for file, one in zip(files, told, strict=True)]


def _run(cancelled: ShouldCancel | None, limits: Limits, passes: Sequence[type[Exception]], *call: Any) -> Any:  # noqa: ANN401
    """``sandbox.run`` that raises Gone where it was cancelled."""
    try:
        return sandbox.run(*call, limits=limits, cancelled=cancelled, passes=passes)
    except Ended as ended:
        if ended.reason == "cancelled":
            raise pixels.Gone from ended
        raise


def decode_all(names: list[str], contents: list[bytes], allowance: int) -> list[dict[str, Any]]:
    """Decode files, in a child process: pixels and size of each, or why it is refused, or how many pixels it needs."""
    AvifImagePlugin.DEFAULT_MAX_THREADS = _THREADS
    return [_decoded_here(name, content, allowance) for name, content in zip(names, contents, strict=True)]


def _decoded_here(name: str, content: bytes, allowance: int) -> dict[str, Any]:
    def room(needed: int) -> AbstractContextManager[None]:
        if needed > allowance:
            raise _Needs(needed)
        return nullcontext()

    try:
        image, size = decode_pixels(name, bytes(content), room)
    except _Needs as needs:
        return {"needs": needs.pixels}
    except ImageRefused as refused:
        return {"refused": refused.reason}
    return {"pixels": np.asarray(image), "size": list(size)}


class _Needs(pixels.Waits):
    def __init__(self, needed: int) -> None:
        super().__init__(needed)
        self.pixels = needed


def _outcome(name: str, content: bytes, told: object) -> Outcome | int:
    """What a child says of a file. It may be anything, where the file has taken the child over."""
    match told:
        case {"pixels": np.ndarray() as array, "size": [int() as width, int() as height]} if _is_image(array):
            # The hash is what readings are kept by: it is made here.
            sha256 = hashlib.sha256(content).hexdigest()
            return InputImage(shown(name), sha256, Image.fromarray(array), (width, height))
        case {"refused": str() as reason}:
            return ImageRefused(shown(name), reason)
        case {"needs": int() as needed} if ALLOWANCE < needed <= MAX_PIXELS:
            return needed
    return _nonsense(name)


def _is_image(array: npt.NDArray[Any]) -> bool:
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size > 0


def _refused(name: str, ended: Ended) -> ImageRefused:
    return ImageRefused(shown(name), _why(ended, "save a smaller copy as JPEG or PNG"))


def _nonsense(name: str) -> ImageRefused:
    return ImageRefused(shown(name), "what was read of it makes no sense; save it again with another program")


def _why(ended: Ended, advice: str) -> str:
    """The reason for leaving out a file whose child has ended."""
    if ended.reason == "unavailable":
        return f"that {ended.why}; give trusted=True (--trusted) for files of your own"
    return f"reading it {ended.why}; {advice}"


def unpack(name: str, file: BinaryIO, cancelled: ShouldCancel | None = None) -> Iterator[tuple[str, bytes]]:
    """Unpack a ZIP archive in child processes, see ``archives.members``; some of its members at a time.

    Args:
        name: what the archive calls itself.
        file: in memory, or on disk and open.
        cancelled: asked often, in this thread; True ends the child.

    Raises:
        ArchiveRefused: as ``archives.members``, or a limit was reached.
        Gone: ``cancelled`` said so.
    """
    name = shown(name)
    path = getattr(file, "name", None)
    source = path if isinstance(path, str) else file.read(archives.MAX_TOTAL + 1)
    size = file.seek(0, io.SEEK_END)
    limits = Limits(memory=_LIBRARIES + 2 * size, cpu=_SECONDS, wall=_WAIT, output=2 * (_PART + MAX_BYTES))
    damaged: list[str] = []
    start: int | None = 0
    while start is not None:
        try:
            told = _run(cancelled, limits, (ArchiveRefused,), archives.part, name, source, start, _PART)
        except Ended as ended:
            raise ArchiveRefused(name, _why(ended, "pack it again as an ordinary ZIP archive")) from ended
        before, start = start, told["next"]
        if start is not None and not before < start <= archives.MAX_FILES:
            raise ArchiveRefused(name, "what was read of it makes no sense; pack it again")
        for label, content in told["members"]:
            if content is None:
                damaged.append(label_of(label))
            else:
                yield label_of(label), bytes(content)
    archives.raise_damaged(name, damaged)


def _warm_up() -> None:
    """Decode an image once when this is imported: children begin with what that leaves behind, and not without it."""
    file = io.BytesIO()
    Image.new("RGB", (MIN_SIDE, MIN_SIDE)).save(file, "JPEG")
    decode_all(["a.jpg"], [file.getvalue()], ALLOWANCE)


_warm_up()
