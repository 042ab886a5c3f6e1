"""An atlas: the file of all gates of one network, opened and checked."""

import bisect
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from se_viz.data.datasets import Dataset
from se_viz.model.model import Model
from se_viz.profiles.errors import AtlasMismatch
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_profile import Form, GateAtlas, form_of
from se_viz.profiles.gate_summary import Example, Histogram, Moments
from se_viz.profiles.metadata import GateEntry, Header, Subject
from se_viz.profiles.safetensors_io import Tensors, open_tensors, verify
from se_viz.profiles.top_images import ImageTable

# Whoever opens an atlas goes on to its gates, and finds here what they give.
__all__ = ["FILE", "Atlas", "Example", "GateAtlas", "Histogram", "Moments", "open_atlas"]

FILE = "atlas.safetensors"
_CHECKED = 256_000_000  # bytes of a file that is checked whenever it is opened, in some 0.2 s


class Atlas:
    """Class-conditional statistics of every gate of one network.

    Attributes:
        path: the file.
        header: what network, what data, and how it was made.
        tensors: the arrays as they are stored.
    """

    def __init__(self, path: Path, header: Header, tensors: Tensors) -> None:
        self.path = path
        self.header = header
        self.tensors = tensors
        self._forms: dict[str, tuple[Form, GateFile]] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the K classes."""
        return self.header.classes

    @property
    def counts(self) -> npt.NDArray[np.int64]:
        """Images of each class (K,)."""
        return np.asarray(self.header.counts, np.int64)

    @cached_property
    def table(self) -> ImageTable:
        """The images that are kept, or are examples of a channel."""
        if "images.names" not in self.tensors:
            return ImageTable([], [], np.zeros(0, np.uint32))
        packed = self.tensors["images.names"][:,].tobytes().decode(errors="surrogateescape")
        hashes = self.tensors["images.sha256"][:,]
        names = packed.split("\n") if len(hashes) else []
        return ImageTable(names, [row.tobytes().hex() for row in hashes], self.tensors["images.label"][:,])

    def class_index(self, name: str) -> int:
        """The number of a class.

        Raises:
            KeyError: the atlas has no class of that name; the message lists some.
        """
        try:
            return self.classes.index(name)
        except ValueError:
            close = sorted(self.classes)
            near = close[max(0, bisect.bisect(close, name) - 5) :][:10]
            raise KeyError(f"No class {name!r} in this atlas; there are {', '.join(near)} …") from None

    def __getitem__(self, gate: str) -> GateAtlas:
        """A gate by name, for instance ``atlas["SE_4_2"]``."""
        for entry in self.header.gates:
            if entry.name == gate:
                return self._gate(entry)
        raise KeyError(f"No gate {gate!r}; there are {', '.join(entry.name for entry in self.header.gates)}")

    def __iter__(self) -> Iterator[GateAtlas]:
        """Gates in execution order."""
        return (self._gate(entry) for entry in self.header.gates)

    def __len__(self) -> int:
        """How many gates."""
        return len(self.header.gates)

    def _gate(self, entry: GateEntry) -> GateAtlas:
        # What a compact file is unpacked to is kept, so that each slice of it does not unpack all again.
        if entry.name not in self._forms:
            file = GateFile(self.path, self.tensors, entry, self.header.form)
            self._forms[entry.name] = form_of(self.header, file), file
        return GateAtlas(self, entry, *self._forms[entry.name])

    def verify(self) -> bool:
        """Make sure that the file has the bytes that were written; return whether it has a checksum to say so.

        Raises:
            AtlasRefused: a byte differs.
        """
        return verify(self.path)

    def check(self, model: Model) -> None:
        """Make sure that the atlas is of this network.

        Raises:
            AtlasMismatch: its weights or its preprocessing differ.
        """
        here, there = Subject.of(model, self.header.model.precision), self.header.model
        if replace(here, name=there.name) != there:
            what = "weights" if here.sha256 != there.sha256 else "preprocessing"
            raise AtlasMismatch(
                f"{self.path} is an atlas of {there.name}, not of the {here.name} that is loaded ({what} differ): "
                "make one of it with `python -m se_viz profile`."
            )

    def check_dataset(self, dataset: Dataset) -> None:
        """Make sure that the atlas is of this dataset, or of several with it among them.

        Raises:
            AtlasMismatch: the pictures' names or labels differ.
        """
        if dataset.sha256 not in {source.sha256 for source in self.header.sources}:
            listed = " and ".join(f"{source.name} ({source.images} pictures)" for source in self.header.sources)
            raise AtlasMismatch(
                f"{self.path} is an atlas of {listed}, not of {dataset.name} ({len(dataset)} pictures): "
                "their names or labels differ."
            )


def unchecked(file: Path) -> Atlas:
    """Open an atlas file without reading all of it.

    Raises:
        AtlasRefused: there is none, or it is foreign, cut short, or of a newer version.
    """
    tensors = open_tensors(file)
    return Atlas(file, Header.of_metadata(tensors.metadata, file), tensors)


def open_atlas(path: str | Path, model: Model | None = None, dataset: Dataset | None = None) -> Atlas:
    """Open an atlas; only what is asked of it is then read.

    A file of up to 256 MB is checked against the checksum it was written with; ``Atlas.verify`` checks any.

    Args:
        path: the folder that ``profile`` wrote, or an atlas file; one that ends in ``.xz`` is read into memory.
        model: a network it must be of.
        dataset: a dataset it must be of.

    Raises:
        AtlasRefused: there is none, or the file is foreign, cut short, damaged or of a newer version.
        AtlasMismatch: it is of another network or dataset.
    """
    path = Path(path)
    file = path / FILE if path.is_dir() else path
    atlas = unchecked(file)
    if file.stat().st_size <= _CHECKED:
        atlas.verify()
    if model is not None:
        atlas.check(model)
    if dataset is not None:
        atlas.check_dataset(dataset)
    return atlas
