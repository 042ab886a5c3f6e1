"""The layout of a dataset folder: where its class folders are, and which of its splits is taken."""

from collections.abc import Iterator
from pathlib import Path

from se_viz.data.file_kinds import is_clutter, is_image
from se_viz.data.folders import holds_image, problems_in, subfolders
from se_viz.data.rejected import shown
from se_viz.data.split_names import meaning
from se_viz.data.splits import choice_sentences, choose

_DEEPEST = 4


def find_classes(path: Path, split: str | None) -> tuple[Path, str, list[str]]:
    """Find the folder that holds the class folders, or the tar files.

    Folders are splits if they are named as splits and hold class folders. In addition, other folders beside them must
    hold no images, or there must be at least two splits. The splits may be in the only folder of ``path`` that holds
    images, at some depth, or in the only one that holds nothing but splits.

    Returns:
        The folder, the name of the split ("" if there are no splits), and sentences on the choice.

    Raises:
        DatasetRefused: there are splits, but not the one asked for.
    """
    notes: list[str] = []
    for root, beside in _roots(path):
        inside = subfolders(root)
        named = [name for name in inside if meaning(name)]
        if not named:
            continue
        with_classes = [name for name in named if _is_full(root / name)]
        flat = [name for name in named if name not in with_classes and holds_image(root / name)]
        others = [name for name in inside if name not in named and holds_image(root / name)]
        if not with_classes and split is None:
            if flat and not others and root == path:
                listed = ", ".join(map(shown, flat))
                about = (
                    f"{listed} in {shown(root.resolve().name)} contain no class folders, so they are taken as classes"
                )
                notes = [f"{about} (use --split, or split= in Python, to take one of them)."]
            continue
        if not with_classes + flat or (others and len({meaning(name) for name in with_classes}) < 2):
            continue
        chosen = choose(with_classes if split is None else [*with_classes, *flat], split, str(root))
        notes = choice_sentences([*with_classes, *flat], chosen, shown(root.resolve().name), [*beside, *others])
        notes += problems_in(root)
        loose = _loose(root) + (_loose(path) if root != path else 0)
        if loose:
            files = "image beside the splits was" if loose == 1 else "images beside the splits were"
            notes.append(f"{loose:,} {files} left out.")
        return _innermost(root / chosen, chosen), chosen, notes
    return path, "", notes or _unsplit(path)


def _is_full(folder: Path) -> bool:
    """Return whether a folder that is named as a split holds class folders or tar files."""
    return holds_image(folder, below=True) or any(folder.glob("*.tar"))


def _loose(folder: Path) -> int:
    return sum(is_image(file.name) and not is_clutter(file.name) for file in folder.iterdir())


def _roots(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield each folder that may contain the splits, and the names of the folders with images beside it."""
    yield path, []
    # The folder that torchvision makes for Imagenette.
    yield from ((folder, []) for folder in sorted(path.glob("imagenette2*")) if folder.is_dir())
    root = path
    for _ in range(_DEEPEST):
        # The folder that an archive was unpacked into, or one beside folders with annotations.
        holding = _two_at_most(root)
        if len(holding) != 1:
            break
        root /= holding[0]
        yield root, []
    inside = subfolders(path)
    of_splits = [name for name in inside if len(inside) > 1 and _splits_only(_inner(path / name))]
    if len(of_splits) == 1:
        yield (
            _inner(path / of_splits[0]),
            [name for name in inside if name not in of_splits and holds_image(path / name)],
        )


def _inner(folder: Path) -> Path:
    """Follow folders that hold only one folder, which is not a split; return the last one."""
    for _ in range(_DEEPEST):
        inside = subfolders(folder)
        if len(inside) != 1 or meaning(inside[0]):
            break
        folder /= inside[0]
    return folder


def _two_at_most(folder: Path) -> list[str]:
    """Return the names of the first two folders that hold images or tar files."""
    holding: list[str] = []
    for name in subfolders(folder):
        if holds_image(folder / name) or any((folder / name).rglob("*.tar")):
            holding.append(name)
            if len(holding) > 1:
                break
    return holding


def _splits_only(folder: Path) -> bool:
    """Return whether a folder's images are all in splits, at least two of which have class folders."""
    inside = subfolders(folder)
    named = [name for name in inside if meaning(name)]
    return (
        len(set(map(meaning, named))) > 1
        and not _loose(folder)
        and len({meaning(name) for name in named if _is_full(folder / name)}) > 1
        and not any(holds_image(folder / name) for name in inside if name not in named)
    )


def _innermost(folder: Path, split: str) -> Path:
    """Follow a split's only folder if it has the name of the split again: ``training_set/training_set``."""
    for _ in range(_DEEPEST):
        holding = _two_at_most(folder)
        if len(holding) != 1 or meaning(holding[0]) != meaning(split) or _loose(folder):
            break
        if not meaning(split) or not _is_full(folder / holding[0]):
            break
        folder /= holding[0]
    return folder


def _unsplit(path: Path) -> list[str]:
    """Return a sentence on classes that hold splits, all of which are taken; an empty list if there are no such."""
    held = {}
    for name in subfolders(path):
        folder = _inner(path / name)
        named = [inner for inner in subfolders(folder) if meaning(inner) and holds_image(folder / inner)]
        if len(set(map(meaning, named))) > 1:
            held[name] = named
    if not held:
        return []
    first, named = next(iter(held.items()))
    others = len(held) - 1
    more = f" (like {others:,} other {'class' if others == 1 else 'classes'})" if others else ""
    return [
        f"Class {shown(first)}{more} contains folders called {', '.join(map(shown, named))}, and the images of all of "
        "them were taken: to take one split only, name a folder that contains the splits, with class folders in each."
    ]
