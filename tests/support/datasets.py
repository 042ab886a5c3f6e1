"""Folders, tar files and dataset objects to read."""

import io
import tarfile

import numpy as np
from PIL import Image

from support.images import encoded


def png(value=0):
    return encoded(Image.fromarray(np.full((10, 12, 3), value, np.uint8)))


def lay(folder, *names):
    """Files below a folder; those that end as images are images."""
    for index, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(png(index))
    return folder


def tar(path, *members):
    with tarfile.open(path, "w") as archive:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


class Items(list):
    """A dataset as torchvision has them."""

    def __init__(self, items, classes=None, targets=None):
        super().__init__(items)
        if classes is not None:
            self.classes = classes
        if targets is not None:
            self.targets = targets
