"""Writer of one shard of a pass: threads decode images in advance while the network runs."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import numpy as np
import torch

from se_viz.data.dataset_sources import UNLABELLED, Dataset
from se_viz.data.images import ImageRefused
from se_viz.data.rejected import legible
from se_viz.device.memory import DeviceFull, raise_if_full
from se_viz.gates.capture import Capture
from se_viz.model.capture import captured
from se_viz.model.model import Model
from se_viz.profiles.errors import NOT_FINITE, ProfilesError
from se_viz.profiles.metadata import Header
from se_viz.profiles.store import store_images
from se_viz.profiles.top_images import ImageTable
from se_viz.types import Array, UInt8s
from se_viz.weights.head import Head
from se_viz.weights.output_shape import table

_MANY = 12  # images; a pass ends early if this many have no finite numbers and no image has

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclass(frozen=True, slots=True)
class Ready:
    """An image as the network gets it, uint8 (3, H, W), with its name, the sha256 of its file and its label."""

    name: str
    sha256: str
    label: int
    pixels: UInt8s


# An image, or the name and the reason for leaving it out.
Outcome: TypeAlias = Ready | tuple[str, str]
# Runs a forward pass, possibly after others that use the device, and returns its result.
ForwardScheduler: TypeAlias = Callable[[Callable[[], Any]], Any]


def run_now(work: Callable[[], _Out]) -> _Out:
    """Run a forward pass immediately."""
    return work()


@dataclass(frozen=True, slots=True)
class ShardImages:
    """The images of one shard, and how they are run.

    Attributes:
        outcomes: images in the order of the dataset, of which the shard takes the next ones.
        size: number of images of the shard.
        batch: images per forward pass.
        progress: called after each batch with its number of images.
        turn: runs each forward pass.
    """

    outcomes: Iterator[Outcome]
    size: int
    batch: int
    progress: Callable[[int], object]
    turn: ForwardScheduler = run_now


# Reads the images and writes a shard of a pass to a file, like ``write_shard``.
WriteShard: TypeAlias = Callable[[Path, Model, Header, ShardImages], None]


def prepare(model: Model, dataset: Dataset, header: Header) -> Callable[[int], Outcome]:
    """Return a thread-safe function that reads image ``index`` of a dataset."""

    def prepared(index: int) -> Outcome:
        name = dataset.names[index]
        try:
            image, label = dataset.read(index)
        except ImageRefused as refused:
            return legible(name), str(refused)
        if header.labels == "given":
            if label == UNLABELLED:
                return name, f"{name} was left out: it has no label."
            if not 0 <= label < len(header.classes):
                return name, f"{name} was left out: its label {label} is not one of the {len(header.classes)} classes."
        return Ready(name, image.sha256, label, model.preprocess.pixels(image.rgb))

    return prepared


def prefetch(pool: Executor, function: Callable[[_In], _Out], items: Iterable[_In], depth: int) -> Iterator[_Out]:
    """Yield ``function`` of each item, in order, computed in a pool at most ``depth`` items in advance."""
    waiting: deque[Future[_Out]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def write_shard(path: Path, model: Model, header: Header, images: ShardImages) -> None:
    """Read the images and write a shard, which is class profiles of their classes.

    Args:
        path: file to write.
        model: the network.
        header: the header of the pass, with the index of the shard in ``run``, without counts and refused images, which
            this function adds.
        images: the images of the shard.
    """
    shard = _Shard(header, images.size)
    refused: dict[str, str] = {}
    for start in range(0, images.size, images.batch):
        count = min(images.batch, images.size - start)
        taken = [next(images.outcomes) for _ in range(count)]
        refused |= dict(outcome for outcome in taken if not isinstance(outcome, Ready))
        ready = [outcome for outcome in taken if isinstance(outcome, Ready)]
        if ready:
            refused |= shard.add(ready, images.turn(partial(_read, model, ready, header)))
        images.progress(count)
    shard.write(path, refused)


def _read(model: Model, ready: list[Ready], header: Header) -> Capture:
    pixels = torch.from_numpy(np.stack([image.pixels for image in ready]))
    device, normalise = model.device, model.preprocess.normalise
    half = header.model.precision == "bf16"
    with torch.autocast(device.type, torch.bfloat16) if half else nullcontext():
        if device.type != "cpu":
            # The batch is sent as uint8, a quarter of the bytes. If it does not fit, the last line splits it.
            with suppress(DeviceFull), raise_if_full(device, "the batch"):
                return captured(model, normalise(pixels.to(device)), batch=len(ready))
        return captured(model, normalise(pixels), batch=len(ready))


def _predicted(captured: Capture, head: Head | None, ready: list[Ready], kept: Iterable[int]) -> list[int]:
    """Return the predicted class of each image of ``kept``, as an index into the header's classes."""
    outputs = table(captured.output, captured.images)
    said = [None] * len(ready) if outputs is None else (head or Head("classes")).group(outputs)
    labels = []
    for index in kept:
        label = said[index]
        if label is None:
            raise ProfilesError(
                f"The network's output for {ready[index].name} predicts nothing (NaN, infinite, or no table of "
                "outputs): the weights are broken, or the precision is too low. Or count by given labels."
            )
        labels.append(label)
    return labels


