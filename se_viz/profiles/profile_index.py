"""The classes and the images of class profiles, which each of their gates looks up."""

import bisect
from functools import cached_property

import numpy as np

from se_viz.profiles.metadata import Header
from se_viz.profiles.safetensors_io import Tensors
from se_viz.profiles.top_images import ImageTable
from se_viz.types import Int64s


class ProfileIndex:
    """The metadata of class profiles: classes, numbers of images, and the images that are stored.

    Attributes:
        header: the network, the data and the settings.
        tensors: the stored arrays.
    """

    def __init__(self, header: Header, tensors: Tensors) -> None:
        self.header = header
        self.tensors = tensors

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self.header.classes

    @property
    def counts(self) -> Int64s:
        """Number of images of each class (K,)."""
        return np.asarray(self.header.counts, np.int64)

    @cached_property
    def table(self) -> ImageTable:
        """The images that are stored, or are examples of a channel."""
        if "images.names" not in self.tensors:
            return ImageTable([], [], np.zeros(0, np.uint32))
        packed = self.tensors["images.names"][:,].tobytes().decode(errors="surrogateescape")
        hashes = self.tensors["images.sha256"][:,]
        names = packed.split("\n") if len(hashes) else []
        return ImageTable(names, [row.tobytes().hex() for row in hashes], self.tensors["images.label"][:,])

    def class_index(self, name: str) -> int:
        """Return the index of a class.

        Raises:
            KeyError: the class profiles have no class of that name; the message lists similar names.
        """
        try:
            return self.classes.index(name)
        except ValueError:
            names = sorted(self.classes)
            near = names[max(0, bisect.bisect(names, name) - 5) :][:10]
            raise KeyError(
                f"There is no class {name!r} in these class profiles: choose one of {', '.join(near)} …."
            ) from None
