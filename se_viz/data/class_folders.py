"""The folder that is the class of a file, among the folders of its path in an archive, a folder or an upload."""

from collections.abc import Sequence

from se_viz.data.class_splits import by_class, pick_split, place_of
from se_viz.data.file_kinds import is_image, label_of
from se_viz.data.rejected import DatasetRefused, lower
from se_viz.data.split_names import meaning
from se_viz.data.splits import Choice, group


def folder_of(label: str) -> str:
    """Return the outermost folder of a label, which is its class: "cats" of ``cats/a/1.jpg``; "" without a folder."""
    return label.partition("/")[0] if "/" in label else ""


def common_folders(folders: Sequence[Sequence[str]]) -> int:
    """Return how many outer folders contain all images, without the innermost one, which is their class.

    Images beside a folder that holds all others do not count, as they have no class.
    """
    around = 0
    while len({path[around] for path in folders if len(path) > around}) == 1:
        if not any(len(path) > around + 1 for path in folders):
            break
        around += 1
    return around


def labels_of(paths: Sequence[str]) -> list[str]:
    """Return labels of the files of one archive or folder: their paths from their class folder on, safe to show.

    As in a dataset, the class folder of ``a/cats/1.jpg`` and ``b/cats/1.jpg`` is ``a`` and ``b``; a folder around all
    images is left out, and so are the folders of splits: ``cats/1.jpg`` for ``pets/train/cats/1.jpg``. An image beside
    the class folders has none. Hidden files and those that systems create have an empty label.
    """
    labels = [label_of(path) for path in paths]
    folders = [label.split("/")[:-1] for label in labels]
    counted = [path for path, label in zip(folders, labels, strict=True) if is_image(label)]
    counted = counted or [path for path, label in zip(folders, labels, strict=True) if label]
    around = common_folders(counted)
    outer = next((path[:around] for path in counted if len(path) > around), [])
    inner = [path[around:] if path[:around] == outer[: len(path)] else path for path in folders]
    found = [{meaning(name) for name in path} - {""} for path in inner]
    shown = [splits for splits, label in zip(found, labels, strict=True) if is_image(label)]
    if shown and (all(shown) or len(set().union(*shown)) > 1):
        inner = [[name for name in path if not meaning(name)] or path for path in inner]
    return [
        "/".join([*path, label.rpartition("/")[2]]) if label else "" for path, label in zip(inner, labels, strict=True)
    ]


def labels_of_one_split(
    paths: Sequence[str], split: str | None, called: str, *, of_folder: bool = False
) -> tuple[list[str], Choice | None]:
    """Return labels of the files of one archive or folder, see ``labels_of``, and the choice of a split if it has some.

    Files of other splits, and images in no split, have an empty label.

    Args:
        paths: the paths of the files.
        split: the split that is asked for; None for validation, else test, else training.
        called: the name of the archive or folder.
        of_folder: see ``class_splits.pick_split``.

    Raises:
        DatasetRefused: there are splits, but not the one asked for.
    """
    labels = [label_of(path) for path in paths]
    places = [place_of(label.split("/")[:-1]) for label in labels]
    images = [index for index, label in enumerate(labels) if is_image(label)]
    of_images = [places[index] for index in images]
    choice_and_indices = pick_split(
        of_images if of_folder else by_class(of_images), split, called, called, of_folder=of_folder
    )
    if choice_and_indices is None:
        return labels_of(paths), None
    choice, indices = choice_and_indices
    taken = {images[index] for index in indices}
    others = {group(place.split) for place in of_images} - {group(choice.chosen)}
    for index, label in enumerate(labels):
        if label and not is_image(label) and group(places[index].split) not in others:
            taken.add(index)
    inner = dict(zip(sorted(taken), labels_of([paths[index] for index in sorted(taken)]), strict=True))
    return [inner.get(index, "") for index in range(len(paths))], choice


def labels_of_uploads(paths: Sequence[str], split: str | None = None) -> tuple[list[str], list[Choice], list[str]]:
    """Return labels of uploaded files, which are single files, or files of one or more folders.

    Returns:
        The labels, see ``labels_of_one_split``; the choices of splits; and sentences on folders that lack the split.
    """
    by_folder: dict[str, list[int]] = {}
    for index, path in enumerate(paths):
        by_folder.setdefault(folder_of(label_of(path)), []).append(index)
    labels = [label_of(path) for path in paths]
    choices, refusals = [], []
    for folder, indices in by_folder.items():
        if not folder:
            continue
        choice, of_folder = None, [""] * len(indices)
        try:
            of_folder, choice = labels_of_one_split([paths[index] for index in indices], split, folder, of_folder=True)
        except DatasetRefused as refused:
            refusals.append(f"{folder} was left out: {lower(str(refused))}")
        choices += [choice] if choice is not None else []
        for index, label in zip(indices, of_folder, strict=True):
            labels[index] = label
    return labels, choices, refusals
