"""Class profiles: the file of all gates of one network, opened and checked."""

import bisect
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from se_viz import former_names
from se_viz.data.datasets import Dataset
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesMismatch
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_profile import Form, GateProfile, form_of
from se_viz.profiles.gate_summary import Example, Histogram, Moments
from se_viz.profiles.metadata import GateEntry, Header, ModelInfo
from se_viz.profiles.safetensors_io import Tensors, open_tensors, verify
from se_viz.profiles.top_images import ImageTable

# Code that opens class profiles goes on to their gates; what these return can be imported from here, too.
__all__ = ["FILE", "ClassProfiles", "Example", "GateProfile", "Histogram", "Moments", "file_in", "open_profiles"]

FILE = "profiles.safetensors"
_CHECKED = 256_000_000  # bytes of a file that is checked whenever it is opened, in some 0.2 s


def file_in(folder: Path) -> Path:
    """Return the file of class profiles in a folder: the one of an older SE Viz where only that is there."""
    former = folder / former_names.FILE
    return former if former.is_file() and not (folder / FILE).exists() else folder / FILE


class ClassProfiles:
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
            KeyError: the class profiles have no class of that name; the message lists some.
        """
        try:
            return self.classes.index(name)
        except ValueError:
            close = sorted(self.classes)
            near = close[max(0, bisect.bisect(close, name) - 5) :][:10]
            raise KeyError(f"No class {name!r} in these class profiles; there are {', '.join(near)} …") from None

    def __getitem__(self, gate: str) -> GateProfile:
        """A gate by name, for instance ``profiles["SE_4_2"]``."""
        for entry in self.header.gates:
            if entry.name == gate:
                return self._gate(entry)
        raise KeyError(f"No gate {gate!r}; there are {', '.join(entry.name for entry in self.header.gates)}")

    def __iter__(self) -> Iterator[GateProfile]:
        """Gates in execution order."""
        return (self._gate(entry) for entry in self.header.gates)

    def __len__(self) -> int:
        """How many gates."""
        return len(self.header.gates)

    def _gate(self, entry: GateEntry) -> GateProfile:
        # What a compact file is unpacked to is kept, so that each slice of it does not unpack all again.
        if entry.name not in self._forms:
            file = GateFile(self.path, self.tensors, entry, self.header.form)
            self._forms[entry.name] = form_of(self.header, file), file
        return GateProfile(self, entry, *self._forms[entry.name])

    def verify(self) -> bool:
        """Make sure that the file has the bytes that were written; return whether it has a checksum to say so.

        Raises:
            ProfilesRefused: a byte differs.
        """
        return verify(self.path)

    def check(self, model: Model) -> None:
        """Make sure that the class profiles are of this network.

        Raises:
            ProfilesMismatch: its weights or its preprocessing differ.
        """
        here, there = ModelInfo.of(model, self.header.model.precision), self.header.model
        if replace(here, name=there.name) != there:
            what = "weights" if here.sha256 != there.sha256 else "preprocessing"
            raise ProfilesMismatch(
                f"{self.path} holds class profiles of {there.name}, not of the {here.name} that is loaded ({what} "
                "differ): "
                "make one of it with `python -m se_viz profile`."
            )

    def check_dataset(self, dataset: Dataset) -> None:
        """Make sure that the class profiles are of this dataset, or of several with it among them.

        Raises:
            ProfilesMismatch: the images' names or labels differ.
        """
        if dataset.sha256 not in {source.sha256 for source in self.header.sources}:
            listed = " and ".join(f"{source.name} ({source.images} images)" for source in self.header.sources)
            raise ProfilesMismatch(
                f"{self.path} holds class profiles of {listed}, not of {dataset.name} ({len(dataset)} images): "
                "their names or labels differ."
            )


def unchecked(file: Path) -> ClassProfiles:
    """Open a file of class profiles without reading all of it.

    Raises:
        ProfilesRefused: there is none, or it is foreign, cut short, or of a newer version.
    """
    tensors = open_tensors(file)
    return ClassProfiles(file, Header.of_metadata(tensors.metadata, file), tensors)


def open_profiles(path: str | Path, model: Model | None = None, dataset: Dataset | None = None) -> ClassProfiles:
    """Open class profiles; only what is asked of it is then read.

    A file of up to 256 MB is checked against the checksum it was written with; ``ClassProfiles.verify`` checks any.

    Args:
        path: the folder that ``profile`` wrote, or a file of class profiles; one that ends in ``.xz`` is read into
            memory.
        model: a network it must be of.
        dataset: a dataset it must be of.

    Raises:
        ProfilesRefused: there is none, or the file is foreign, cut short, damaged or of a newer version.
        ProfilesMismatch: it is of another network or dataset.
    """
    path = Path(path)
    file = file_in(path) if path.is_dir() else path
    profiles = unchecked(file)
    if file.stat().st_size <= _CHECKED:
        profiles.verify()
    if model is not None:
        profiles.check(model)
    if dataset is not None:
        profiles.check_dataset(dataset)
    return profiles
