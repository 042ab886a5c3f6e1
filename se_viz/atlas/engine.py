"""One shard of a pass: pictures are decoded ahead in threads while the network runs, and counted when it is full."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from se_viz.atlas.codec import Codes
from se_viz.atlas.errors import AtlasError
from se_viz.atlas.examples import ImageTable, Ranking
from se_viz.atlas.header import Header
from se_viz.atlas.merge import store
from se_viz.atlas.statistics import GateStatistics
from se_viz.atlas.tensors import Array
from se_viz.data.datasets import UNLABELLED, Dataset
from se_viz.data.images import ImageRefused
from se_viz.data.refusals import legible
from se_viz.gates.capture import Capture, capture
from se_viz.gates.model import Model
from se_viz.zoo.head import Head
from se_viz.zoo.memory import DeviceFull, room_on
from se_viz.zoo.output import table

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Ready:
    """A picture as the network is shown it, uint8 (3, H, W), with what is kept of its file."""

    name: str
    sha256: str
    label: int
    pixels: npt.NDArray[np.uint8]


# A picture, or the name and the reason for leaving it out.
Outcome: TypeAlias = Ready | tuple[str, str]
# Runs a forward pass when its turn has come, and gives what it gives.
Turn: TypeAlias = Callable[[Callable[[], Capture]], Capture]


def at_once(work: Callable[[], Capture]) -> Capture:
    """The turn of whoever has the device alone."""
    return work()


def prepare(model: Model, dataset: Dataset, header: Header) -> Callable[[int], Outcome]:
    """The function that reads picture ``index`` of a dataset; it may run in any thread."""

    def prepared(index: int) -> Outcome:
        name = dataset.names[index]
        try:
            picture, label = dataset.read(index)
        except ImageRefused as refused:
            return legible(name), str(refused)
        if header.labels == "given":
            if label == UNLABELLED:
                return name, f"{name} was left out: it has no label."
            if not 0 <= label < len(header.classes):
                return name, f"{name} was left out: its label {label} is none of the {len(header.classes)} classes."
        return Ready(name, picture.sha256, label, model.preprocess.pixels(picture.image))

    return prepared


def ahead(pool: Executor, function: Callable[[_In], _Out], items: Iterable[_In], depth: int) -> Iterator[_Out]:
    """``map`` in a pool, in order, never more than ``depth`` items ahead of whoever takes them."""
    waiting: deque[Future[_Out]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def write_shard(
    path: Path,
    model: Model,
    header: Header,
    outcomes: Iterator[Outcome],
    size: int,
    batch: int,
    progress: Callable[[int], object],
    turn: Turn = at_once,
) -> None:
    """Read the next ``size`` pictures of ``outcomes`` and write their statistics, an atlas of the classes among them.

    Args:
        path: of the shard.
        model: the network.
        header: of the whole pass, with the shard's number in ``run``; counts and refused pictures are filled in here.
        outcomes: pictures in the order of the dataset.
        size: how many of them are this shard's.
        batch: how many go into a forward pass.
        progress: is told the number of pictures after each batch.
        turn: runs each forward pass.
    """
    shard = _Shard(header, size)
    refused: dict[str, str] = {}
    for start in range(0, size, batch):
        count = min(batch, size - start)
        taken = [next(outcomes) for _ in range(count)]
        refused |= dict(outcome for outcome in taken if not isinstance(outcome, Ready))
        ready = [outcome for outcome in taken if isinstance(outcome, Ready)]
        if ready:
            shard.add(ready, turn(partial(_read, model, ready, header)))
        progress(count)
    shard.write(path, refused)


def _read(model: Model, ready: list[Ready], header: Header) -> Capture:
    pixels = torch.from_numpy(np.stack([one.pixels for one in ready]))
    device, normalise = model.device, model.preprocess.normalise
    half = header.model.precision == "bfloat16"
    with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
        if device.type != "cpu":
            # The whole batch, there in a quarter of the bytes; a device without room for that may have it for a part.
            with suppress(DeviceFull), room_on(device, "the batch"):
                return capture(model, normalise(pixels.to(device)), batch=len(ready))
        return capture(model, normalise(pixels), batch=len(ready))


def _predicted(captured: Capture, head: Head | None, ready: list[Ready]) -> list[int]:
    """What the network says that each image is, as numbers of the header's classes."""
    outputs = table(captured.output, captured.images)
    said = [None] * len(ready) if outputs is None else (head or Head("classes")).group(outputs)
    for label, one in zip(said, ready, strict=True):
        if label is None:
            raise AtlasError(
                f"What the network returned for {one.name} predicts nothing (NaN, infinite, or no table of outputs): "
                "the weights are broken, or the precision does not suffice. Or count by labels that are given."
            )
    return [label for label in said if label is not None]


class _Shard:
    """Codes and z of the shard's images, until they are counted."""

    def __init__(self, header: Header, size: int) -> None:
        self._header = header
        self._names: list[str] = []
        self._sha256: list[str] = []
        self._labels: list[int] = []
        self._codes: dict[str, Codes] = {}
        self._outside: dict[str, npt.NDArray[np.bool_]] = {}
        self._z: dict[str, npt.NDArray[np.float32]] = {}
        for gate in header.gates:
            self._codes[gate.name] = np.empty((size, gate.channels), np.uint16)
            self._outside[gate.name] = np.empty((size, gate.channels), np.bool_)
            self._z[gate.name] = np.empty((size, gate.channels), np.float32)

    def add(self, ready: list[Ready], captured: Capture) -> None:
        predicted = self._header.labels == "predictions"
        labels = _predicted(captured, self._header.head, ready) if predicted else [one.label for one in ready]
        rows = slice(len(self._names), len(self._names) + len(ready))
        for gate in self._header.gates:
            reading = captured[gate.name]
            # A gate of which no squeeze was seen has no statistics of z.
            z = np.float32("nan") if reading.z is None else reading.z
            if not (np.isfinite(reading.s).all() and (reading.z is None or np.isfinite(z).all())):
                raise AtlasError(
                    f"{gate.name} gives numbers that are not finite in the batch that starts with {ready[0].name}: "
                    "the weights are broken, or the precision does not suffice."
                )
            self._codes[gate.name][rows] = gate.scale.encode(reading.s)
            self._outside[gate.name][rows] = gate.scale.outside(reading.s)
            self._z[gate.name][rows] = z
        self._names += [one.name for one in ready]
        self._sha256 += [one.sha256 for one in ready]
        self._labels += labels

    def write(self, path: Path, refused: dict[str, str]) -> None:
        count = len(self._names)
        present, labels, counts = np.unique(np.array(self._labels, np.intp), return_inverse=True, return_counts=True)
        whole = self._header
        header = replace(
            whole,
            classes=tuple(whole.classes[label] for label in present),
            counts=tuple(counts.tolist()),
            refused=dict(sorted(refused.items())),
        )
        table = ImageTable(self._names, self._sha256, labels.astype(np.uint32))
        ranking = Ranking(table)

        def statistics() -> Iterator[Array]:
            for gate in whole.gates:
                codes, outside = self._codes[gate.name][:count], self._outside[gate.name][:count]
                z = self._z[gate.name][:count]
                yield from GateStatistics.of(codes, outside, z, labels, len(present)).arrays()
                indices, values = ranking.unpack(ranking.of_images(codes, 0, whole.examples))
                # −1, for a place that no image takes, becomes the largest number.
                yield np.stack([indices, values]).astype(np.uint32)

        kept = (self._codes[gate.name][:count] for gate in whole.gates)
        store(path, header, table, statistics(), kept if whole.images else ())
