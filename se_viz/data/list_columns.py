"""Names of the columns of a list, or of the keys of an item, that hold the image, the label and the split."""

import re
from collections.abc import Sequence

# In order of preference.
PATH = (
    *("path", "file_path", "filepath", "image_path", "img_path", "file", "file_name", "filename", "fname"),
    *(
        "image_file",
        "image_file_path",
        "image_filename",
        "image_name",
        "img_name",
        "image",
        "img",
        "images",
        "picture",
        "photo",
    ),
)
IMAGE = ("image", "img", "picture", "photo", "pixels", "jpg", "png", "webp", "images", "input")
LABEL = (
    *("label", "labels", "class", "class_name", "class_label", "classname", "label_name", "category", "category_name"),
    *("target", "targets", "fine_label", "cls", "class_id", "label_id", "category_id", "class_index", "label_index"),
)
SPLIT = ("split", "subset", "partition", "data_set", "dataset")


def column(header: Sequence[str], names: Sequence[str]) -> int | None:
    """Return the index of the first of ``names`` in a header, in any case, with spaces or hyphens; None if absent."""
    return next(iter(columns(header, names)), None)


def columns(header: Sequence[str], names: Sequence[str]) -> list[int]:
    """Return the indices of all columns that have one of ``names``, see ``column``, the preferred ones first."""
    tidy = [tidied(name) for name in header]
    squeezed = [name.replace("_", "") for name in tidy]
    found: list[int] = []
    for name in names:
        for listed, wanted in ((tidy, name), (squeezed, name.replace("_", ""))):
            found += [index for index, one in enumerate(listed) if one == wanted and index not in found]
    return found


def tidied(name: str) -> str:
    """Return a column's name in lower case, with _ for spaces and hyphens, and without quotation marks."""
    return re.sub(r"[\s\-]+", "_", name.strip().strip("\"'").strip().lower())
