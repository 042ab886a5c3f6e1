"""A folder, a CSV file, tar files or a dataset object → pictures in a fixed order, with their classes.

Nothing but names and labels is held in memory; a picture is read when it is asked for, from any thread.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import index as as_index
from pathlib import Path
from typing import Literal, Protocol, SupportsIndex, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from se_viz.data import imagenette, tars
from se_viz.data.images import MAX_BYTES, ImageRefused, Picture, decode
from se_viz.data.intake import SUFFIXES
from se_viz.data.refusals import legible, shown

Kind: TypeAlias = Literal["folder", "csv", "tar", "python"]
Labels: TypeAlias = npt.NDArray[np.int32]

UNLABELLED = -1
_SPLITS = frozenset({"train", "val", "test"})


class DatasetRefused(ValueError):
    """What was given is no dataset; the message says why and what to do."""


@runtime_checkable
class Indexed(Protocol):
    """What a torchvision dataset has: a length, and (image, label) by index."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> object: ...


@dataclass(frozen=True)
class Dataset:
    """N pictures, sorted by class and name, and read one by one.

    Attributes:
        name: what a person calls it: the folder's or the file's name.
        kind: where the pictures are.
        classes: names of the K classes, no two alike; empty if there are no labels.
        names: of the pictures, N, relative to the dataset.
        labels: (N,) into ``classes``; UNLABELLED where there is none, or where it is known only with the picture.
        read: index → picture and label; raises ``ImageRefused`` for a broken one, from any thread.
    """

    name: str
    kind: Kind
    classes: tuple[str, ...]
    names: Sequence[str]
    labels: Labels
    read: Callable[[int], tuple[Picture, int]]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def sha256(self) -> str:
        """Of the names and labels in their order: two datasets of the same hash list the same pictures."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for name, label in zip(self.names, self.labels.tolist(), strict=True):
            digest.update(f"\n{label}\t{name}".encode(errors="surrogateescape"))
        return digest.hexdigest()


def dataset(source: "Dataset | str | Path | Indexed", split: str = "val") -> Dataset:
    """The dataset of a path or an object.

    Args:
        source: a folder with one subfolder of pictures for each class (as torchvision's ImageFolder takes it; with
            ``train/`` and ``val/`` above them, as Imagenette has, ``split`` says which); a folder of pictures, without
            labels; a CSV file with a column ``path``, relative to the file, and ``label`` if there are labels; a plain
            tar file or a folder of them, as WebDataset writes them; or an object with a length that gives
            (PIL image, label) by index, as torchvision's datasets do without a transform.
        split: the subfolder to take where there are ``train/`` and ``val/``.

    Raises:
        DatasetRefused: no pictures there, or none that can be read this way.
    """
    if isinstance(source, Dataset):
        return source
    if not isinstance(source, str | Path):
        return _from_object(source)
    path = Path(source)
    if path.is_dir():
        return (
            _from_tars(path, sorted(path.glob("*.tar")), split)
            if any(path.glob("*.tar"))
            else _from_folder(path, split)
        )
    if not path.is_file():
        raise DatasetRefused(f"There is no {path}: name a folder of pictures, a CSV file or a tar file.")
    if path.suffix.lower() == ".csv":
        return _from_csv(path)
    return _from_tars(path, [path], split)


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """The names with the index behind those that occur twice: ImageNet has two cranes and two maillots."""
    listed = list(names)
    return tuple(name if listed.count(name) == 1 else f"{name} ({index})" for index, name in enumerate(listed))


def _from_folder(path: Path, split: str) -> Dataset:
    root = _split_root(path, split)
    files = sorted(
        file.relative_to(root)
        for file in root.rglob("*")
        if file.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in file.relative_to(root).parts)
    )
    if not files:
        raise DatasetRefused(f"No pictures in {root}: it should hold one folder of pictures for each class.")
    texts = [file.parts[0] if len(file.parts) > 1 else None for file in files]
    names = [file.as_posix() for file in files]
    name = root.resolve().name if root == path else f"{path.resolve().name}/{split}"
    return _labelled(name, "folder", names, texts, lambda index: root / names[index])


def _split_root(path: Path, split: str) -> Path:
    """The folder that holds the class folders."""
    for root in (path, *sorted(path.glob("imagenette2*"))):
        folders = {folder.name for folder in root.iterdir() if folder.is_dir()} if root.is_dir() else set()
        if folders and folders <= _SPLITS:
            if split not in folders:
                raise DatasetRefused(f"There is no {split!r} in {root}; it has {', '.join(sorted(folders))}.")
            return root / split
    return path


def _from_csv(path: Path) -> Dataset:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if "path" not in columns:
                raise DatasetRefused(
                    f"{path} has no column 'path' (it has {', '.join(columns) or 'none'}): "
                    "its first line should be path,label."
                )
            rows = [(row["path"], row.get("label") or None) for row in reader if row["path"]]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetRefused(f"{path} cannot be read as CSV in UTF-8: {error}.") from error
    if not rows:
        raise DatasetRefused(f"{path} lists no pictures: each line should be a path and a label.")
    names, texts = [name for name, _ in rows], [text for _, text in rows]
    return _labelled(path.name, "csv", names, texts, lambda index: path.parent / names[index])


def _from_tars(path: Path, files: Sequence[Path], split: str) -> Dataset:
    try:
        samples = tars.samples(files, split)
    except tars.TarRefused as refused:
        raise DatasetRefused(str(refused)) from refused
    if not samples:
        raise DatasetRefused(f"No pictures in {path}: looked for members that end in .jpg, .png and the like.")
    names, texts = [sample.name for sample in samples], [sample.label for sample in samples]
    return _labelled(path.name, "tar", names, texts, samples.__getitem__)


def _labelled(
    name: str,
    kind: Kind,
    names: list[str],
    texts: list[str | None],
    place: Callable[[int], Path | tars.Sample],
) -> Dataset:
    """Classes out of labels as they are written, and the order by class and name."""
    written = {text for text in texts if text is not None}
    known = sorted(written, key=lambda text: (0, int(text), "") if text.isdecimal() else (1, 0, text))
    code = {text: number for number, text in enumerate(known)}
    codes = np.array([UNLABELLED if text is None else code[text] for text in texts], dtype=np.int32)
    order = sorted(range(len(names)), key=lambda index: (codes[index], names[index]))
    labels = codes[order]

    def read(index: int) -> tuple[Picture, int]:
        where = place(order[index])
        label = shown(names[order[index]])
        try:
            content = where.read() if isinstance(where, tars.Sample) else _content(where)
        except OSError as error:
            raise ImageRefused(label, f"{error.strerror or error}; check the path") from error
        return decode(label, content), int(labels[index])

    # Imagenette's folders are WordNet ids; its classes are better known by the names of the models' logits. ImageNet's
    # are a hundred times as many, and keep their ids.
    classes = [imagenette.CLASSES[text] if written <= imagenette.CLASSES.keys() else legible(text) for text in known]
    if len(set(classes)) < len(classes):
        classes = list(unique(classes))
    return Dataset(legible(name), kind, tuple(classes), [names[index] for index in order], labels, read)


def _content(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _from_object(source: Indexed) -> Dataset:
    kind = type(source).__name__
    if not isinstance(source, Indexed):
        raise DatasetRefused(f"A {kind} is no dataset: give a path, or an object with a length and items by index.")
    if not len(source):
        raise DatasetRefused(f"This {kind} has no items.")
    count = len(source)
    given = getattr(source, "classes", None)
    # torchvision's Imagenette has several names for each class.
    classes = unique(str(name if isinstance(name, str) else name[0]) for name in given) if given else ()
    targets = getattr(source, "targets", None)
    known = targets is not None and len(targets) == count
    labels = np.asarray(targets, dtype=np.int32) if known else np.full(count, UNLABELLED, np.int32)
    order: npt.NDArray[np.intp] = np.argsort(labels, kind="stable")
    if not classes:
        if not known:
            raise DatasetRefused(
                f"This {kind} has neither classes nor targets, so its classes are not known: give it a list `classes`."
            )
        classes = tuple(str(number) for number in range(int(labels.max()) + 1))
    first = _item(source, kind, int(order[0]))
    if isinstance(first, DatasetRefused):
        raise first

    def read(index: int) -> tuple[Picture, int]:
        item = _item(source, kind, int(order[index]))
        if not isinstance(item, tuple):
            raise ImageRefused(f"item {order[index]}", f"{item}")
        image, label = item
        content = f"{image.width}×{image.height}".encode() + image.tobytes()
        return Picture(f"item {order[index]}", hashlib.sha256(content).hexdigest(), image, image.size), label

    return Dataset(kind, "python", classes, [f"item {number}" for number in order], labels[order], read)


def _item(source: Indexed, kind: str, index: int) -> "tuple[Image.Image, int] | DatasetRefused | str":
    """Item ``index`` in RGB; a sentence if it cannot be read, an exception to raise if none will be what is needed."""
    try:
        item = source[index]
        if isinstance(item, tuple) and item and isinstance(item[0], Image.Image):
            item = (item[0].convert("RGB"), *item[1:])  # where the dataset opens files, this is what reads them
    except Exception as error:  # noqa: BLE001
        # Datasets raise whatever their decoders do, and one broken picture must not stop the others.
        return f"it cannot be read ({error})"
    match item:
        case (Image.Image() as image, SupportsIndex() as label):
            return image, as_index(label)
    return DatasetRefused(
        f"Items of this {kind} are not (PIL image, label): make it without a transform, "
        "as the model's own preprocessing is applied."
    )
