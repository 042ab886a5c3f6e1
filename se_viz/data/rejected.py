"""A file that was left out: its name, and a sentence that says why."""

import re
import unicodedata
from pathlib import PurePosixPath

MAX_NAME = 80


class Refused(ValueError):
    """A file was left out; ``str()`` is the sentence for the user.

    Attributes:
        name: the file's name as it is shown.
        reason: why it was left out, and after a semicolon what to do about it; no full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name} was left out: {self.reason}."


class DatasetRefused(ValueError):
    """A source cannot be used as a dataset; the message says why and what to do."""


def lower(sentence: str) -> str:
    """Return a sentence as it follows a colon: its first letter in lower case."""
    return sentence[:1].lower() + sentence[1:]


def legible(name: str) -> str:
    """Return a name that can be written as UTF-8; other bytes, which systems allow in names, become question marks."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def shown(name: str) -> str:
    """Return a file's name for display only: no folders, no control characters, at most 80 characters, suffix kept."""
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    # C: control, bidirectional override, surrogate, unassigned; Zl, Zp: line and paragraph separators.
    kept = "".join(c for c in base if unicodedata.category(c) not in {"Zl", "Zp"} and unicodedata.category(c)[0] != "C")
    kept = kept.strip() or "unnamed"
    if len(kept) > MAX_NAME:
        suffix = PurePosixPath(kept).suffix
        suffix = suffix if len(suffix) <= MAX_NAME // 4 else ""
        kept = kept[: MAX_NAME - 1 - len(suffix)] + "…" + suffix
    return kept
