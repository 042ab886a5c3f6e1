"""Where the class folders of a dataset lie below the folder that is given, and which of its splits is taken."""

from collections.abc import Iterator
from pathlib import Path

from se_viz.data.folders import holds_image, problems_in, subfolders
from se_viz.data.meanings import meaning
from se_viz.data.names import is_clutter, is_image
from se_viz.data.rejected import shown
from se_viz.data.splits import choose, said

_DEEPEST = 4


def of_folder(path: Path, asked: str | None) -> tuple[Path, str, list[str]]:
    """Find the folder that holds the class folders, or the tar files.

    The folders of a dataset are its splits where they are named so and hold class folders; others beside them must hold
    no images, or at least two splits must be there. They may lie in the only folder of ``path`` that holds images, at
    some depth, or in the only one that holds nothing but splits.

    Returns:
        The folder, the name of the split ("" if there are no splits), and sentences on the choice.

    Raises:
        DatasetRefused: there are splits, and none is what was asked for.
    """
    told: list[str] = []
    for root, beside in _roots(path):
        inside = subfolders(root)
        named = [name for name in inside if meaning(name)]
        if not named:
            continue
        with_classes = [name for name in named if _is_full(root / name)]
        flat = [name for name in named if name not in with_classes and holds_image(root / name)]
        others = [name for name in inside if name not in named and holds_image(root / name)]
        if not with_classes and asked is None:
            if flat and not others and root == path:
                listed = ", ".join(map(shown, flat))
                about = f"{listed} in {shown(root.resolve().name)} hold no class folders, so they are taken as classes "
                told = [f"{about}(--split, or split= in Python, takes one of them)."]
            continue
        if not with_classes + flat or (others and len({meaning(name) for name in with_classes}) < 2):
            continue
        chosen = choose(with_classes if asked is None else [*with_classes, *flat], asked, str(root))
        notes = said([*with_classes, *flat], chosen, shown(root.resolve().name), [*beside, *others])
        notes += problems_in(root)
        loose = _loose(root) + (_loose(path) if root != path else 0)
        if loose:
            notes.append(f"{loose:,} {'image' if loose == 1 else 'images'} beside the splits left out.")
        return _innermost(root / chosen, chosen), chosen, notes
    return path, "", told or _unsplit(path)


def _is_full(folder: Path) -> bool:
    """Whether a folder that is called as a split is holds class folders, or tar files."""
    return holds_image(folder, below=True) or any(folder.glob("*.tar"))


def _loose(folder: Path) -> int:
    return sum(is_image(file.name) and not is_clutter(file.name) for file in folder.iterdir())


def _roots(path: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield the folders in which the splits may lie, and the names of those beside each that hold images."""
    yield path, []
    # What torchvision makes of Imagenette.
    yield from ((folder, []) for folder in sorted(path.glob("imagenette2*")) if folder.is_dir())
    root = path
    for _ in range(_DEEPEST):
        # What an archive was unpacked into, or a folder beside others that hold annotations.
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
    """The folder itself, or where it holds one folder alone, and that no split, what lies in it."""
    for _ in range(_DEEPEST):
        inside = subfolders(folder)
        if len(inside) != 1 or meaning(inside[0]):
            break
        folder /= inside[0]
    return folder


def _two_at_most(folder: Path) -> list[str]:
    """The first two folders that hold images or tar files."""
    found: list[str] = []
    for name in subfolders(folder):
        if holds_image(folder / name) or any((folder / name).rglob("*.tar")):
            found.append(name)
            if len(found) > 1:
                break
    return found


def _splits_only(folder: Path) -> bool:
    """Whether all that holds images in a folder are two splits or more, with class folders."""
    inside = subfolders(folder)
    named = [name for name in inside if meaning(name)]
    return (
        len(set(map(meaning, named))) > 1
        and not _loose(folder)
        and len({meaning(name) for name in named if _is_full(folder / name)}) > 1
        and not any(holds_image(folder / name) for name in inside if name not in named)
    )


def _innermost(folder: Path, split: str) -> Path:
    """The folder below a split that is called so again and is all it holds: ``training_set/training_set``."""
    for _ in range(_DEEPEST):
        holding = _two_at_most(folder)
        if len(holding) != 1 or meaning(holding[0]) != meaning(split) or _loose(folder):
            break
        if not meaning(split) or not _is_full(folder / holding[0]):
            break
        folder /= holding[0]
    return folder


def _unsplit(path: Path) -> list[str]:
    """A sentence on classes that hold splits, all of which are taken."""
    held = {}
    for name in subfolders(path):
        folder = _inner(path / name)
        named = [inner for inner in subfolders(folder) if meaning(inner) and holds_image(folder / inner)]
        if len(set(map(meaning, named))) > 1:
            held[name] = named
    if not held:
        return []
    first, named = next(iter(held.items()))
    more = f" (and {len(held) - 1:,} more so)" if len(held) > 1 else ""
    return [
        f"Class {shown(first)}{more} holds folders called {', '.join(map(shown, named))}, and images of all of them "
        "were taken: to take one, name a folder that holds the splits, with class folders in each."
    ]
