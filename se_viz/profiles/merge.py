"""Merging of class profiles of one network: those of the shards of a pass, or of several datasets."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from se_viz.disk.sole_writer import sole_writer
from se_viz.profiles.accumulators import Ends, GateStatistics
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.errors import ProfilesMismatch
from se_viz.profiles.metadata import VERSION, GateEntry, Header
from se_viz.profiles.safetensors_io import Tensors, open_tensors
from se_viz.profiles.store import store
from se_viz.profiles.top_images import MISSING, ImageTable, Ranking, best
from se_viz.types import Array, Int64s, Positions


def merge(inputs: Sequence[ClassProfiles], path: str | Path) -> ClassProfiles:
    """Add up class profiles of one network over different datasets and write the sum.

    Classes of the same name are merged. They keep their order if it is the same in all inputs; otherwise they are
    sorted. The statistics of s are exact in any order and grouping; mean and SD of z may differ in the last digits.

    Args:
        inputs: two or more sets of class profiles.
        path: file to write, which must not be one of the inputs.

    Raises:
        ProfilesMismatch: the inputs are of different networks, preprocessing or label sources, share a dataset (whose
            images would count twice), or are compact or of format 1, which have rounded numbers.
        ProfilesRefused: one of the inputs is damaged.
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written.
    """
    if not inputs:
        raise ProfilesMismatch("There is nothing to merge: name at least two sets of class profiles.")
    _raise_if_different(inputs)
    for profiles in inputs:
        profiles.verify()
    headers = [profiles.header for profiles in inputs]
    lists = {header.classes for header in headers}
    classes = lists.pop() if len(lists) == 1 else tuple(sorted(set().union(*lists, headers[0].classes)))
    sources = tuple(
        sorted({source for header in headers for source in header.sources}, key=lambda source: source.sha256)
    )
    examples = min(header.examples for header in headers)
    keep = all(header.images for header in headers)
    whole = replace(headers[0], sources=sources, classes=classes, examples=examples, images=keep, run=None)
    with sole_writer(Path(path)):
        return combine(inputs, whole, Path(path))


def _raise_if_different(inputs: Sequence[ClassProfiles]) -> None:
    first = inputs[0]
    seen: dict[str, Path] = {}
    for profiles in inputs:
        header = profiles.header
        if header.form == "compact":
            raise ProfilesMismatch(
                f"{profiles.path} is compact and has rounded numbers: merge the exact class profiles it was made from."
            )
        if header.version < VERSION:
            raise ProfilesMismatch(
                f"{profiles.path} was written by an older SE Viz, which rounded s. It can be read, but not merged: "
                "make the class profiles again."
            )
        if (header.model.sha256, header.gates) != (first.header.model.sha256, first.header.gates):
            raise ProfilesMismatch(
                f"{profiles.path} is of {header.model.name} and {first.path} of {first.header.model.name}, which have "
                "different weights: only class profiles of one network can be merged."
            )
        if replace(header.model, name="") != replace(first.header.model, name=""):
            raise ProfilesMismatch(
                f"{profiles.path} and {first.path} are of one network with different preprocessing or precision: "
                "make one of them again."
            )
        if header.labels != first.header.labels:
            raise ProfilesMismatch(
                f"{profiles.path} counts by {_LABELS[header.labels]} and {first.path} by "
                f"{_LABELS[first.header.labels]}: make one of them again."
            )
        if header.head != first.header.head:
            raise ProfilesMismatch(
                f"{profiles.path} and {first.path} count by predictions of different heads or thresholds: "
                "make one of them again."
            )
        for source in header.sources:
            if source.sha256 in seen:
                raise ProfilesMismatch(
                    f"{profiles.path} and {seen[source.sha256]} both include {source.name}, whose images would count "
                    "twice."
                )
            seen[source.sha256] = profiles.path


_LABELS = {"given": "given labels", "predictions": "the model's predictions"}


@dataclass(frozen=True)
class _MergeInput:
    """One input, the index of its first image among all images, and the index in the sum of each of its classes."""

    profiles: ClassProfiles
    first: int
    rows: Positions

    def tensors(self) -> Tensors:
        """Open the arrays again: the pages read from a mapped file stay in memory until the file is closed."""
        return open_tensors(self.profiles.path)


def combine(inputs: Sequence[ClassProfiles], header: Header, path: Path) -> ClassProfiles:
    """Write the sum of class profiles that were checked to be mergeable, in their order.

    Args:
        inputs: the class profiles; their classes are among ``header.classes``.
        header: the header of the sum, without counts and refused images, which this function adds.
        path: file to write.

    Raises:
        ProfilesRefused: one of the inputs was found damaged while it was read; nothing is written.
        WriteFailed: ``path`` cannot be written.
    """
    row_of = {name: row for row, name in enumerate(header.classes)}
    tables = [profiles.table for profiles in inputs]
    starts = np.cumsum([0, *(len(table) for table in tables)]).tolist()
    parts = [
        _MergeInput(profiles, start, np.array([row_of[name] for name in profiles.classes], dtype=np.intp))
        for profiles, start in zip(inputs, starts, strict=False)
    ]
    counts = np.zeros(len(header.classes), np.int64)
    refused: dict[str, str] = {}
    for part in parts:
        counts[part.rows] += part.profiles.counts
        refused |= part.profiles.header.refused
    header = replace(header, counts=tuple(counts.tolist()), refused=dict(sorted(refused.items())))
    table = ImageTable(
        [name for images in tables for name in images.names],
        [digest for images in tables for digest in images.sha256],
        np.concatenate(
            [np.zeros(0, np.uint32), *(part.rows[images.labels] for part, images in zip(parts, tables, strict=True))]
        ).astype(np.uint32),
    )
    examples = {gate.name: _examples(parts, gate, header.examples, Ranking(table)) for gate in header.gates}
    kept = np.arange(len(table)) if header.images else _used(examples, table)
    renumbered = np.full(len(table) + 1, MISSING, np.int64)  # one extra entry, because index −1 means no image
    renumbered[kept] = np.arange(len(kept))

    def statistics() -> Iterator[Array]:
        for gate in header.gates:
            total = GateStatistics.empty(len(header.classes), gate.channels, z=gate.z, ends=_ends(parts, gate))
            for part in parts:
                total.add(GateStatistics.read(part.tensors(), gate, part.profiles.header.counts), part.rows)
            yield from total.arrays()
            indices, codes = examples[gate.name]
            yield np.stack([renumbered[indices], codes]).astype(np.uint32)

    def weights() -> Iterator[Array]:
        for gate in header.gates:
            yield from (part.tensors()[f"{gate.name}.s"][:,] for part in parts)

    def verify() -> None:
        for profiles in inputs:
            profiles.verify()

    # The inputs are verified after they were read, and before the sum gets its final name.
    store(path, header, table.take(kept), statistics(), weights() if header.images else (), verify)
    return open_profiles(path)


def _ends(parts: Sequence[_MergeInput], gate: GateEntry) -> tuple[Ends, Ends]:
    """Return the smallest and largest s in the histograms of all parts, which fix the bins of the sum beforehand."""
    low, high = np.full(gate.channels, np.inf, np.float32), np.full(gate.channels, -np.inf, np.float32)
    for part in parts:
        binned = part.tensors()[f"{gate.name}.binned"][:,]
        low, high = np.minimum(low, binned[0]), np.maximum(high, binned[1])
    return low, high


def _examples(parts: Sequence[_MergeInput], gate: GateEntry, examples: int, ranking: Ranking) -> tuple[Int64s, Int64s]:
    """Return indices into the table of all parts, −1 where an image is missing, and codes; each (2, E, C)."""
    keys = np.zeros((2, 0, gate.channels), np.int64)
    for part in parts:
        indices, codes = part.tensors()[f"{gate.name}.examples"][:,]
        keys = best(np.concatenate([keys, ranking.pack(indices, codes, part.first)], axis=1), examples)
    return ranking.unpack(keys)


def _used(examples: dict[str, tuple[Int64s, Int64s]], table: ImageTable) -> Int64s:
    """Return the indices of images that are an example of some channel, sorted by name."""
    order = table.order()
    used = np.zeros(len(table) + 1, bool)
    for indices, _ in examples.values():
        used[indices] = True
    kept: Int64s = order[used[order]]
    return kept
