"""A folder, a list of files, tar and ZIP files or a dataset object → images in a fixed order, with their classes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from se_viz.data import dataset_folder, lists, splits
from se_viz.data import webdataset as tars
from se_viz.data.class_splits import by_class, pick_split
from se_viz.data.dataset import IN_FOLDERS, UNLABELLED, Dataset, DatasetFormat, disambiguate, labelled
from se_viz.data.dataset_objects import Indexed, from_object
from se_viz.data.file_kinds import format_of, is_clutter, is_image, left_out
from se_viz.data.folders import find_images
from se_viz.data.list_rows import once
from se_viz.data.rejected import DatasetRefused, Refused, shown
from se_viz.data.split_names import meaning, meaning_of_part
from se_viz.data.zip_archive import is_archive

__all__ = ["UNLABELLED", "Dataset", "DatasetFormat", "DatasetRefused", "Indexed", "dataset", "disambiguate"]


def dataset(source: "Dataset | str | Path | Indexed", split: str | None = None) -> Dataset:
    """Return the dataset of a path or an object.

    The images of a dataset are read in this process, within the limits of ``images.decode`` and the budget of pixels.
    They are not read in child processes as uploads are: the user of this process chose the dataset, and a pass reads
    all its images, however many there are. To read untrusted images, use ``se_viz.read_paths`` on files and folders.

    Args:
        source: one of these: a folder with one subfolder of images per class (as torchvision's ImageFolder takes it),
            or with folders for training and validation above these; a folder of images, without labels; a list of
            paths (relative to the list) and labels in a CSV, TSV, TXT or Parquet file; a ZIP archive of such folders; a
            plain tar file or a folder of them, as WebDataset writes them; an object with a length that gives (PIL
            image, label) by index, as torchvision's datasets do without a transform, or {"image": …, "label": …}, as
            Hugging Face's do.
        split: the split to take where there are several (train, val, valid, validation, test, dev, … in any case). By
            default the validation set is taken, else the test set, else the training set. ``Dataset.notes`` tells
            which.

    Raises:
        DatasetRefused: there are no images, or they cannot be read in one of these ways.
    """
    if isinstance(source, Dataset):
        return source
    if not isinstance(source, str | Path):
        return from_object(source, split)
    path = Path(source)
    if path.is_dir():
        return _from_folder(path, split)
    if not path.is_file():
        raise DatasetRefused(
            f"There is no file or folder {path}: name a folder of images, a list of paths and labels, or tar files."
        )
    if lists.is_list(path):
        return _from_list(path, split)
    if path.suffix.lower() == ".zip" or _is_unnamed_zip(path):
        return _from_zip(path, split)
    if is_image(path.name) or (format_of(path.name) and path.suffix.lower() != ".tar"):
        called = format_of(path.name) or "image"
        advice = "unpack it, and name its folder" if called == "archive" else "name the folder that contains it"
        raise DatasetRefused(f"{path} is {'an' if called[0] in 'aeiouA' else 'a'} {called} file: {advice}.")
    return _from_tars(path, [path], split)


def _is_unnamed_zip(path: Path) -> bool:
    """Return whether a file whose name does not say what it is begins as a ZIP archive."""
    if is_image(path.name) or (format_of(path.name) and path.suffix.lower() != ".tar"):
        return False
    try:
        with path.open("rb") as file:
            return is_archive(file.read(4))
    except OSError:
        return False  # reading it will report the error


def _from_folder(path: Path, split: str | None) -> Dataset:
    root, part, notes = dataset_folder.find_classes(path, split)
    name = f"{path.resolve().name}/{part}" if part else root.resolve().name
    archives = sorted(file for file in root.glob("*.tar") if not is_clutter(file.name))
    contents = find_images(root)
    if archives:
        if contents.images:
            notes.append(f"{len(contents.images):,} images beside the tar files were left out: name their folder.")
        return _from_tars(root, archives, None if part else split, name if part else "", notes)
    if split and not part:
        notes.append(f"{shown(name)} has no splits: all of it was taken.")
    notes += contents.notes()
    if not contents.images:
        raise DatasetRefused(
            " ".join([f"No images in {root}: it should contain one folder of images for each class.", *notes])
        )
    texts = [folder if slash else None for folder, slash, _ in (name.partition("/") for name in contents.images)]
    return labelled(name, "folder", contents.images, texts, lambda index: root / contents.images[index], notes)


def _from_list(path: Path, split: str | None) -> Dataset:
    rows, notes, unlabelled = lists.read(path)
    taken, said = splits.indices_of_split([row.split for row in rows], split, str(path), shown(path.name))
    notes += said
    if taken is not None:
        rows = [rows[index] for index in taken]
    rows, repeated = once(path, rows)
    notes += repeated
    names, texts = [row.path for row in rows], [row.label for row in rows]
    kind: DatasetFormat = "parquet" if path.suffix.lower() == ".parquet" else "csv"
    return labelled(
        path.name, kind, names, texts, lambda index: lists.path_within(path.parent, names[index]), notes, unlabelled
    )


def _from_tars(
    path: Path, files: Sequence[Path], split: str | None, name: str = "", notes: Sequence[str] = ()
) -> Dataset:
    said = list(notes)
    by_name = {file: meaning_of_part(file.stem) for file in files}
    kinds = set(by_name.values()) - {""}
    asked_for = split is not None and meaning(split) in kinds
    if path.is_dir() and kinds and ("" not in by_name.values() or len(kinds) > 1 or asked_for):
        chosen = splits.choose(kinds, split, str(path))
        left = [file.name for file, part in by_name.items() if not part]
        said += splits.choice_sentences(kinds, chosen, shown(path.resolve().name), left)
        name, split = name or f"{path.name}/{chosen}", None
        files = [file for file, part in by_name.items() if part == chosen]
    try:
        samples, others, notes = tars.samples(files)
    except tars.TarRefused as refused:
        raise DatasetRefused(str(refused)) from refused
    except OSError as error:
        raise DatasetRefused(f"{error.filename or path} cannot be read: {error.strerror}.") from error
    return _of_samples(path, name or path.name, "tar", samples, others, split, [*said, *notes])


def _from_zip(path: Path, split: str | None) -> Dataset:
    try:
        samples, others, notes = tars.samples_of_zip(path)
    except Refused as refused:
        raise DatasetRefused(f"{path} cannot be read: {refused.reason}.") from refused
    except OSError as error:
        raise DatasetRefused(f"{path} cannot be read: {error.strerror}.") from error
    return _of_samples(path, path.name, "zip", samples, others, split, notes)


def _of_samples(
    path: Path,
    name: str,
    kind: DatasetFormat,
    samples: Sequence[tars.Sample],
    others: Mapping[str, int],
    split: str | None,
    said: list[str],
) -> Dataset:
    """Return the dataset of the images in archives.

    Args:
        path: the source, for errors.
        name, kind: see ``Dataset``.
        samples: the images.
        others: suffix → number of files that are not images.
        split: see ``dataset``.
        said: sentences on what was chosen before.
    """
    called, places = shown(path.resolve().name), by_class([sample.place for sample in samples])
    samples = [replace(sample, place=place) for sample, place in zip(samples, places, strict=True)]
    taken, choice = splits.as_indices(pick_split(places, split, str(path), called), split, called)
    said += choice
    if taken is not None:
        samples = [samples[index].in_split() for index in taken]
    said += left_out(others)
    if not samples:
        raise DatasetRefused(
            " ".join(
                [
                    f"No images in {path}: SE Viz looks for files that end in .jpg, .png or another format of images.",
                    *said,
                ]
            )
        )
    names, texts = [sample.name for sample in samples], [sample.label for sample in samples]
    return labelled(name, kind, names, texts, list(samples).__getitem__, said, IN_FOLDERS)
