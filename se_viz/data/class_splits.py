"""The folder of a split among the folders of an image's path, and the choice of a split among many paths."""

from collections.abc import Sequence
from typing import NamedTuple

from se_viz.data import splits
from se_viz.data.split_names import meaning


class FolderPlace(NamedTuple):
    """The place of an image among folders.

    Attributes:
        around: the folders that contain the split; all folders if there is no split.
        split: the outermost folder that is named as a split, such as ``train``; "" without one.
        below: its label within that split: the folder below the split, unless a file gives a label.
    """

    around: tuple[str, ...]
    split: str
    below: str | None

    @property
    def above(self) -> str | None:
        """The folder that contains the split; None if nothing does, or if there is no split."""
        return self.around[-1] if self.split and self.around else None

    @property
    def flat(self) -> bool:
        """True if it is directly in the split's folder without a label, so that the folder may be a class."""
        return bool(self.split) and self.below is None


NOWHERE = FolderPlace((), "", None)


def place_of(folders: Sequence[str]) -> FolderPlace:
    """Return the place of an image in these folders, the outermost first."""
    position = next((index for index, name in enumerate(folders) if meaning(name)), None)
    if position is None:
        return FolderPlace(tuple(folders), "", None)
    split = folders[position]
    below = list(folders[position + 1 :])
    while below and meaning(below[0]) == meaning(split):  # training_set/training_set/cat
        del below[0]
    return FolderPlace(tuple(folders[:position]), split, below[0] if below else None)


def by_class(places: Sequence[FolderPlace]) -> list[FolderPlace]:
    """Return the places, labelled with the folder above the split where classes hold splits: ``cat/train/1.png``."""
    if len({place.above for place in places if place.flat} - {None}) < 2:
        return list(places)
    return [place._replace(below=place.above) if place.flat else place for place in places]


def pick_split(
    places: Sequence[FolderPlace], split: str | None, where: str, called: str, *, of_folder: bool = False
) -> tuple[splits.Choice, list[int]] | None:
    """Return the choice of a split, and the indices of its images; None where there are no splits.

    Args:
        places: see ``by_class``.
        split, where, called: see ``splits.indices_of_split``.
        of_folder: whether splits in several places are no splits, as ``dataset_folder.find_classes`` reads a folder; in
            an archive they are the splits of several classes.

    Raises:
        DatasetRefused: there are splits, but not the one asked for.
    """
    if of_folder and len({place.around for place in places if place.split}) > 1:
        return None
    # A folder of images with the name of a split may be a class; it is a split if the user asks for that split.
    parts = ["" if place.flat and split is None else place.split for place in places]
    return splits.pick_split(parts, split, where, called, loose=True)
