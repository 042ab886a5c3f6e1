"""The split that the name of a folder, a file or a cell stands for: train, val or test, and their synonyms."""

import re

_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing"),
}
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words}
_NAME = re.compile(
    rf"({'|'.join(sorted(_MEANING, key=len, reverse=True))})[-_ ]?(?:sets?|data|split|images?|imgs|(?:19|20)\d\d)?"
)


def meaning(name: str) -> str:
    """Return "train", "val" or "test" for a name of that split, in any case; else an empty string."""
    match = _NAME.fullmatch(name.strip().lower())
    return _MEANING[match[1]] if match else ""


def meaning_of_part(name: str) -> str:
    """Return the meaning of a file's name with its split among other words, such as ``cats-train-0003.tar``."""
    splits = {meaning(word) for word in re.split(r"[-_. ]+", name)} - {""}
    return splits.pop() if len(splits) == 1 else ""
