"""Writing of exact class profiles."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np

from se_viz.profiles.accumulators import GateStatistics
from se_viz.profiles.metadata import Header
from se_viz.profiles.quantization import ordered
from se_viz.profiles.safetensors_io import Spec, write
from se_viz.profiles.top_images import ImageTable, Ranking
from se_viz.types import Array, Float32s


def store_images(
    path: Path, header: Header, table: ImageTable, s: Mapping[str, Float32s], z: Mapping[str, Float32s]
) -> None:
    """Write the class profiles of single images.

    Args:
        path: file to write.
        header: the metadata.
        table: the N images, with their classes.
        s: for each gate of the header finite excitation weights (N, C).
        z: for each gate that has them finite squeeze descriptors (N, C).
    """
    ranking = Ranking(table)
    labels, classes = table.labels.astype(np.intp), len(header.classes)

    def statistics() -> Iterator[Array]:
        for gate in header.gates:
            weights = s[gate.name]
            yield from GateStatistics.of(weights, z[gate.name] if gate.z else None, labels, classes).arrays()
            indices, values = ranking.unpack(ranking.of_images(ordered(weights), 0, header.examples))
            # −1, for a missing image, becomes the largest uint32.
            yield np.stack([indices, values]).astype(np.uint32)

    kept = (s[gate.name] for gate in header.gates)
    store(path, header, table, statistics(), kept if header.images else ())


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
        path: file to write.
        header: the metadata.
        table: the images that the examples refer to, or all images.
        statistics: for each gate the arrays of ``GateStatistics.arrays``, then the examples, uint32 (2, 2, E, C): index
            into the table and ``quantization.ordered`` of s, for the highest and for the lowest.
        weights: for each gate s of all images, float32 (N, C), if ``header.images``.
        verify: called when all arrays are read and written; if it raises, no file is written.
    """
    # Names are separated by newlines, so a newline in a file's name would split it.
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
