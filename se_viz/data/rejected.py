"""What a person is told about a file that was not taken: its name, and one sentence."""

import re
import unicodedata
from pathlib import PurePosixPath

MAX_NAME = 80


class Refused(ValueError):
    """A file was left out; ``str()`` is the sentence for the page.

    Attributes:
        name: the file, as it is shown.
        reason: why, and after a semicolon what to do about it; no full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name} was left out: {self.reason}."


def legible(name: str) -> str:
    """A name that can be written as UTF-8: systems allow others, whose odd bytes become question marks."""
    return name.encode(errors="surrogateescape").decode(errors="replace")


def shown(name: str) -> str:
    """A file's name for the eye only: no folders, no control characters, at most 80 characters, the ending kept."""
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    # C: control, bidirectional override, surrogate, unassigned; Zl, Zp: line breaks by another name.
    kept = "".join(c for c in base if unicodedata.category(c) not in {"Zl", "Zp"} and unicodedata.category(c)[0] != "C")
    kept = kept.strip() or "unnamed"
    if len(kept) > MAX_NAME:
        suffix = PurePosixPath(kept).suffix
        suffix = suffix if len(suffix) <= MAX_NAME // 4 else ""
        kept = kept[: MAX_NAME - 1 - len(suffix)] + "…" + suffix
    return kept
