"""Images with their classes, in a fixed order: the common form of all kinds of datasets.

Only names and labels are held in memory; an image is read when it is needed, from any thread.
"""

import hashlib
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias
from unicodedata import normalize

import numpy as np

from se_viz.data import imagenette
from se_viz.data import webdataset as tars
from se_viz.data.images import MAX_BYTES, ImageRefused, InputImage, decode
from se_viz.data.rejected import legible, shown
from se_viz.data.zip_archive import ArchiveRefused
from se_viz.types import Int32s

DatasetFormat: TypeAlias = Literal["folder", "csv", "parquet", "tar", "zip", "python", "images"]

UNLABELLED = -1
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(\.0*)?")
_NUMBER = re.compile(r"[+-]?([0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(e[+-]?[0-9]{1,2})?", re.IGNORECASE)
IN_FOLDERS = "put the images into one folder for each class"


@dataclass(frozen=True)
class Dataset:
    """N images, sorted by class and name, and read one by one.

    Attributes:
        name: a readable name: that of the folder or file.
        kind: the kind of source that holds the images.
        classes: names of the K classes, all different; empty if there are no labels.
        names: the N names of the images, relative to the dataset.
        labels: indices (N,) into ``classes``; UNLABELLED without a label, or where only reading the image gives it.
        read: index → image and label; raises ``ImageRefused`` for a broken image; may be called from any thread.
        notes: sentences on what was chosen and what was left out when the images were listed.
        unlabelled: where there are no classes, how the user can give labels; no full stop.
    """

    name: str
    kind: DatasetFormat
    classes: tuple[str, ...]
    names: Sequence[str]
    labels: Int32s
    read: Callable[[int], tuple[InputImage, int]]
    notes: tuple[str, ...] = ()
    unlabelled: str = IN_FOLDERS

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def sha256(self) -> str:
        """The hash of the names and labels in their order: two datasets with the same hash list the same images."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for name, label in zip(self.names, self.labels.tolist(), strict=True):
            digest.update(f"\n{label}\t{name}".encode(errors="surrogateescape"))
        return digest.hexdigest()


def disambiguate(names: Iterable[str]) -> tuple[str, ...]:
    """Append its index to each name that occurs more than once: ImageNet has two cranes and two maillots."""
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
        name: name of the dataset.
        kind: kind of its source.
        names: names of the images.
        texts: their labels as written; None for an image without one.
        locate: index into ``names`` → the file or tar member of the image.
        notes, unlabelled: see ``Dataset``.
    """
    written = {text for text in texts if text is not None}
    known = sorted(written, key=lambda text: (0, int(text), "") if text.isdecimal() else (1, 0, text))
    code = {text: number for number, text in enumerate(known)}
    codes = np.array([UNLABELLED if text is None else code[text] for text in texts], dtype=np.int32)
    order = sorted(range(len(names)), key=lambda index: (codes[index], names[index]))
    labels = codes[order]

    def read(index: int) -> tuple[InputImage, int]:
        file = locate(order[index])
        label = shown(names[order[index]])
        try:
            content = file.read() if isinstance(file, tars.Sample) else _content(label, file)
        except ArchiveRefused as refused:
            raise ImageRefused(label, refused.reason) from refused
        except OSError as error:
            raise ImageRefused(label, f"{error.strerror or error}; check the path") from error
        return decode(label, content), int(labels[index])

    ordered = [names[index] for index in order]
    notes = [*notes, *_alike(known), *_measured(known)]
    return Dataset(
        legible(name), kind, class_names(known), ordered, labels, read, tuple(map(legible, notes)), unlabelled
    )


def class_names(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the names of classes from their labels as written, all different.

    Imagenette's folders are WordNet ids; they are replaced by the class names of the models' logits. ImageNet has a
    hundred times as many classes, which keep their ids.
    """
    of_imagenette = set(texts) <= imagenette.CLASSES.keys()
    names = [imagenette.CLASSES[text] if of_imagenette else legible(text) for text in texts]
    return disambiguate(names) if len(set(names)) < len(names) else tuple(names)


def _alike(texts: Sequence[str]) -> list[str]:
    """Return a sentence on classes that a person would take for one: Cats and cats, and café in two codings."""
    by_look: dict[str, list[str]] = {}
    for text in texts:
        look = normalize("NFKC", " ".join(text.split())).casefold()
        by_look.setdefault(str(int(float(look))) if _WHOLE.fullmatch(look) else look, []).append(text)
    alike = [listed for listed in by_look.values() if len(listed) > 1]
    if not alike:
        return []
    first = " and ".join(map(shown, alike[0]))
    more = f" (like {len(alike) - 1:,} more)" if len(alike) > 1 else ""
    return [
        f"{first}{more} are counted as different classes, though their names differ only in case, spaces, the coding "
        "of their letters or the way a number is written: give them one name if they are one class."
    ]


def _measured(texts: Sequence[str]) -> list[str]:
    """Return a sentence on labels that are measured numbers rather than classes: 0.13 and 7.25."""
    if len(texts) < 2 or not all(map(_NUMBER.fullmatch, texts)) or all(float(text).is_integer() for text in texts):
        return []
    texts = sorted(texts, key=float)
    listed = f"{', '.join(texts[:3])}{', …' if len(texts) > 3 else ''}"
    return [
        f"The labels are numbers, some of them with fractions ({listed}). Each of the {len(texts):,} numbers counts as "
        "a class: put numbers that measure something into a few classes."
    ]


def _content(label: str, path: Path) -> bytes:
    """Return a file's bytes, at most one more than allowed; refuse a file that is not regular, as a pipe would wait."""
    try:
        mode = path.stat().st_mode
    except ValueError as error:
        raise ImageRefused(label, "its path has a character that is not allowed in paths; check the list") from error
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise ImageRefused(label, f"it is {kind}; check the path")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)
