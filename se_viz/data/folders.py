"""The images below a folder, at any depth; links are followed once, so that a cycle of them ends."""

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from se_viz.data.names import format_of, is_clutter, is_image, left_out
from se_viz.data.rejected import shown

_Identity = tuple[int, int]


@dataclass
class Found:
    """What lies below a folder.

    Attributes:
        images: relative paths with ``/`` between their parts, sorted.
        others: suffix → how many files are no image that is read; hidden ones are not counted.
        problems: sentences on folders that could not be opened, and on links that lead nowhere.
        formats: folder below the root → formats of its images that are not read.
    """

    images: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    formats: dict[str, Counter[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Sentences on what was left out."""
        with_images = {PurePath(name).parts[0] for name in self.images}
        without = [
            f"{shown(folder)} is no class, as none of its images can be read ({', '.join(sorted(formats))})."
            for folder, formats in sorted(self.formats.items())
            if folder not in with_images
        ]
        return [*self.problems, *without, *left_out(self.others)]


def find_images(root: Path) -> Found:
    """Return the images below a folder. Hidden files and folders, and those that systems leave, are passed over.

    A folder that is reached by a link is read as if it lay there, once in each folder of the root: where two links lead
    to it, or a link leads back up, the second is passed over.
    """
    found = Found()
    try:
        above = {_identity(root)}
    except OSError as error:
        found.problems.append(f"{root} was left out: {error.strerror}; check the path.")
        return found
    for folder, name in _walk_one(root, "", found):
        identity = _identity(folder)
        if identity not in above:
            _walk(folder, name, {*above, identity}, found)
    found.images.sort()
    return found


def holds_image(folder: Path, *, below: bool = False) -> bool:
    """Whether there is an image in a folder, at any depth; ``below`` asks for one in a folder of it."""
    found = Found()
    start = [inner for inner, _ in _walk_one(folder, "", Found())] if below else [folder]
    seen = {_identity(folder)} if below else set()
    while start:
        inner = start.pop()
        if (identity := _identity(inner)) in seen:
            continue
        seen.add(identity)
        start += [further for further, _ in _walk_one(inner, "", found)]
        if found.images:
            return True
    return False


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden ones and those that systems leave."""
    return sorted(name for _, name in _walk_one(folder, "", Found()))


def problems_in(folder: Path) -> list[str]:
    """Return sentences on what lies in a folder, and not below, and leads nowhere."""
    found = Found()
    list(_walk_one(folder, "", found))
    return found.problems


def _walk(start: Path, prefix: str, seen: set[_Identity], found: Found) -> None:
    """All below one folder of the root; folders that lie there come before those that links lead to."""
    here = deque([(start, prefix)])
    linked: deque[tuple[Path, str, _Identity]] = deque()
    while here or linked:
        if here:
            folder, name = here.popleft()
        else:
            folder, name, identity = linked.popleft()
            if identity in seen:
                continue
            seen.add(identity)
        for inner, inner_name in _walk_one(folder, name, found):
            identity = _identity(inner)
            if inner.is_symlink():
                linked.append((inner, inner_name, identity))
            elif identity not in seen:
                seen.add(identity)
                here.append((inner, inner_name))


def _walk_one(folder: Path, prefix: str, found: Found) -> Iterator[tuple[Path, str]]:
    """Count the files of a folder, and yield its folders with their relative paths."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.problems.append(f"{shown(prefix or str(folder))} was left out: {error.strerror}; check the path.")
        return
    for entry in listed:
        if is_clutter(entry.name):
            continue
        name = f"{prefix}/{entry.name}" if prefix else entry.name
        try:
            if entry.is_dir():
                yield Path(entry.path), name
                continue
        except OSError:
            pass  # a link to itself: reading it will say so
        if is_image(entry.name):
            found.images.append(name)
            continue
        if entry.is_symlink() and not Path(entry.path).exists():
            found.problems.append(f"{shown(name)} is a link to {_target(Path(entry.path))}, which does not exist.")
            continue
        suffix = PurePath(entry.name).suffix.lower()
        found.others[suffix] += 1
        if prefix and (called := format_of(entry.name)):
            found.formats.setdefault(name.split("/")[0], Counter())[called] += 1


def _target(link: Path) -> str:
    """Where a link leads, fit to be shown."""
    return "/".join(shown(part) if part else "" for part in str(link.readlink()).split("/"))


def _identity(folder: Path) -> _Identity:
    about = folder.stat()
    return about.st_dev, about.st_ino
