"""Which part of a dataset is taken, where it comes in several: train, val, test, by whatever names."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from se_viz.data.folders import holds_image, subfolders
from se_viz.data.labelled import DatasetRefused
from se_viz.data.refusals import shown

_WORDS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev", "development", "eval", "evaluation"),
    "test": ("test", "testing"),
}
_MEANING = {word: meaning for meaning, words in _WORDS.items() for word in words}
_NAME = re.compile(
    rf"({'|'.join(sorted(_MEANING, key=len, reverse=True))})[-_ ]?(?:sets?|data|split|images?|imgs|(?:19|20)\d\d)?"
)
_FIRST = ("val", "test", "train")  # what is taken where nothing is asked for


def meaning(name: str) -> str:
    """Return "train", "val" or "test" for a name that means that, in any case; else an empty string."""
    found = _NAME.fullmatch(name.strip().lower())
    return _MEANING[found[1]] if found else ""


def meaning_of_part(name: str) -> str:
    """The same for a file that names its split among other words, as ``cats-train-0003.tar`` does."""
    found = {meaning(word) for word in re.split(r"[-_. ]+", name)} - {""}
    return found.pop() if len(found) == 1 else ""


def choose(names: Iterable[str], asked: str | None, where: str) -> str:
    """Return which of several splits is meant: the one that is asked for, else validation, test or training.

    Args:
        names: of the splits, each of which has a ``meaning``.
        asked: one of them, or another word for it; None if nothing was asked for.
        where: they are, for the sentence.

    Raises:
        DatasetRefused: none of them is what was asked for.
    """
    listed = sorted(names)
    wanted = [asked] if asked is not None else _FIRST
    for want in wanted:
        for alike in (
            lambda name, want=want: name == want,
            lambda name, want=want: name.lower() == want.lower(),
            lambda name, want=want: meaning(want) != "" and meaning(name) == meaning(want),
        ):
            found = next(filter(alike, listed), None)
            if found is not None:
                return found
    raise DatasetRefused(f"There is no {asked!r} in {where}; it has {', '.join(listed)}.")


def said(names: Iterable[str], chosen: str, where: str, left: Sequence[str] = ()) -> list[str]:
    """The sentences on a choice: what there was, what was taken, how to take another."""
    listed = ", ".join(map(shown, sorted(names)))
    sentences = [
        f"{where} is split into {listed}: {shown(chosen)} was taken (--split, or split= in Python, takes another)."
    ]
    if left:
        sentences.append(f"Beside the splits, {', '.join(map(shown, left))} was left out.")
    return sentences


def of_folder(path: Path, asked: str | None) -> tuple[Path, str, list[str]]:
    """Find the folder that holds the class folders, or the tar files.

    The folders of a dataset are its splits where they are named so and hold class folders; others beside them must hold
    no images, or at least two splits must be there. They may lie in the only folder of ``path``.

    Returns:
        The folder, the name of the split ("" if there are no splits), and sentences on the choice.

    Raises:
        DatasetRefused: there are splits, and none is what was asked for.
    """
    for root in (path, *_wrappers(path)):
        inside = subfolders(root)
        named = [name for name in inside if meaning(name)]
        if not named:
            continue
        full = [name for name in named if holds_image(root / name, below=True) or any((root / name).glob("*.tar"))]
        flat = [name for name in named if name not in full and holds_image(root / name)]
        others = [name for name in inside if name not in named and holds_image(root / name)]
        if not full and asked is None:
            listed = ", ".join(map(shown, flat))
            about = f"{listed} in {shown(root.resolve().name)} hold no class folders, so they are taken as classes "
            return (
                path,
                "",
                [f"{about}(--split, or split= in Python, takes one of them)."] if flat and not others else [],
            )
        if not full + flat or (others and len({meaning(name) for name in full}) < 2):
            continue
        chosen = choose(full if asked is None else [*full, *flat], asked, str(root))
        return root / chosen, chosen, said([*full, *flat], chosen, shown(root.resolve().name), others)
    return path, "", []


def _wrappers(path: Path) -> list[Path]:
    """The folder that an archive was unpacked into, or what torchvision makes of Imagenette."""
    named = sorted(folder for folder in path.glob("imagenette2*") if folder.is_dir())
    inside = subfolders(path)
    return named or ([path / inside[0]] if len(inside) == 1 else [])
