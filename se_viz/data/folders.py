"""The images below a folder, at any depth; each link is followed once, so a cycle of links ends."""

import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from se_viz.data.file_kinds import format_of, is_clutter, is_image, left_out
from se_viz.data.rejected import shown

_Identity = tuple[int, int]


@dataclass
class Contents:
    """The files below a folder.

    Attributes:
        images: relative paths of the images, with ``/`` between their parts, sorted.
        others: suffix → number of files that are not read as images; hidden files are not counted.
        problems: sentences on folders that could not be opened, and on broken links.
        formats: folder below the root → formats of its images that are not supported.
    """

    images: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    formats: dict[str, Counter[str]] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Return sentences on the files that were left out."""
        with_images = {PurePath(name).parts[0] for name in self.images}
        without = [
            f"{shown(folder)} is not used as a class: none of its images can be read ({', '.join(sorted(formats))})."
            for folder, formats in sorted(self.formats.items())
            if folder not in with_images
        ]
        return [*self.problems, *without, *left_out(self.others)]


def find_images(root: Path) -> Contents:
    """Return the images below a folder. Hidden files and folders, and those that systems create, are skipped.

    A linked folder is read as if it were at the place of the link, once in each subfolder of the root: a second link to
    the same folder, or a link back up, is skipped.
    """
    contents = Contents()
    try:
        above = {_identity(root)}
    except OSError as error:
        contents.problems.append(f"{root} was left out: {error.strerror}; check the path.")
        return contents
    for folder, name in _walk_one(root, "", contents):
        identity = _identity(folder)
        if identity not in above:
            _walk(folder, name, {*above, identity}, contents)
    contents.images.sort()
    return contents


def holds_image(folder: Path, *, below: bool = False) -> bool:
    """Return whether a folder holds an image at any depth; with ``below``, whether one of its subfolders does."""
    contents = Contents()
    start = [inner for inner, _ in _walk_one(folder, "", Contents())] if below else [folder]
    seen = {_identity(folder)} if below else set()
    while start:
        inner = start.pop()
        if (identity := _identity(inner)) in seen:
            continue
        seen.add(identity)
        start += [further for further, _ in _walk_one(inner, "", contents)]
        if contents.images:
            return True
    return False


def subfolders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted, without hidden folders and those that systems create."""
    return sorted(name for _, name in _walk_one(folder, "", Contents()))


def problems_in(folder: Path) -> list[str]:
    """Return sentences on broken links directly in a folder, or on the folder itself if it cannot be opened."""
    contents = Contents()
    list(_walk_one(folder, "", contents))
    return contents.problems


def _walk(start: Path, prefix: str, seen: set[_Identity], contents: Contents) -> None:
    """Find all below one folder of the root; real folders are read before linked ones."""
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
        for inner, inner_name in _walk_one(folder, name, contents):
            identity = _identity(inner)
            if inner.is_symlink():
                linked.append((inner, inner_name, identity))
            elif identity not in seen:
                seen.add(identity)
                here.append((inner, inner_name))


def _walk_one(folder: Path, prefix: str, contents: Contents) -> Iterator[tuple[Path, str]]:
    """Count the files of a folder, and yield its folders with their relative paths."""
    try:
        with os.scandir(folder) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        contents.problems.append(f"{shown(prefix or str(folder))} was left out: {error.strerror}; check the path.")
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
            pass  # a link to itself: reading it will report the error
        if is_image(entry.name):
            contents.images.append(name)
            continue
        if entry.is_symlink() and not Path(entry.path).exists():
            contents.problems.append(f"{shown(name)} is a link to {_target(Path(entry.path))}, which does not exist.")
            continue
        suffix = PurePath(entry.name).suffix.lower()
        contents.others[suffix] += 1
        if prefix and (called := format_of(entry.name)):
            contents.formats.setdefault(name.split("/")[0], Counter())[called] += 1


def _target(link: Path) -> str:
    """Return the target of a link as text that is safe to show."""
    return "/".join(shown(part) if part else "" for part in str(link.readlink()).split("/"))


def _identity(folder: Path) -> _Identity:
    about = folder.stat()
    return about.st_dev, about.st_ino
