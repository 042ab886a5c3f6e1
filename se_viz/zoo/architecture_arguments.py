"""Keyword arguments of an architecture, read from text."""

import json
import re
from typing import TypeAlias

Value: TypeAlias = object

_LONGEST = 500
_MOST = 16
_LONGEST_WORD = 40
_LONGEST_LIST = 16

# Sides of images, channels, layers: a network of more is no image network, and a list of as many entries takes no time.
_LARGEST = 2048
_LARGEST_CLASSES = 100_000

# Sides of images and windows: some attention makes its tables in loops over all pairs of their pixels.
_LARGEST_SIDE = 1024
_SIDES = re.compile(r"size|resolution|window|res\b", re.IGNORECASE)

_WORDS = {"True": True, "False": False, "None": None}
_NEXT = re.compile(r"[,\n](?=\s*[A-Za-z_]\w*\s*=)")
_WORD = re.compile(r"[\w.+-]*", re.ASCII)


def value_of(text: str) -> Value:
    """Return the value that a text stands for: JSON, or Python's True, False, None, a tuple, a word."""
    text = text.strip()
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] == "(" and text[-1:] == ")":
        text = f"[{text[1:-1].rstrip().removesuffix(',')}]"
    if len(text) > 1 and text[0] == text[-1] == "'":
        return text[1:-1]
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return text


def pair(text: str) -> tuple[str, Value]:
    """Return key and value of "key=value".

    Raises:
        ValueError: it is something else.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key.isidentifier() or not value.strip():
        raise ValueError(f"An argument is KEY=VALUE, not {text.strip()[:_LONGEST_WORD]!r}.")
    return key, value_of(value)


def from_stranger(text: str) -> dict[str, Value]:
    """Return the arguments in a text from a page: ``key=value, key=value``, or a JSON object.

    Values are numbers up to 2048 (sides up to 1024, num_classes up to 100,000), true, false, null, words of letters,
    digits and ``_.+-``, and lists of up to 16 of these; so that no value is a path, an address or a program, or makes
    anything large by itself. What they make together is bounded by ``sketch.bounded`` and by the limits on parameters
    and tables, see ``plan.Sketch``.

    Raises:
        ValueError: it is something else; the message says what.
    """
    text = text.strip(" ,\n\t")
    if len(text) > _LONGEST:
        raise ValueError(f"The arguments have {len(text):,} characters; {_LONGEST} is the limit.")
    if text.startswith("{"):
        found = value_of(text)
        if not isinstance(found, dict):
            raise ValueError("The arguments begin like JSON and are not: write key=value, key=value.")
    else:
        pairs = [pair(part) for part in _NEXT.split(text) if part.strip(" ,\n")]
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("An argument is given twice.")
    if len(found) > _MOST:
        raise ValueError(f"There are {len(found)} arguments; {_MOST} is the limit.")
    for key, value in found.items():
        if not re.fullmatch(r"[A-Za-z]\w{0,39}", key, re.ASCII):
            raise ValueError(f"{key[:_LONGEST_WORD]!r} is not the name of an argument.")
        entries = value if isinstance(value, list) else [value]
        if len(entries) > _LONGEST_LIST:
            raise ValueError(f"{key} is a list of {len(entries)}; {_LONGEST_LIST} is the limit.")
        for entry in entries:
            _check(key, entry, _largest(key))
    return found


def _largest(key: str) -> int:
    if key == "num_classes":
        return _LARGEST_CLASSES
    return _LARGEST_SIDE if _SIDES.search(key) else _LARGEST


def _check(key: str, value: Value, largest: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, int | float):
        if value != value or abs(value) > largest:  # noqa: PLR0124 - NaN
            raise ValueError(f"{key} is {str(value)[:_LONGEST_WORD]}; numbers up to {largest:,} are allowed here.")
    elif not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - what it says is wrong, not the caller
            f"{key} is neither a number, true, false, null, a word nor a list of these."
        )
    elif len(value) > _LONGEST_WORD or not _WORD.fullmatch(value):
        raise ValueError(f"{key} must be a word of at most {_LONGEST_WORD} letters, digits and _ . + -.")
