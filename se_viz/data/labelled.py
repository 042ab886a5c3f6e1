"""Images with their classes, in a fixed order: what every kind of dataset becomes.

Nothing but names and labels is held in memory; an image is read when it is asked for, from any thread.
"""

import hashlib
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from se_viz.data import imagenette
from se_viz.data import webdataset as tars
from se_viz.data.images import MAX_BYTES, ImageRefused, InputImage, decode
from se_viz.data.rejected import legible, shown

DatasetFormat: TypeAlias = Literal["folder", "csv", "parquet", "tar", "python"]
Labels: TypeAlias = npt.NDArray[np.int32]

UNLABELLED = -1
IN_FOLDERS = "put the images into one folder for each class"


class DatasetRefused(ValueError):
    """What was given is no dataset; the message says why and what to do."""


@dataclass(frozen=True)
class Dataset:
    """N images, sorted by class and name, and read one by one.

    Attributes:
        name: what a person calls it: the folder's or the file's name.
        kind: where the images are.
        classes: names of the K classes, no two alike; empty if there are no labels.
        names: of the images, N, relative to the dataset.
        labels: (N,) into ``classes``; UNLABELLED where there is none, or where it is known only with the image.
        read: index → image and label; raises ``ImageRefused`` for a broken one, from any thread.
        notes: sentences on what was chosen and what was left out when the images were listed.
        unlabelled: where there are no classes, how labels can be given; no full stop.
    """

    name: str
    kind: DatasetFormat
    classes: tuple[str, ...]
    names: Sequence[str]
    labels: Labels
    read: Callable[[int], tuple[InputImage, int]]
    notes: tuple[str, ...] = ()
    unlabelled: str = IN_FOLDERS

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def sha256(self) -> str:
        """Of the names and labels in their order: two datasets of the same hash list the same images."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for name, label in zip(self.names, self.labels.tolist(), strict=True):
            digest.update(f"\n{label}\t{name}".encode(errors="surrogateescape"))
        return digest.hexdigest()


def disambiguate(names: Iterable[str]) -> tuple[str, ...]:
    """The names with the index behind those that occur twice: ImageNet has two cranes and two maillots."""
    listed = list(names)
    times = Counter(listed)
    return tuple(name if times[name] == 1 else f"{name} ({index})" for index, name in enumerate(listed))


def labelled(
    name: str,
    kind: DatasetFormat,
    names: list[str],
    texts: list[str | None],
    locate: Callable[[int], Path | tars.Sample],
    notes: Sequence[str] = (),
    unlabelled: str = IN_FOLDERS,
) -> Dataset:
    """Return a dataset of images in files.

    Args:
        name: of the dataset.
        kind: of what it was made.
        names: of the images.
        texts: their labels as they are written; None where there is none.
        locate: index of a name → where its image is.
        notes, unlabelled: as for ``Dataset``.
    """
    written = {text for text in texts if text is not None}
    known = sorted(written, key=lambda text: (0, int(text), "") if text.isdecimal() else (1, 0, text))
    code = {text: number for number, text in enumerate(known)}
    codes = np.array([UNLABELLED if text is None else code[text] for text in texts], dtype=np.int32)
    order = sorted(range(len(names)), key=lambda index: (codes[index], names[index]))
    labels = codes[order]

    def read(index: int) -> tuple[InputImage, int]:
        where = locate(order[index])
        label = shown(names[order[index]])
        try:
            content = where.read() if isinstance(where, tars.Sample) else _content(label, where)
        except OSError as error:
            raise ImageRefused(label, f"{error.strerror or error}; check the path") from error
        return decode(label, content), int(labels[index])

    # Imagenette's folders are WordNet ids; its classes are better known by the names of the models' logits. ImageNet's
    # are a hundred times as many, and keep their ids.
    classes = [imagenette.CLASSES[text] if written <= imagenette.CLASSES.keys() else legible(text) for text in known]
    if len(set(classes)) < len(classes):
        classes = list(disambiguate(classes))
    ordered = [names[index] for index in order]
    return Dataset(legible(name), kind, tuple(classes), ordered, labels, read, tuple(map(legible, notes)), unlabelled)


def _content(label: str, path: Path) -> bytes:
    """The file's bytes, of one larger than is taken only the beginning; only of a regular one, as a pipe would wait."""
    try:
        mode = path.stat().st_mode
    except ValueError as error:
        raise ImageRefused(label, "its path has a character that no path can have; check the list") from error
    if not stat.S_ISREG(mode):
        raise ImageRefused(label, f"it is {'a folder' if stat.S_ISDIR(mode) else 'no ordinary file'}; check the path")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
