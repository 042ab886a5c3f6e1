"""What the name of a folder, a file or a cell says of a split: train, val or test, by whatever names."""

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
    """Return "train", "val" or "test" for a name that means that, in any case; else an empty string."""
    found = _NAME.fullmatch(name.strip().lower())
    return _MEANING[found[1]] if found else ""


def meaning_of_part(name: str) -> str:
    """The same for a file that names its split among other words, as ``cats-train-0003.tar`` does."""
    found = {meaning(word) for word in re.split(r"[-_. ]+", name)} - {""}
    return found.pop() if len(found) == 1 else ""
