"""The folder that is the class of a file, among the folders of its path in an archive, a folder or an upload."""

from collections.abc import Sequence

from se_viz.data.meanings import meaning
from se_viz.data.names import is_image, label_of


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


def labels_of_uploads(paths: Sequence[str]) -> list[str]:
    """Return labels of uploaded files, which are single files, or files of one or more folders; see ``labels_of``."""
    by_folder: dict[str, list[int]] = {}
    for index, path in enumerate(paths):
        by_folder.setdefault(folder_of(label_of(path)), []).append(index)
    labels = [label_of(path) for path in paths]
    for folder, indices in by_folder.items():
        if folder:
            for index, label in zip(indices, labels_of([paths[index] for index in indices]), strict=True):
                labels[index] = label
    return labels