def broken_network(refused: Mapping[str, str]) -> ProfilesError:
    """Return the error to raise if no image has finite numbers; ``refused`` maps images to the reasons."""
    first = next(reason for reason in refused.values() if NOT_FINITE in reason)
    return ProfilesError(
        f"The gates give numbers that are not finite for every image: {first} "
        "The weights are broken, or the precision is too low."
    )


def _squeezed(captured: Capture, gate: str) -> Array:
    z = captured[gate].z
    if z is None:
        raise ProfilesError(f"{gate} gave no squeeze descriptor for these images, although it did when it was found.")
    return z


class _Shard:
    """S and z of the images of a shard, collected until it is written."""

    def __init__(self, header: Header, size: int) -> None:
        self._header = header
        self._names: list[str] = []
        self._sha256: list[str] = []
        self._labels: list[int] = []
        self._broken = 0
        self._s = {gate.name: np.empty((size, gate.channels), np.float32) for gate in header.gates}
        self._z = {gate.name: np.empty((size, gate.channels), np.float32) for gate in header.gates if gate.z}

    def add(self, ready: list[Ready], captured: Capture) -> dict[str, str]:
        """Add a batch; return the images that are left out because their numbers are not finite, with the reasons."""
        whole, refused = np.ones(len(ready), bool), {}
        for what, numbers in self._numbers(captured):
            bad = ~np.isfinite(numbers).all(axis=1) & whole
            whole &= ~bad
            for index in np.flatnonzero(bad).tolist():
                name = ready[index].name
                refused[name] = f"{name} was left out: {what} {NOT_FINITE} for it."
        self._broken += len(refused)
        kept = np.flatnonzero(whole)
        rows = slice(len(self._names), len(self._names) + len(kept))
        for name, s in self._s.items():
            s[rows] = captured[name].s[kept]
        for name, z in self._z.items():
            z[rows] = _squeezed(captured, name)[kept]
        self._names += [ready[index].name for index in kept]
        self._sha256 += [ready[index].sha256 for index in kept]
        predicted = self._header.labels == "predictions"
        head = self._header.head
        self._labels += _predicted(captured, head, ready, kept) if predicted else [ready[i].label for i in kept]
        return refused

    def _numbers(self, captured: Capture) -> Iterator[tuple[str, Array]]:
        for gate in self._header.gates:
            yield f"s of {gate.name}", captured[gate.name].s
            if gate.z:
                yield f"z of {gate.name}", _squeezed(captured, gate.name)

    def write(self, path: Path, refused: dict[str, str]) -> None:
        """Write the shard.

        Raises:
            ProfilesError: a dozen images or more have numbers that are not finite, and no image has finite ones.
        """
        if self._broken >= _MANY and not self._names:
            raise broken_network(refused)
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
        s, z = ({name: numbers[:count] for name, numbers in kept.items()} for kept in (self._s, self._z))
        store_images(path, header, table, s, z)
