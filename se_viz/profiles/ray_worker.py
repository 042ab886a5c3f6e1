"""Worker of a pass on a cluster: a process with a copy of the network that makes whole shards.

This module does not import Ray. A worker returns the problems it finds as text: an exception would reach the driver
wrapped in exceptions of the cluster, which would also try the shard again.
"""

import os
import pickle
import socket
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from uuid import uuid4

import numpy as np
import torch

from se_viz.data.dataset_sources import Dataset
from se_viz.data.images import ImageRefused
from se_viz.device.devices import DeviceMissing, resolve
from se_viz.device.memory import DeviceFull
from se_viz.device.transfer import moved
from se_viz.disk.errors import friendly_errors
from se_viz.gates.errors import InstrumentError
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.local import BATCHES_AHEAD
from se_viz.profiles.metadata import GateEntry, ModelInfo
from se_viz.profiles.shard_writer import ShardImages, WriteShard, prefetch, prepare, write_shard
from se_viz.profiles.shards import Task
from se_viz.types import Array

DRAFT, TRIES = ".draft", ".tries"
# The cluster would repeat forever a shard that ends its worker, for instance for lack of memory.
_MOST_TRIES = 4


@dataclass(frozen=True, slots=True)
class Parcel:
    """All data that a worker needs, made by the driver.

    Attributes:
        network: the pickled network, on the CPU and without hooks; it has the driver's weights, so no worker downloads
            any.
        dataset: the pickled dataset: names, labels and how to read the images, but no images.
        tasks: all shards of the pass, by index.
        batch: images per forward pass.
        cwd: the driver's working directory, to which paths are relative.
        device, threads: device to compute on, and number of threads for computing and decoding.
        token: a file in the folder of the shards and its content; a worker that can read it shares the driver's file
            system.
        first_readable: index of an image that the driver could read, and the sha256 of its file; None if it could
            read none.
        write: the pickled function that writes a shard.
    """

    network: bytes
    dataset: bytes
    tasks: Mapping[int, Task]
    batch: int
    cwd: str
    device: str
    threads: int
    token: tuple[Path, str]
    first_readable: tuple[int, str] | None
    write: bytes = pickle.dumps(write_shard)


class Worker:
    """Maker of shards, called with their indices."""

    def __init__(self, fetch: Callable[[], Parcel]) -> None:
        self._parcel = fetch()
        self._pool = ThreadPoolExecutor(self._parcel.threads)

    def __call__(self, batch: Mapping[str, Array]) -> dict[str, Array]:
        """Make the shards whose indices are in column ``item``.

        Returns:
            Columns ``shard``, the same indices, and ``problem``, a sentence or "".
        """
        numbers: Sequence[int] = batch["item"].tolist()
        return {"shard": batch["item"], "problem": np.array([self._attempt(number) for number in numbers])}

    def _attempt(self, number: int) -> str:
        try:
            self._make(self._parcel.tasks[number])
        except (ProfilesError, InstrumentError, DeviceMissing, DeviceFull, OSError) as error:
            return f"On {socket.gethostname()}: {error}"
        return ""

    def _make(self, task: Task) -> None:
        model, dataset = self._ready
        # A byte is written before each try, because a worker that dies cannot write one afterwards.
        with friendly_errors(task.path), task.path.with_suffix(TRIES).open("ab") as tries:
            if tries.tell() >= _MOST_TRIES:
                first, last = dataset.names[task.indices[0]], dataset.names[task.indices[-1]]
                raise ProfilesError(
                    f"{_MOST_TRIES} workers crashed on the images from {first} to {last}. They may have run out of "
                    "memory (use a smaller batch or shard), or one of these images crashes the decoder."
                )
            tries.write(b".")
        outcomes = prefetch(
            self._pool,
            prepare(model, dataset, task.header),
            task.indices,
            BATCHES_AHEAD * self._parcel.batch,
        )
        # A worker that the cluster has replaced may still be writing, so each attempt writes to a different file.
        draft = task.path.with_name(f"{uuid4().hex}{DRAFT}")
        write: WriteShard = pickle.loads(self._parcel.write)  # noqa: S301 - the driver's
        images = ShardImages(outcomes, len(task.indices), self._parcel.batch, _ignore_progress)
        write(draft, model, task.header, images)
        try:
            # The driver may have ended, and another one may use its folder now.
            self._check_folder()
        except ProfilesError:
            draft.unlink(missing_ok=True)
            raise
        with friendly_errors(task.path):
            draft.replace(task.path)
        task.path.with_suffix(TRIES).unlink(missing_ok=True)

    def _check_folder(self) -> None:
        file, content = self._parcel.token
        if not file.is_file() or file.read_text() != content:
            raise ProfilesError(
                f"{file.parent} is not the driver's folder of that name, or its pass has ended. "
                "The folder of the class profiles must be on a file system that all machines share, at the same path."
            )

    @cached_property
    def _ready(self) -> tuple[Model, Dataset]:
        """The network with its hooks, and the dataset, both verified to be the same as the driver's."""
        parcel = self._parcel
        with suppress(OSError):
            os.chdir(parcel.cwd)
        torch.set_num_threads(parcel.threads)
        task = next(iter(parcel.tasks.values()))
        header = task.header
        self._check_folder()
        try:
            network, dataset = pickle.loads(parcel.network), pickle.loads(parcel.dataset)  # noqa: S301 - the driver's
        except (ImportError, AttributeError) as error:
            raise ProfilesError(
                f"The network or the dataset needs code that is missing here ({error}). "
                "Install it, and the same versions of SE Viz and of its requirements, on all machines."
            ) from error
        if parcel.first_readable is not None:
            _same_image(dataset, *parcel.first_readable)
        network = moved(network, resolve(parcel.device), header.model.name)
        model = Model(header.model.name, network, header.model.preprocess)
        actual = ModelInfo.of(model, header.model.precision), tuple(GateEntry.of(gate) for gate in model.gates)
        if actual != (header.model, header.gates):
            raise ProfilesError(
                f"{header.model.name} is not the same network here as at the driver. "
                "Install the same versions of SE Viz and of its requirements on all machines."
            )
        return model, dataset


def _same_image(dataset: Dataset, index: int, sha256: str) -> None:
    try:
        image, _ = dataset.read(index)
    except ImageRefused as refused:
        raise ProfilesError(
            f"{refused} The driver can read it: {dataset.name} must be readable at the same path on all machines."
        ) from refused
    if image.sha256 != sha256:
        raise ProfilesError(
            f"{dataset.names[index]} is not the same file here as at the driver: "
            f"{dataset.name} must be the same on all machines."
        )


def _ignore_progress(images: int) -> None:
    """Ignore the progress within a shard; the driver counts finished shards."""
