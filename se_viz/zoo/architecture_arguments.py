"""Keyword arguments of an architecture, read from text."""

import json
import re
from typing import TypeAlias

Value: TypeAlias = object

_LONGEST = 500
_MOST = 16
_LONGEST_WORD = 40
_LONGEST_LIST = 16

# Maximum of a number: sides of images, channels, layers. No image network has more, and such numbers are quick to use.
_LARGEST = 2048
_LARGEST_CLASSES = 100_000

# Maximum side of images and windows: some attention layers build tables in loops over all pairs of pixels.
_LARGEST_SIDE = 1024
_SIDES = re.compile(r"size|resolution|window|res\b", re.IGNORECASE)

_WORDS = {"True": True, "False": False, "None": None}
_NEXT = re.compile(r"[,\n](?=\s*[A-Za-z_]\w*\s*=)")
_WORD = re.compile(r"[\w.+-]*", re.ASCII)


def value_of(text: str) -> Value:
    """Return the value of a text: JSON, True, False or None of Python, a tuple, or a word."""
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
        ValueError: the text has another form.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key.isidentifier() or not value.strip():
        raise ValueError(f"An argument has the form KEY=VALUE, not {text.strip()[:_LONGEST_WORD]!r}.")
    return key, value_of(value)


def from_stranger(text: str) -> dict[str, Value]:
    """Return the arguments in an untrusted text from the page: ``key=value, key=value``, or a JSON object.

    Values are numbers up to 2048 (sides up to 1024, num_classes up to 100,000), true, false, null, words of letters,
    digits and ``_.+-``, and lists of up to 16 of these. So no value is a path, an address or a program, and no single
    one makes anything large. Their combination is limited by ``meta_model.bounded`` and by the limits on parameters and
    tables, see ``checkpoint_plan.Sketch``.

    Raises:
        ValueError: the text has another form or a value is not allowed; the message says which.
    """
    text = text.strip(" ,\n\t")
    if len(text) > _LONGEST:
        raise ValueError(f"The arguments have {len(text):,} characters; the limit is {_LONGEST}.")
    if text.startswith("{"):
        found = value_of(text)
        if not isinstance(found, dict):
            raise ValueError("The arguments begin like JSON but are invalid: write key=value, key=value.")
    else:
        pairs = [pair(part) for part in _NEXT.split(text) if part.strip(" ,\n")]
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError("An argument is given twice.")
    if len(found) > _MOST:
        raise ValueError(f"There are {len(found)} arguments; the limit is {_MOST}.")
    for key, value in found.items():
        if not re.fullmatch(r"[A-Za-z]\w{0,39}", key, re.ASCII):
            raise ValueError(f"{key[:_LONGEST_WORD]!r} is not the name of an argument.")
        entries = value if isinstance(value, list) else [value]
        if len(entries) > _LONGEST_LIST:
            raise ValueError(f"{key} is a list of {len(entries)} values; the limit is {_LONGEST_LIST}.")
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
            raise ValueError(f"{key} is {str(value)[:_LONGEST_WORD]}; numbers up to {largest:,} are allowed.")
    elif not isinstance(value, str):
        raise ValueError(  # noqa: TRY004 - the text is wrong, not the caller
            f"{key} is neither a number, true, false, null, a word nor a list of these."
        )
    elif len(value) > _LONGEST_WORD or not _WORD.fullmatch(value):
        raise ValueError(f"{key} must be a word of at most {_LONGEST_WORD} letters, digits and _ . + -.")
