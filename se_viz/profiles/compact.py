"""Compact class profiles, as bundled with the demo models: the numbers that the page draws, rounded and compressed.

By gate, class and channel, they have of s: mean and standard deviation, rounded by ``compact_rounding``, and a
histogram with exact counts, whose bins ``binning`` chooses for each channel. They have no z and no example images.
"""

import lzma
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from se_viz.disk.atomic import replacing
from se_viz.disk.sole_writer import sole_writer
from se_viz.profiles import compact_rounding as rounding
from se_viz.profiles.binning import Bins, bins
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.compact_form import ERROR_STEP, planes
from se_viz.profiles.errors import ProfilesMismatch
from se_viz.profiles.exact_sums import LIMIT
from se_viz.profiles.metadata import VERSION, GateEntry
from se_viz.profiles.safetensors_io import Spec, write
from se_viz.types import Array, Floats, Positions

# Numbers are split into planes of their 1st, 2nd, 3rd and 4th bytes. Neighbouring bytes do not predict each other, so
# LZMA gets no context bits (lc, lp, pb = 0).
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 0, "pb": 0}]


def compact(profiles: ClassProfiles, path: str | Path) -> ClassProfiles:
    """Write the compact form of class profiles that were made with ``profile(…, images=True)``.

    Compact class profiles have all statistics of s, but no single images, and cannot be merged. Means are off by less
    than 0.0005, the AUROC of two classes by at most 0.01; heaps are exact. They are meant for some dozens of classes:
    the time grows with the square of the number of classes.

    Args:
        profiles: the exact class profiles.
        path: file to write; its name should end in ``.safetensors.xz``.

    Raises:
        NotInProfiles: the class profiles have no single images, which are needed to choose the bins.
        ProfilesMismatch: the class profiles have an older format, which has no exact s.
        ProfilesRefused: the file of ``profiles`` is damaged.
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written.
    """
    if profiles.header.version < VERSION:
        raise ProfilesMismatch(
            f"{profiles.path} was written by an older SE Viz and contains rounded s. Make the class profiles again."
        )
    path = Path(path)
    labels = profiles.table.labels.astype(np.intp)
    written = [_Rounded(profiles, entry, labels) for entry in profiles.header.gates]
    profiles.verify()  # after all of it was read
    header = replace(
        profiles.header, form="compact", images=False, examples=0, gates=tuple(gate.entry for gate in written)
    )
    with sole_writer(path), replacing(path) as unfinished:
        write(
            unfinished,
            header.to_metadata(),
            (spec for gate in written for spec in gate.specs()),
            (array for gate in written for _, array in gate.arrays),
        )
        unfinished.write_bytes(lzma.compress(unfinished.read_bytes(), format=lzma.FORMAT_XZ, filters=_FILTERS))
    return open_profiles(path)


class _Rounded:
    """One gate in the form in which it is written."""

    def __init__(self, profiles: ClassProfiles, gate: GateEntry, labels: Positions) -> None:
        self.entry = gate
        s, moments = profiles[gate.name].images(), profiles[gate.name].s()
        chosen = [bins(column.astype(np.float32), labels, len(profiles.classes)) for column in s.T]
        self.arrays = [*_moments(s, moments.mean, moments.std), *_histograms(chosen)]
        self.arrays.append(("outside", planes(profiles[gate.name].clipped())))

    def specs(self) -> Iterator[Spec]:
        for name, array in self.arrays:
            yield Spec(f"{self.entry.name}.{name}", array.dtype.name, array.shape)


def _moments(s: Floats, mean: Array, std: Array) -> Iterator[tuple[str, Array]]:
    """Yield mean and standard deviation (K, C) of s (N, C), packed.

    Classes without images get a placeholder, which is never read.
    """
    s = np.clip(s, -LIMIT, LIMIT)  # as in the sums
    spread = rounding.octaves(s.std(axis=0))
    base = rounding.base(s.mean(axis=0), spread)
    yield "base", planes(base.view(np.uint32))
    yield "spread", spread
    yield "mean", planes(rounding.pack_mean(np.where(np.isnan(mean), base, mean), base, spread))
    yield "std", rounding.pack_std(np.nan_to_num(std), spread)


def _histograms(channels: list[Bins]) -> Iterator[tuple[str, Array]]:
    """Yield the bins of all channels, concatenated."""
    yield "bins", planes(np.array([len(one.counts) for one in channels], np.uint32))
    yield "edges", planes(np.concatenate([one.edges for one in channels]))
    yield "counts", planes(np.concatenate([one.counts.ravel() for one in channels]))
    yield "auroc_error", np.ceil(np.array([one.error for one in channels]) / ERROR_STEP).astype(np.uint8)
