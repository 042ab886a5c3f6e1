"""One gate of class profiles: statistics of s and z by class and channel, read from the file in slices."""

from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from se_viz import former_names
from se_viz.gates.gate_functions import range_of
from se_viz.profiles.compact_form import CompactForm
from se_viz.profiles.exact_form import ExactForm
from se_viz.profiles.format1 import Format1
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_summary import Example, Histogram, Moments
from se_viz.profiles.metadata import GateEntry, Header
from se_viz.profiles.safetensors_io import Index
from se_viz.profiles.top_images import MISSING
from se_viz.types import Counts, Floats

if TYPE_CHECKING:
    from se_viz.profiles.class_profiles import ClassProfiles

ClassPick: TypeAlias = int | str | slice

ALL = slice(None)


class Form(Protocol):
    """How s of a gate is kept in a file."""

    def moments(self, images: Counts, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Mean and standard deviation."""
        ...

    def histogram(self, images: Counts, classes: Index, channels: Index) -> Histogram:
        """Counts by bin."""
        ...

    def clipped(self, classes: Index, channels: Index) -> Counts:
        """How many s count as another value."""
        ...

    def images(self, channels: Index) -> Floats:
        """S of every image."""
        ...

    def value(self, code: int) -> float:
        """S of an example."""
        ...

    def ends(self) -> tuple[float, float]:
        """Between which values all s lie."""
        ...


def form_of(header: Header, file: GateFile) -> Form:
    """How a file keeps s of a gate."""
    if header.version == 1:
        return Format1(file)
    return ExactForm(file) if header.form == "exact" else CompactForm(file)


@former_names.with_former_fields
class GateProfile:
    """One gate of class profiles.

    Classes are picked by name, number or slice, channels by number or slice; nothing else is read from the file.
    """

    def __init__(self, profiles: "ClassProfiles", entry: GateEntry, form: Form, file: GateFile) -> None:
        self._profiles, self._form, self._file = profiles, form, file
        self.entry = entry

    @property
    def name(self) -> str:
        """For instance SE_4_2."""
        return self.entry.name

    @property
    def span(self) -> tuple[float, float]:
        """What s is drawn between: the ends of the gate function, or 0 … 1 and as far as s reaches if it has none."""
        if self._profiles.header.version == 1:
            return self._form.ends()
        if known := range_of(self.entry.function):
            return known
        low, high = self._form.ends()
        return (min(0.0, low), max(1.0, high)) if np.isfinite([low, high]).all() else (0.0, 1.0)

    def s(self, classes: ClassPick = ALL, channels: Index = ALL) -> Moments:
        """Excitation weights: the paper's Figure 6 is their mean by class, Figure 7 mean ± deviation of one class."""
        count, at = self._picked(classes, channels)
        return Moments(count, *self._form.moments(_beside(count, channels), *at))

    @property
    def has_z(self) -> bool:
        """Whether there are squeeze descriptors: not in compact class profiles, nor of a gate in which none was
        found.
        """
        return "z_mean" in self._file

    def z(self, classes: ClassPick = ALL, channels: Index = ALL) -> Moments:
        """Squeeze descriptors.

        Raises:
            NotInProfiles: there are none, see ``has_z``.
        """
        count, at = self._picked(classes, channels)
        images = _beside(count, channels)
        mean = self._file.read("z_mean", *at)
        with np.errstate(divide="ignore", invalid="ignore"):
            std = np.sqrt(self._file.read("z_m2", *at) / images)
        return Moments(count, np.where(images == 0, np.nan, mean), std)

    def z_range(self, classes: ClassPick = ALL, channels: Index = ALL) -> tuple[Floats, Floats]:
        """Smallest and largest z; ∞ and −∞ for a class without images.

        Raises:
            NotInProfiles: there are none, see ``has_z``.
        """
        _, at = self._picked(classes, channels)
        low, high = self._file.read("z_range", ALL, *at).astype(np.float64)
        return low, high

    def histogram(self, classes: ClassPick = ALL, channels: Index = ALL) -> Histogram:
        """Of s, by class and channel."""
        count, at = self._picked(classes, channels)
        return self._form.histogram(_beside(count, channels), *at)

    def clipped(self, classes: ClassPick = ALL, channels: Index = ALL) -> Counts:
        """How many s count as another value in mean and deviation, as they lie beyond what can be added up.

        That is ±65,536 in files that this version writes; in those of format 1 it is the range of 0 to 8 for ReLU, −8
        to 8 for gate functions without a known range.

        Raises:
            NotInProfiles: compact class profiles of format 1 do not say.
        """
        _, at = self._picked(classes, channels)
        return self._form.clipped(*at)

    def highest(self, channel: int) -> tuple[Example, ...]:
        """The images with the highest s of a channel, highest first; of equal ones the first by name."""
        return self._examples(0, channel)

    def lowest(self, channel: int) -> tuple[Example, ...]:
        """The images with the lowest s of a channel, lowest first; of equal ones the first by name."""
        return self._examples(1, channel)

    def images(self, channels: Index = ALL) -> Floats:
        """S of every image (N, C), in the order of ``profiles.table``: as the network gave it, in 32 bits.

        In class profiles of format 1, to half a step of 1/65,535 of the range it was stored in.

        Raises:
            NotInProfiles: the class profiles were made without ``images=True``.
        """
        return self._form.images(channels)

    def images_of(self, name: str | int, channels: Index = ALL) -> Floats:
        """``images`` of one class."""
        label = self._profiles.class_index(name) if isinstance(name, str) else name
        chosen: Floats = self.images(channels)[self._profiles.table.labels == label]
        return chosen

    @property
    def has_images(self) -> bool:
        """Whether the class profiles were made with single images."""
        return self._profiles.header.images

    @property
    def rounded_images(self) -> bool:
        """Whether different s of single images may have become equal, as in class profiles of format 1."""
        return self._profiles.header.version == 1

    def _examples(self, end: int, channel: int) -> tuple[Example, ...]:
        found = self._file.read("examples", ALL, end, ALL, channel)
        table, classes = self._profiles.table, self._profiles.classes
        return tuple(
            Example(table.names[index], table.sha256[index], classes[table.labels[index]], self._form.value(code))
            for index, code in found.T.tolist()
            if index != MISSING
        )

    def _picked(self, classes: ClassPick, channels: Index) -> tuple[Counts, tuple[Index, Index]]:
        """Counts of the classes, and where the file has them."""
        if isinstance(classes, str):
            classes = self._profiles.class_index(classes)
        if not isinstance(channels, slice) and not 0 <= channels < self.entry.channels:
            raise IndexError(f"{self.name} has channels 0 to {self.entry.channels - 1}, not {channels}.")
        counts = np.asarray(self._profiles.header.counts, np.int64)
        # Files do not take slices that end behind the last, as arrays do.
        here = slice(*classes.indices(len(counts))) if isinstance(classes, slice) else classes
        there = slice(*channels.indices(self.entry.channels)) if isinstance(channels, slice) else channels
        return np.asarray(counts[here]), (here, there)


def _beside(count: Counts, channels: Index) -> Counts:
    """Counts with an axis for channels, if there is one."""
    return count[..., None] if isinstance(channels, slice) else count
