"""One gate of an atlas: statistics of s and z by class and channel, read from the file in slices."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from se_viz.atlas.codec import Codes
from se_viz.atlas.errors import NotInAtlas
from se_viz.atlas.examples import MISSING
from se_viz.atlas.header import GateEntry
from se_viz.atlas.rounding import SHARES, unpack_mean, unpack_quantiles, unpack_std
from se_viz.atlas.tensors import Array, Index

if TYPE_CHECKING:
    from se_viz.atlas.store import Atlas

Floats: TypeAlias = npt.NDArray[np.float64]
ClassPick: TypeAlias = int | str | slice

ALL = slice(None)


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, mean and standard deviation (over the images, divided by their number) of some classes and channels.

    Shapes are (K, C) without the axis that one class or one channel was picked of; count has no channels. Mean and
    deviation are not numbers where a class has no images.
    """

    count: npt.NDArray[np.int64]
    mean: Floats
    std: Floats


@dataclass(frozen=True, slots=True)
class Histogram:
    """How many images had s in each bin: counts (…, B), and the B + 1 borders.

    Of an exact atlas these are 64 bins of equal width, the same for all: borders (65,). A compact one has seven
    quantiles instead: six bins that hold 5, 20, 25, 25, 20 and 5 % of the images of a class, borders (…, 7).
    """

    counts: Floats
    edges: Floats


@dataclass(frozen=True, slots=True)
class Example:
    """An image with a high or low s of a channel: its name in the dataset, the sha256 of its file, its class, its s."""

    name: str
    sha256: str
    label: str
    s: float


