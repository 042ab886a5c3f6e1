"""One gate of class profiles: statistics of s and z by class and channel, read from the file in slices."""

from typing import Protocol, TypeAlias

import numpy as np

from se_viz import former_names
from se_viz.gates.gate_functions import range_of
from se_viz.profiles.compact_form import CompactForm
from se_viz.profiles.exact_form import ExactForm
from se_viz.profiles.format1 import Format1
from se_viz.profiles.gate_file import GateFile
from se_viz.profiles.gate_summary import Example, Histogram, Moments
from se_viz.profiles.metadata import GateEntry, Header
from se_viz.profiles.profile_index import ProfileIndex
from se_viz.profiles.safetensors_io import Index
from se_viz.profiles.top_images import MISSING
from se_viz.types import Counts, Floats

ClassPick: TypeAlias = int | str | slice

ALL = slice(None)


class Form(Protocol):
    """Reader of s of a gate for one form of file.

    Shapes are those of all classes and channels; an index instead of a slice removes its axis.
    """

    def moments(self, images: Counts, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Return mean and standard deviation of s, (K, C) each; ``images`` are the counts of the classes (K, 1)."""
        ...

    def histogram(self, images: Counts, classes: Index, channels: Index) -> Histogram:
        """Return the number of images in each bin (K, C, B)."""
        ...

    def clipped(self, classes: Index, channels: Index) -> Counts:
        """Return the number of s that count as another value (K, C)."""
        ...

    def images(self, channels: Index) -> Floats:
        """Return s of every image (N, C)."""
        ...

    def value(self, code: int) -> float:
        """Return s of an example image from its code."""
        ...

    def ends(self) -> tuple[float, float]:
        """Return a lower and an upper bound of all s."""
        ...


def form_of(header: Header, file: GateFile) -> Form:
    """Return the reader for a file's version and form."""
    if header.version == 1:
        return Format1(file)
    return ExactForm(file) if header.form == "exact" else CompactForm(file)


@former_names.with_former_fields
class GateProfile:
    """One gate of class profiles.

    Classes are selected by name, index or slice, channels by index or slice; only the selection is read from the file.
    Shapes are those of all K classes and C channels; a name or an index instead of a slice removes its axis.
    """

    def __init__(self, profiles: ProfileIndex, entry: GateEntry, form: Form, file: GateFile) -> None:
        self._profiles, self._form, self._file = profiles, form, file
        self.entry = entry

    @property
    def name(self) -> str:
        """Name of the gate, for instance SE_4_2."""
        return self.entry.name

    @property
    def span(self) -> tuple[float, float]:
        """Range in which s is drawn: that of the gate function; without one, 0 … 1, extended to the range of s."""
        if self._profiles.header.version == 1:
            return self._form.ends()
        if known := range_of(self.entry.function):
            return known
        low, high = self._form.ends()
        return (min(0.0, low), max(1.0, high)) if np.isfinite([low, high]).all() else (0.0, 1.0)

    def s(self, classes: ClassPick = ALL, channels: Index = ALL) -> Moments:
        """Return moments of the excitation weights (K, C).

        The paper's Figure 6 shows their mean by class, Figure 7 mean ± SD of one class.
        """
        count, at = self._selection(classes, channels)
        return Moments(count, *self._form.moments(_with_channel_axis(count, channels), *at))

    @property
    def has_z(self) -> bool:
        """True if z is available; it is not in compact class profiles, nor for a gate in which no z was found."""
        return "z_mean" in self._file

    def z(self, classes: ClassPick = ALL, channels: Index = ALL) -> Moments:
        """Return moments of the squeeze descriptors (K, C).

        Raises:
            NotInProfiles: z is not available, see ``has_z``.
        """
        count, at = self._selection(classes, channels)
        images = _with_channel_axis(count, channels)
        mean = self._file.read("z_mean", *at)
        with np.errstate(divide="ignore", invalid="ignore"):
            std = np.sqrt(self._file.read("z_m2", *at) / images)
        return Moments(count, np.where(images == 0, np.nan, mean), std)

    def z_range(self, classes: ClassPick = ALL, channels: Index = ALL) -> tuple[Floats, Floats]:
        """Return the smallest and the largest z, (K, C) each; ∞ and −∞ for a class without images.

        Raises:
            NotInProfiles: z is not available, see ``has_z``.
        """
        _, at = self._selection(classes, channels)
        low, high = self._file.read("z_range", ALL, *at).astype(np.float64)
        return low, high

    def histogram(self, classes: ClassPick = ALL, channels: Index = ALL) -> Histogram:
        """Return the histogram of s, by class and channel (K, C, B)."""
        count, at = self._selection(classes, channels)
        return self._form.histogram(_with_channel_axis(count, channels), *at)

    def clipped(self, classes: ClassPick = ALL, channels: Index = ALL) -> Counts:
        """Return the number of s beyond the limits of the sums (K, C), which count as the limit in mean and SD.

        The limits are ±65,536 in files that this version writes. In files of format 1 they are 0 to 8 for ReLU, and −8
        to 8 for gate functions without a known range.

        Raises:
            NotInProfiles: the class profiles are compact and of format 1, which has no such count.
        """
        _, at = self._selection(classes, channels)
        return self._form.clipped(*at)

    def highest(self, channel: int) -> tuple[Example, ...]:
        """Return the images with the highest s of a channel, highest first; ties are in the order of names."""
        return self._examples(0, channel)

    def lowest(self, channel: int) -> tuple[Example, ...]:
        """Return the images with the lowest s of a channel, lowest first; ties are in the order of names."""
        return self._examples(1, channel)

    def images(self, channels: Index = ALL) -> Floats:
        """Return s of every image (N, C), in the order of ``profiles.table``, as the network computed it in 32 bits.

        In class profiles of format 1 it is exact to half a step of 1/65,535 of the range in which it was stored.

        Raises:
            NotInProfiles: the class profiles were made without ``images=True``.
        """
        return self._form.images(channels)

    def images_of(self, name: str | int, channels: Index = ALL) -> Floats:
        """Return ``images`` of one class of n images (n, C)."""
        label = self._profiles.class_index(name) if isinstance(name, str) else name
        chosen: Floats = self.images(channels)[self._profiles.table.labels == label]
        return chosen

    @property
    def has_images(self) -> bool:
        """True if the class profiles have s of every single image."""
        return self._profiles.header.images

    @property
    def rounded_images(self) -> bool:
        """True if different s of single images may have become equal by rounding, as in format 1."""
        return self._profiles.header.version == 1

    def _examples(self, end: int, channel: int) -> tuple[Example, ...]:
        stored = self._file.read("examples", ALL, end, ALL, channel)
        table, classes = self._profiles.table, self._profiles.classes
        return tuple(
            Example(table.names[index], table.sha256[index], classes[table.labels[index]], self._form.value(code))
            for index, code in stored.T.tolist()
            if index != MISSING
        )

    def _selection(self, classes: ClassPick, channels: Index) -> tuple[Counts, tuple[Index, Index]]:
        """Return the image counts of the selected classes, and the indices of classes and channels in the file."""
        if isinstance(classes, str):
            classes = self._profiles.class_index(classes)
        if not isinstance(channels, slice) and not 0 <= channels < self.entry.channels:
            raise IndexError(f"{self.name} has channels 0 to {self.entry.channels - 1}, not {channels}.")
        counts = np.asarray(self._profiles.header.counts, np.int64)
        # safetensors does not accept slices that end after the last index, as arrays do.
        rows = slice(*classes.indices(len(counts))) if isinstance(classes, slice) else classes
        columns = slice(*channels.indices(self.entry.channels)) if isinstance(channels, slice) else channels
        return np.asarray(counts[rows]), (rows, columns)


def _with_channel_axis(count: Counts, channels: Index) -> Counts:
    """Return counts with an axis for channels, unless one channel is selected."""
    return count[..., None] if isinstance(channels, slice) else count
