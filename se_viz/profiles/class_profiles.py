"""Class profiles of one network: a file with the statistics of all gates, opened and checked."""

from collections.abc import Iterator
from pathlib import Path

from se_viz import former_names
from se_viz.data.dataset_sources import Dataset
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesMismatch
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_profile import Form, GateProfile, form_of
from se_viz.profiles.gate_summary import Example, Histogram, Moments
from se_viz.profiles.metadata import GateEntry, Header
from se_viz.profiles.profile_index import ProfileIndex
from se_viz.profiles.safetensors_io import Tensors, open_tensors, verify

# The types that gates of class profiles return can be imported from here, too.
__all__ = ["FILE", "ClassProfiles", "Example", "GateProfile", "Histogram", "Moments", "file_in", "open_profiles"]

FILE = "profiles.safetensors"
_CHECKED = 256_000_000  # bytes; the checksum of a file up to this size is checked at each opening, in about 0.2 s


def file_in(folder: Path) -> Path:
    """Return the path of the class profiles in a folder; the file name of an older SE Viz if only that file exists."""
    former = folder / former_names.FILE
    return former if former.is_file() and not (folder / FILE).exists() else folder / FILE


class ClassProfiles(ProfileIndex):
    """Class-conditional statistics of every gate of one network.

    Attributes:
        path: the file.
        header: the network, the data and the settings.
        tensors: the stored arrays.
    """

    def __init__(self, path: Path, header: Header, tensors: Tensors) -> None:
        super().__init__(header, tensors)
        self.path = path
        self._forms: dict[str, tuple[Form, GateFile]] = {}

    def __getitem__(self, gate: str) -> GateProfile:
        """Return a gate by name, for instance ``profiles["SE_4_2"]``."""
        for entry in self.header.gates:
            if entry.name == gate:
                return self._gate(entry)
        raise KeyError(
            f"There is no gate {gate!r}: choose one of {', '.join(entry.name for entry in self.header.gates)}."
        )

    def __iter__(self) -> Iterator[GateProfile]:
        """Return an iterator over the gates in execution order."""
        return (self._gate(entry) for entry in self.header.gates)

    def __len__(self) -> int:
        """Return the number of gates."""
        return len(self.header.gates)

    def _gate(self, entry: GateEntry) -> GateProfile:
        # The unpacked arrays of a compact file are cached here; otherwise each slice would unpack the whole file.
        if entry.name not in self._forms:
            file = GateFile(self.path, self.tensors, entry, self.header.form)
            self._forms[entry.name] = form_of(self.header, file), file
        return GateProfile(self, entry, *self._forms[entry.name])

    def verify(self) -> bool:
        """Raise if the file differs from what was written; return True if it has a checksum to check against.

        Raises:
            ProfilesRefused: a byte differs.
        """
        return verify(self.path)

    def check(self, model: Model) -> None:
        """Raise if the class profiles are of another network.

        Raises:
            ProfilesMismatch: its weights or its preprocessing differ.
        """
        if what := self.header.model.difference(model):
            differs = "weights differ" if what == "weights" else "preprocessing differs"
            raise ProfilesMismatch(
                f"{self.path} contains class profiles of {self.header.model.name}, not of the loaded {model.name} "
                f"({differs}). "
                "Make class profiles of the loaded model with `python -m se_viz profile`."
            )

    def check_dataset(self, dataset: Dataset) -> None:
        """Raise if the class profiles are of another dataset; those of several datasets must include this one.

        Raises:
            ProfilesMismatch: the images' names or labels differ.
        """
        if dataset.sha256 not in {source.sha256 for source in self.header.sources}:
            listed = " and ".join(f"{source.name} ({source.images} images)" for source in self.header.sources)
            raise ProfilesMismatch(
                f"{self.path} contains class profiles of {listed}, not of {dataset.name} ({len(dataset)} images): "
                "the names or labels of the images differ."
            )


def unchecked(file: Path) -> ClassProfiles:
    """Open a file of class profiles without reading all of it.

    Raises:
        ProfilesRefused: the file does not exist, has another format, is truncated, or is of a newer version.
    """
    tensors = open_tensors(file)
    return ClassProfiles(file, Header.of_metadata(tensors.metadata, file), tensors)


def open_profiles(path: str | Path, model: Model | None = None, dataset: Dataset | None = None) -> ClassProfiles:
    """Open class profiles; the arrays are read from the file when they are used.

    The checksum of a file of up to 256 MB is checked here; ``ClassProfiles.verify`` checks files of any size.

    Args:
        path: the folder that ``profile`` wrote, or a file of class profiles; a file that ends in ``.xz`` is read into
            memory.
        model: the network that the class profiles must be of.
        dataset: the dataset that the class profiles must be of.

    Raises:
        ProfilesRefused: the file does not exist, has another format, is truncated or damaged, or is of a newer version.
        ProfilesMismatch: the class profiles are of another network or dataset.
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