class GateAtlas:
    """One gate of an atlas.

    Classes are picked by name, number or slice, channels by number or slice; nothing else is read from the file.
    """

    def __init__(self, atlas: "Atlas", entry: GateEntry) -> None:
        self._atlas = atlas
        self.entry = entry

    @property
    def name(self) -> str:
        """For instance SE_4_2."""
        return self.entry.name

    def s(self, classes: ClassPick = ALL, channels: Index = ALL) -> Moments:
        """Excitation weights: the paper's Figure 6 is their mean by class, Figure 7 mean ± deviation of one class."""
        count, at = self._picked(classes, channels)
        scale = self.entry.scale
        if self._atlas.header.form == "compact":
            mean, std = self._codes(*at)
        else:
            images = _beside(count, channels)
            with np.errstate(divide="ignore", invalid="ignore"):
                mean = self._read("sum", *at) / images
                std = np.sqrt(np.maximum(self._read("sum2", *at) / images - mean**2, 0))
        empty = _beside(count, channels) == 0
        return Moments(count, np.where(empty, np.nan, scale.decode(mean)), np.where(empty, np.nan, std * scale.step))

    def z(self, classes: ClassPick = ALL, channels: Index = ALL) -> Moments:
        """Squeeze descriptors.

        Raises:
            NotInAtlas: a compact atlas has s alone.
        """
        count, at = self._picked(classes, channels)
        images = _beside(count, channels)
        with np.errstate(divide="ignore", invalid="ignore"):
            std = np.sqrt(self._read("z_m2", *at) / images)
        return Moments(count, np.where(images == 0, np.nan, self._read("z_mean", *at)), std)

    def z_range(self, classes: ClassPick = ALL, channels: Index = ALL) -> tuple[Floats, Floats]:
        """Smallest and largest z; ∞ and −∞ for a class without images."""
        _, at = self._picked(classes, channels)
        low, high = self._read("z_range", ALL, *at).astype(np.float64)
        return low, high

    def histogram(self, classes: ClassPick = ALL, channels: Index = ALL) -> Histogram:
        """Of s, by class and channel."""
        count, at = self._picked(classes, channels)
        scale = self.entry.scale
        if self._atlas.header.form == "exact":
            return Histogram(self._read("histogram", *at).astype(np.float64), scale.edges())
        edges = np.moveaxis(unpack_quantiles(self._read("quantiles", ALL, *at), *self._codes(*at)), 0, -1)
        return Histogram(
            _beside(count, channels)[..., None] * np.diff(SHARES) + 0 * edges[..., 1:], scale.decode(edges)
        )

    def outside(self, classes: ClassPick = ALL, channels: Index = ALL) -> npt.NDArray[np.int64]:
        """How many s lay outside the range they are stored in, and were moved to its end; only ReLU has any."""
        _, at = self._picked(classes, channels)
        return self._read("outside", *at).astype(np.int64)

    def highest(self, channel: int) -> tuple[Example, ...]:
        """The images with the highest s of a channel, highest first; of equal ones the first by name."""
        return self._examples(0, channel)

    def lowest(self, channel: int) -> tuple[Example, ...]:
        """The images with the lowest s of a channel, lowest first; of equal ones the first by name."""
        return self._examples(1, channel)

    def images(self, channels: Index = ALL) -> Floats:
        """S of every image (N, C), in the order of ``atlas.table``.

        Raises:
            NotInAtlas: the atlas was made without ``images=True``.
        """
        return self.entry.scale.decode(self.codes(channels))

    def images_of(self, name: str | int, channels: Index = ALL) -> Floats:
        """``images`` of one class."""
        label = self._atlas.class_index(name) if isinstance(name, str) else name
        chosen: Floats = self.images(channels)[self._atlas.table.labels == label]
        return chosen

    @property
    def has_images(self) -> bool:
        """Whether the atlas was made with single images."""
        return self._atlas.header.images

    def codes(self, channels: Index = ALL) -> Codes:
        """What ``images`` gives, as it is stored: uint16, in steps of 1/65,535 of the gate's range."""
        return self._read("s", ALL, channels)

    def _codes(self, classes: Index, channels: Index) -> tuple[Floats, Floats]:
        """Mean and standard deviation out of a compact atlas, in codes."""
        mean = unpack_mean(self._read("mean", classes, channels), self._read("base", channels))
        return mean, unpack_std(self._read("std", classes, channels))

    def _examples(self, end: int, channel: int) -> tuple[Example, ...]:
        found = self._read("examples", ALL, end, ALL, channel)
        table, classes = self._atlas.table, self._atlas.classes
        return tuple(
            Example(
                table.names[index],
                table.sha256[index],
                classes[table.labels[index]],
                float(self.entry.scale.decode(np.asarray(code))),
            )
            for index, code in found.T.tolist()
            if index != MISSING
        )

    def _picked(self, classes: ClassPick, channels: Index) -> tuple[npt.NDArray[np.int64], tuple[Index, Index]]:
        """Images of the classes, and where the file has them."""
        if isinstance(classes, str):
            classes = self._atlas.class_index(classes)
        if not isinstance(channels, slice) and not 0 <= channels < self.entry.channels:
            raise IndexError(f"{self.name} has channels 0 to {self.entry.channels - 1}, not {channels}.")
        counts = np.asarray(self._atlas.header.counts, np.int64)
        # Files do not take slices that end behind the last, as arrays do.
        here = slice(*classes.indices(len(counts))) if isinstance(classes, slice) else classes
        there = slice(*channels.indices(self.entry.channels)) if isinstance(channels, slice) else channels
        return np.asarray(counts[here]), (here, there)

    def _read(self, what: str, *at: Index) -> Array:
        name = f"{self.name}.{what}"
        if name not in self._atlas.tensors:
            how = "made without --images" if self._atlas.header.form == "exact" else "a compact one"
            remedy = "with `python -m se_viz profile" + (" --images`" if what == "s" else "`")
            raise NotInAtlas(f"{self._atlas.path} has no {_CALLED[what]}, as it is {how}: make it anew {remedy}.")
        # Files take Python's own integers only.
        return np.asarray(self._atlas.tensors[name][tuple(i if isinstance(i, slice) else int(i) for i in at)])


_CALLED = {
    "z_mean": "z",
    "z_m2": "z",
    "z_range": "z",
    "outside": "count of s outside the range",
    "examples": "example images",
    "s": "single images' s",
}


def _beside(count: npt.NDArray[np.int64], channels: Index) -> npt.NDArray[np.int64]:
    """Counts with an axis for channels, if there is one."""
    return count[..., None] if isinstance(channels, slice) else count
