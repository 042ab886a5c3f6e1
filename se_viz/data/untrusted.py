"""Untrusted images and archives, read in child processes, which send back only pixels, bytes and sentences.

The checks of ``images`` and ``zip_archive`` refuse known problems. A file with any other problem reaches a limit of
time, memory or output, or crashes its child, and is left out with a sentence. Other files and other visitors are not
affected.
"""

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from PIL import AvifImagePlugin, Image

from se_viz import sandbox
from se_viz.data import pixels
from se_viz.data import zip_archive as archives
from se_viz.data.colours import WORKING_SIDE
from se_viz.data.file_kinds import label_of
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
from se_viz.data.rejected import shown
from se_viz.data.splits import Choice
from se_viz.data.zip_archive import ArchiveRefused
from se_viz.sandbox import Ended, Limits
from se_viz.types import Array, ShouldCancel

Outcome: TypeAlias = InputImage | ImageRefused

# Pixels that an image may take without waiting for its turn in the budget: enough for all but the largest photographs.
ALLOWANCE = 25_000_000
# The slowest files of 100 million pixels take 5 s; 16-bit PNGs with a transparent colour take 11 s.
_SECONDS, WAIT = 15.0, 60.0
_LIBRARIES = 512_000_000  # bytes of address space that decoders and their threads take in addition to the pixels
_MOST_PIXELS_KEPT = (2 * WORKING_SIDE) ** 2 * MAX_ASPECT
# AVIF decoders start a thread for each processor, and each thread takes address space.
_THREADS = 2

# Bytes of an archive's members after which a child sends the members back.
PART = 32_000_000


def decode_files(files: Sequence[tuple[str, bytes]], cancelled: ShouldCancel | None = None) -> list[Outcome]:
    """Decode files in one child process, see ``images.decode``; it takes them one by one, so pass only a few.

    A file whose pixels exceed the allowance waits for its turn in the budget of the process, and is decoded in a
    separate child. If a child ends without an answer, each of its files is decoded in a separate child.

    Args:
        files: names and contents.
        cancelled: called often, in this thread; when it returns True, the child ends.

    Returns:
        For each file its image, or the error that says why it was left out.

    Raises:
        Gone: ``cancelled`` returned True.
    """
    refusals = [size_refusal(content) for _, content in files]
    decoded = iter(_decoded([file for file, refusal in zip(files, refusals, strict=True) if not refusal], cancelled))
    return [
        ImageRefused(shown(name), refusal) if refusal else next(decoded)
        for (name, _), refusal in zip(files, refusals, strict=True)
    ]


def _decoded(files: Sequence[tuple[str, bytes]], cancelled: ShouldCancel | None) -> list[Outcome]:
    if not files:
        return []
    try:
        outcomes = _in_child(files, ALLOWANCE, cancelled)
    except Ended as ended:
        if len(files) > 1 and ended.reason != "unavailable":
            return [outcome for file in files for outcome in _decoded([file], cancelled)]
        return [_refused(name, ended) for name, _ in files]
    return [
        _in_turn(file, outcome, cancelled) if isinstance(outcome, int) else outcome
        for file, outcome in zip(files, outcomes, strict=True)
    ]


def _in_turn(file: tuple[str, bytes], needed: int, cancelled: ShouldCancel | None) -> Outcome:
    """Decode one file that needs more pixels than the allowance."""
    try:
        (outcome,) = _in_child([file], needed, cancelled)
    except Ended as ended:
        return _refused(file[0], ended)
    return _invalid(file[0]) if isinstance(outcome, int) else outcome


def _in_child(
    files: Sequence[tuple[str, bytes]], allowance: int, cancelled: ShouldCancel | None
) -> list[Outcome | int]:
    """Return the outcome for each file, or the number of pixels that it needs; raise Ended if the child ends."""
    limits = Limits(
        memory=_LIBRARIES + pixels.BYTES_A_PIXEL * allowance,
        cpu=_SECONDS,
        wall=WAIT,
        output=(3 * _MOST_PIXELS_KEPT + 1000) * len(files),
    )
    names, contents = [shown(name) for name, _ in files], [content for _, content in files]
    with pixels.budget().hold(allowance, cancelled):
        answers = _run(cancelled, limits, (), decode_all, names, contents, allowance)
    if not isinstance(answers, list) or len(answers) != len(files):
        return [_invalid(name) for name in names]
    return [_outcome(*file, answer) for file, answer in zip(files, answers, strict=True)]


