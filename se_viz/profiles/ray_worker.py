"""One worker of a pass on a cluster: a copy of the network in a process that makes whole shards.

Nothing here knows of Ray. What a worker finds wrong it says in what it returns, as an exception would reach the driver
wrapped in those of the cluster, and would be taken for a failure that is worth another try.
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
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt
import torch

from se_viz.data.datasets import Dataset
from se_viz.data.images import ImageRefused
from se_viz.device.devices import DeviceMissing, resolve
from se_viz.device.memory import DeviceFull
from se_viz.device.transfer import moved
from se_viz.disk.errors import explained
from se_viz.gates.errors import InstrumentError
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.local import BATCHES_AHEAD
from se_viz.profiles.metadata import GateEntry, ModelInfo
from se_viz.profiles.shard_writer import WriteShard, ahead, prepare, write_shard
from se_viz.profiles.shards import Task

# Shard numbers in; the same numbers out, each with what went wrong or "".
Column = npt.NDArray[Any]

DRAFT, TRIES = ".draft", ".tries"
# The cluster would try a shard that ends its worker, for want of memory say, for ever.
_MOST_TRIES = 4


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that a worker needs, made by the driver.

    Attributes:
        network: the pickled network, on the CPU and without hooks: the weights are the driver's own, so no worker
            fetches any.
        dataset: the pickled dataset: names, labels and how to read, no images.
        tasks: of the whole pass, by number.
        batch: images a forward pass.
        cwd: the driver's working folder, from which relative paths count.
        device, threads: what to compute on, and with how many threads to compute and to decode.
        token: a file and its content, beside the shards: a worker that reads it shares the driver's file system.
        proof: an image that the driver could read, and the sha256 of its file, if it could read one.
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
    proof: tuple[int, str] | None
    write: bytes = pickle.dumps(write_shard)


class Worker:
    """Makes shards by their numbers."""

    def __init__(self, fetch: Callable[[], Parcel]) -> None:
        self._parcel = fetch()
        self._pool = ThreadPoolExecutor(self._parcel.threads)

    def __call__(self, batch: Mapping[str, Column]) -> dict[str, Column]:
        """Make the shards whose numbers are in column ``item``; give them as ``shard``, beside ``problem``."""
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
        # A byte is written before each try, as a worker that dies cannot write it after.
        with explained(task.path), task.path.with_suffix(TRIES).open("ab") as tries:
            if tries.tell() >= _MOST_TRIES:
                first, last = dataset.names[task.indices[0]], dataset.names[task.indices[-1]]
                raise ProfilesError(
                    f"{_MOST_TRIES} workers have died of the images from {first} to {last}: memory may be short, "
                    "which a smaller batch or shard helps, or one of them ends the process that reads it."
                )
            tries.write(b".")
        outcomes = ahead(
            self._pool,
            prepare(model, dataset, task.header),
            task.indices,
            BATCHES_AHEAD * self._parcel.batch,
        )
        # A worker that was given up for lost may still be writing: no two write the same file.
        draft = task.path.with_name(f"{uuid4().hex}{DRAFT}")
        write: WriteShard = pickle.loads(self._parcel.write)  # noqa: S301 - the driver's
        write(draft, model, task.header, outcomes, len(task.indices), self._parcel.batch, _nobody)
        try:
            # The driver may have ended, and another may be at work in its folder.
            self._check_folder()
        except ProfilesError:
            draft.unlink(missing_ok=True)
            raise
        with explained(task.path):
            draft.replace(task.path)
        task.path.with_suffix(TRIES).unlink(missing_ok=True)

    def _check_folder(self) -> None:
        file, content = self._parcel.token
        if not file.is_file() or file.read_text() != content:
            raise ProfilesError(
                f"{file.parent} is not the driver's folder of that name, or its pass has ended: "
                "the class profiles' folder must be on a file system that all machines share, at the same path."
            )

    @cached_property
    def _ready(self) -> tuple[Model, Dataset]:
        """The network with its hooks, and the dataset, both proved to be the driver's."""
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
                f"The network or the dataset needs code that is not here ({error}): "
                "install it, and the same versions of SE Viz and of its requirements, on all machines."
            ) from error
        if parcel.proof is not None:
            _same_image(dataset, *parcel.proof)
        network = moved(network, resolve(parcel.device), header.model.name)
        model = Model(header.model.name, network, header.model.preprocess)
        found = ModelInfo.of(model, header.model.precision), tuple(GateEntry.of(gate) for gate in model.gates)
        if found != (header.model, header.gates):
            raise ProfilesError(
                f"{header.model.name} is another network here than at the driver: "
                "install the same versions of SE Viz and of its requirements on all machines."
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
            f"{dataset.names[index]} is another file here than at the driver: "
            f"{dataset.name} must be the same on all machines."
        )


def _nobody(images: int) -> None:
    """Hears of the progress inside a shard; the driver counts finished ones."""
