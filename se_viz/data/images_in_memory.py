"""Images in memory → a dataset whose classes are the folders in their names."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from se_viz.data.class_folders import folder_of
from se_viz.data.dataset import Dataset, class_names
from se_viz.data.images import InputImage
from se_viz.wording import listed

_NAMED = 3  # maximum number of classes that the name of the dataset lists


def in_folders(images: Sequence[InputImage]) -> dict[str, list[InputImage]]:
    """Return the images by the folder in their name, sorted; images without a folder are left out."""
    folders: dict[str, list[InputImage]] = {}
    for image in images:
        folder = folder_of(image.name)
        if folder:
            folders.setdefault(folder, []).append(image)
    return dict(sorted(folders.items()))


def from_images(images: Sequence[InputImage], left_out: Sequence[str] = ()) -> Dataset:
    """Return the dataset of images: each counts for its folder, and is read from memory.

    Args:
        images: images from two folders or more; those without a folder are left out, with a note.
        left_out: sentences on files that were not read; a note says how many there are of each class.
    """
    folders = in_folders(images)
    classes = class_names(list(folders))
    ordered = [
        (image, label)
        for label, listed in enumerate(folders.values())
        for image in sorted(listed, key=lambda i: i.name)
    ]
    labels = np.array([label for _, label in ordered], np.int32)

    def read(index: int) -> tuple[InputImage, int]:
        return ordered[index]

    names = [image.name for image, _ in ordered]
    notes = tuple(_notes(len(images) - len(names), dict(zip(folders, classes, strict=True)), left_out))
    return Dataset(_name(classes), "images", classes, names, labels, read, notes)


def _name(classes: Sequence[str]) -> str:
    """Return "cats and dogs", "cats, dogs and ants", or "cats, dogs and 4 more folders"."""
    if len(classes) > _NAMED:
        return f"{classes[0]}, {classes[1]} and {len(classes) - 2} more folders"
    return listed(classes)


def _notes(loose: int, classes: dict[str, str], left_out: Sequence[str]) -> list[str]:
    notes = []
    if loose:
        images = "1 image that is in no folder was" if loose == 1 else f"{loose:,} images that are in no folder were"
        notes.append(f"{images} left out.")
    # "cats/tom.jpg was left out: …" names its folder.
    times = Counter(folder for said in left_out for folder in classes if said.startswith(f"{folder}/"))
    if times:
        by_class = ", ".join(f"{classes[folder]} {count:,}" for folder, count in times.items())
        files = "1 file was" if times.total() == 1 else f"{times.total():,} files were"
        notes.append(f"{files} left out when the images were read ({by_class}).")
    return notes