def _run(cancelled: ShouldCancel | None, limits: Limits, passes: Sequence[type[Exception]], *call: Any) -> Any:  # noqa: ANN401
    """Call ``sandbox.run``, and raise Gone if the call was cancelled."""
    try:
        return sandbox.run(*call, limits=limits, cancelled=cancelled, passes=passes)
    except Ended as ended:
        if ended.reason == "cancelled":
            raise pixels.Gone from ended
        raise


def decode_all(names: list[str], contents: list[bytes], allowance: int) -> list[dict[str, Any]]:
    """Decode files, in a child process: return pixels and size, why it is refused, or the pixels it needs, for each."""
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


def _outcome(name: str, content: bytes, answer: object) -> Outcome | int:
    """Return the outcome in a child's answer, which may be anything if the file has taken the child over."""
    match answer:
        case {"pixels": np.ndarray() as array, "size": [int() as width, int() as height]} if _is_image(array):
            # The hash is the key of cached captures, so it is computed here and not in the child.
            sha256 = hashlib.sha256(content).hexdigest()
            return InputImage(shown(name), sha256, Image.fromarray(array), (width, height))
        case {"refused": str() as reason}:
            return ImageRefused(shown(name), reason)
        case {"needs": int() as needed} if ALLOWANCE < needed <= MAX_PIXELS:
            return needed
    return _invalid(name)


def _is_image(array: Array) -> bool:
    return array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3 and array.size > 0


def _refused(name: str, ended: Ended) -> ImageRefused:
    return ImageRefused(shown(name), _why(ended, "save a smaller copy as JPEG or PNG"))


def _invalid(name: str) -> ImageRefused:
    return ImageRefused(shown(name), "reading it gave an invalid result; save it again with another program")


def _why(ended: Ended, advice: str) -> str:
    """Return the reason for leaving out a file whose child has ended."""
    if ended.reason == "unavailable":
        return f"reading it {ended.why}; give trusted=True (--trusted) if you trust the file"
    return f"reading it {ended.why}; {advice}"


def unpack(
    name: str,
    file: BinaryIO,
    cancelled: ShouldCancel | None = None,
    wanted: int | None = None,
    split: str | None = None,
    choices: list[Choice] | None = None,
) -> Iterator[tuple[str, bytes]]:
    """Unpack a ZIP archive in child processes, some of its members at a time; see ``zip_archive.members``.

    Args:
        name: the name of the archive.
        file: an open file, in memory or on disk.
        cancelled: called often, in this thread; when it returns True, the child ends.
        wanted: number of members that are read, see ``zip_archive.members``.
        split, choices: the split whose members are read, and the list to which the choice is added, see
            ``zip_archive.members``.

    Raises:
        ArchiveRefused: see ``zip_archive.members``; or a limit was reached.
        Gone: ``cancelled`` returned True.
    """
    name = shown(name)
    path = getattr(file, "name", None)
    source = path if isinstance(path, str) else file.read(archives.LIMITS.total + 1)
    size = file.seek(0, io.SEEK_END)
    limits = Limits(memory=_LIBRARIES + 2 * size, cpu=_SECONDS, wall=WAIT, output=2 * (PART + MAX_BYTES))
    damaged: list[str] = []
    start: int | None = 0
    while start is not None:
        try:
            call = archives.part, name, source, start, PART, wanted, split
            answer = _run(cancelled, limits, (ArchiveRefused,), *call)
        except Ended as ended:
            raise ArchiveRefused(name, _why(ended, "pack it again as an ordinary ZIP archive")) from ended
        if start == 0 and choices is not None and (choice := _choice(name, answer.get("choice"))) is not None:
            choices.append(choice)
        before, start = start, answer["next"]
        if start is not None and not before < start <= archives.LIMITS.files:
            raise ArchiveRefused(name, "reading it gave an invalid result; pack it again")
        for label, content in answer["members"]:
            if content is None:
                damaged.append(label_of(label))
            else:
                yield label_of(label), bytes(content)
    archives.raise_damaged(name, damaged)


def _choice(name: str, answer: object) -> Choice | None:
    """Return the choice of a split in a child's answer, see ``_outcome``."""
    match answer:
        case {"splits": dict() as listed, "chosen": str() as chosen, "left": int() as left} if chosen in listed and all(
            isinstance(count, int) for count in listed.values()
        ):
            return Choice(name, {shown(split): count for split, count in listed.items()}, shown(chosen), left)
    return None


def _warm_up() -> None:
    """Decode an image once when this module is imported, so that children start with the decoders initialised."""
    file = io.BytesIO()
    Image.new("RGB", (MIN_SIDE, MIN_SIDE)).save(file, "JPEG")
    decode_all(["a.jpg"], [file.getvalue()], ALLOWANCE)


_warm_up()
