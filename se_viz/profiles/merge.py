"""Add up class profiles of one network: those of the shards of a pass, or of several datasets."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from se_viz.disk.sole_writer import sole_writer
from se_viz.profiles.accumulators import Ends, GateStatistics, Rows
from se_viz.profiles.class_profiles import ClassProfiles, open_profiles
from se_viz.profiles.errors import ProfilesMismatch
from se_viz.profiles.metadata import VERSION, GateEntry, Header
from se_viz.profiles.safetensors_io import Spec, Tensors, open_tensors, write
from se_viz.profiles.top_images import MISSING, ImageTable, Ranking, best
from se_viz.types import Array

Indices = npt.NDArray[np.int64]


def merge(inputs: Sequence[ClassProfiles], path: str | Path) -> ClassProfiles:
    """Add up class profiles of one network over different datasets and write the sum.

    Classes of the same name are one. They keep their order if all inputs have the same, else they are sorted. All that
    is said of s is exact, whatever the order and the grouping; z's mean and deviation may differ in the last digits.

    Args:
        inputs: two or more.
        path: of the file to write, which must not be one of them.

    Raises:
        ProfilesMismatch: they are of different networks, preprocessing or label sources, share a dataset (whose images
            would count twice), or are compact or of format 1, which hold rounded numbers.
        ProfilesRefused: one of them is damaged.
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written.
    """
    if not inputs:
        raise ProfilesMismatch("There is nothing to merge: name two sets of class profiles or more.")
    _refuse_unlike(inputs)
    for profiles in inputs:
        profiles.verify()
    headers = [profiles.header for profiles in inputs]
    lists = {header.classes for header in headers}
    classes = lists.pop() if len(lists) == 1 else tuple(sorted(set().union(*lists, headers[0].classes)))
    sources = tuple(sorted({source for header in headers for source in header.sources}, key=lambda one: one.sha256))
    examples = min(header.examples for header in headers)
    keep = all(header.images for header in headers)
    whole = replace(headers[0], sources=sources, classes=classes, examples=examples, images=keep, run=None)
    with sole_writer(Path(path)):
        return combine(inputs, whole, Path(path))


def _refuse_unlike(inputs: Sequence[ClassProfiles]) -> None:
    first = inputs[0]
    seen: dict[str, Path] = {}
    for profiles in inputs:
        header = profiles.header
        if header.form == "compact":
            raise ProfilesMismatch(
                f"{profiles.path} is compact and holds rounded numbers: merge the class profiles it was made of."
            )
        if header.version < VERSION:
            raise ProfilesMismatch(
                f"{profiles.path} was written by an older SE Viz, which rounded s: it can be read, but to merge it "
                "make "
                "it anew."
            )
        if (header.model.sha256, header.gates) != (first.header.model.sha256, first.header.gates):
            raise ProfilesMismatch(
                f"{profiles.path} is of {header.model.name} and {first.path} of {first.header.model.name}, whose "
                "weights "
                "differ: only class profiles of one network can be merged."
            )
        if replace(header.model, name="") != replace(first.header.model, name=""):
            raise ProfilesMismatch(
                f"{profiles.path} and {first.path} are of one network with different preprocessing or precision: "
                "make one of them anew."
            )
        if header.labels != first.header.labels:
            raise ProfilesMismatch(
                f"{profiles.path} counts by {_LABELS[header.labels]} and {first.path} by "
                f"{_LABELS[first.header.labels]}: "
                "make one of them anew."
            )
        if header.head != first.header.head:
            raise ProfilesMismatch(
                f"{profiles.path} and {first.path} count by predictions of different heads or thresholds: "
                "make one of them anew."
            )
        for source in header.sources:
            if source.sha256 in seen:
                raise ProfilesMismatch(
                    f"{profiles.path} and {seen[source.sha256]} are both of {source.name}, whose images would count "
                    "twice."
                )
            seen[source.sha256] = profiles.path


_LABELS = {"given": "given labels", "predictions": "the model's predictions"}


@dataclass(frozen=True)
class _MergeInput:
    """One of the inputs, where its images begin among all, and which class of the whole each of its classes is."""

    profiles: ClassProfiles
    first: int
    rows: Rows

    def tensors(self) -> Tensors:
        """Its arrays, opened anew: what was read of a mapped file stays in memory until it is closed."""
        return open_tensors(self.profiles.path)


def combine(inputs: Sequence[ClassProfiles], whole: Header, path: Path) -> ClassProfiles:
    """Write the sum of class profiles that are known to fit, in their order.

    Args:
        inputs: the parts; their classes are among ``whole.classes``.
        whole: the header of the sum; counts and refused images are filled in here.
        path: of the file.

    Raises:
        ProfilesRefused: one of the parts was found damaged while it was read; nothing is written.
        WriteFailed: ``path`` cannot be written.
    """
    place = {name: row for row, name in enumerate(whole.classes)}
    tables = [profiles.table for profiles in inputs]
    starts = np.cumsum([0, *(len(table) for table in tables)]).tolist()
    parts = [
        _MergeInput(profiles, start, np.array([place[name] for name in profiles.classes], dtype=np.intp))
        for profiles, start in zip(inputs, starts, strict=False)
    ]
    counts = np.zeros(len(whole.classes), np.int64)
    refused: dict[str, str] = {}
    for part in parts:
        counts[part.rows] += part.profiles.counts
        refused |= part.profiles.header.refused
    whole = replace(whole, counts=tuple(counts.tolist()), refused=dict(sorted(refused.items())))
    table = ImageTable(
        [name for one in tables for name in one.names],
        [digest for one in tables for digest in one.sha256],
        np.concatenate(
            [np.zeros(0, np.uint32), *(part.rows[one.labels] for part, one in zip(parts, tables, strict=True))]
        ).astype(np.uint32),
    )
    examples = {gate.name: _examples(parts, gate, whole.examples, Ranking(table)) for gate in whole.gates}
    kept = np.arange(len(table)) if whole.images else _used(examples, table)
    renumbered = np.full(len(table) + 1, MISSING, np.int64)  # one more, as −1 stands for no image
    renumbered[kept] = np.arange(len(kept))

    def statistics() -> Iterator[Array]:
        for gate in whole.gates:
            total = GateStatistics.empty(len(whole.classes), gate.channels, z=gate.z, ends=_ends(parts, gate))
            for part in parts:
                total.add(GateStatistics.read(part.tensors(), gate, part.profiles.header.counts), part.rows)
            yield from total.arrays()
            indices, codes = examples[gate.name]
            yield np.stack([renumbered[indices], codes]).astype(np.uint32)

    def weights() -> Iterator[Array]:
        for gate in whole.gates:
            yield from (part.tensors()[f"{gate.name}.s"][:,] for part in parts)

    def verify() -> None:
        for profiles in inputs:
            profiles.verify()

    # Verified after all of it was read, and before the sum has its name.
    store(path, whole, table.take(kept), statistics(), weights() if whole.images else (), verify)
    return open_profiles(path)


def store(
    path: Path,
    header: Header,
    table: ImageTable,
    statistics: Iterator[Array],
    weights: "Iterator[Array] | tuple[()]",
    verify: Callable[[], None] | None = None,
) -> None:
    """Write exact class profiles.

    Args:
        path: of the file.
        header: all but the arrays.
        table: the images that the examples refer to, or all of them.
        statistics: by gate what ``GateStatistics.arrays`` gives, then the examples, uint32 (2, 2, E, C): index into the
            table and ``codec.ordered`` of s, of the highest and of the lowest.
        weights: by gate s of all images, float32 (N, C), if ``header.images``.
        verify: called when all arrays are read and written; if it raises, there is no file.
    """
    # A newline in a file's name would make two of it.
    names = "\n".join(name.replace("\n", " ") for name in table.names).encode(errors="surrogateescape")

    def specs() -> Iterator[Spec]:
        for gate in header.gates:
            yield from GateStatistics.specs(gate, len(header.classes))
            yield Spec(f"{gate.name}.examples", "uint32", (2, 2, header.examples, gate.channels))
        yield Spec("images.label", "uint32", (len(table),))
        if header.images:
            for gate in header.gates:
                yield Spec(f"{gate.name}.s", "float32", (len(table), gate.channels))
        yield Spec("images.sha256", "uint8", (len(table), 32))
        yield Spec("images.names", "uint8", (len(names),))

    def arrays() -> Iterator[Array]:
        yield from statistics
        yield table.labels
        yield from weights
        yield np.frombuffer(bytes.fromhex("".join(table.sha256)), np.uint8)
        yield np.frombuffer(names, np.uint8)
        if verify:
            verify()

    write(path, header.to_metadata(), specs(), arrays())


def _ends(parts: Sequence[_MergeInput], gate: GateEntry) -> tuple[Ends, Ends]:
    """Smallest and largest s in the histograms of all parts, so that the bins are those of the whole at once."""
    low, high = np.full(gate.channels, np.inf, np.float32), np.full(gate.channels, -np.inf, np.float32)
    for part in parts:
        binned = part.tensors()[f"{gate.name}.binned"][:,]
        low, high = np.minimum(low, binned[0]), np.maximum(high, binned[1])
    return low, high


def _examples(
    parts: Sequence[_MergeInput], gate: GateEntry, examples: int, ranking: Ranking
) -> tuple[Indices, Indices]:
    """Indices into the table of all parts, −1 for none, and codes; each (2, E, C)."""
    keys = np.zeros((2, 0, gate.channels), np.int64)
    for part in parts:
        indices, codes = part.tensors()[f"{gate.name}.examples"][:,]
        keys = best(np.concatenate([keys, ranking.pack(indices, codes, part.first)], axis=1), examples)
    return ranking.unpack(keys)


def _used(examples: dict[str, tuple[Indices, Indices]], table: ImageTable) -> Indices:
    """The images that are an example of some channel, by name."""
    order = table.order()
    used = np.zeros(len(table) + 1, bool)
    for indices, _ in examples.values():
        used[indices] = True
    kept: Indices = order[used[order]]
    return kept
