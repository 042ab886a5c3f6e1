"""Shards of a pass, made on a Ray cluster; the only module that imports ray.

The indices of the shards are a Ray Data dataset with one block each, mapped by ``map_batches`` with actors. If an actor
dies, Ray restarts it or starts another one, which makes its shard again. Only the index of the shard is sent back.
"""

import logging
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import ray
from ray import cloudpickle
from ray.data import ActorPoolStrategy, from_items
from ray.exceptions import RayError

from se_viz.data.dataset_sources import Dataset
from se_viz.data.images import ImageRefused
from se_viz.disk.errors import friendly_errors
from se_viz.gates.clone import copy_without_hooks
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.ray_worker import DRAFT, TRIES, Parcel, Worker
from se_viz.profiles.shard_writer import WriteShard, write_shard
from se_viz.profiles.shards import Task

_PROOFS = 16


def write_shards_on_ray(
    model: Model,
    dataset: Dataset,
    tasks: Sequence[Task],
    batch: int,
    step: Callable[[int], None],
    *,
    address: str | None = None,
    workers: int | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    write: WriteShard = write_shard,
) -> None:
    """Make shards in the processes of a Ray cluster, in any order.

    A cluster that this process has already joined is used and stays joined. A cluster that is joined or started here is
    left or stopped when the shards are made, or when an exception or Ctrl-C ends the pass.

    Args:
        model: the network; its device does not matter.
        dataset: the images; the workers must be able to read it too.
        tasks: one or more shards, in a folder that all machines share.
        batch: images per forward pass.
        step: called after each shard with its number of images. An exception that it raises ends the pass.
        address: address of the cluster, as ``ray.init`` takes it: "auto", "host:6379"; "local" starts one on this
            machine. None is the cluster that RAY_ADDRESS names, else "local"; unlike ``ray.init``, None does not join
            just any cluster that runs on this machine.
        workers: maximum number of workers; None for as many as fit.
        gpus: GPUs per worker; None for one if the cluster has any, else 0.
        cpus: CPUs, and threads, per worker; None for its share of the machine's CPUs, or one if it has no GPU.
        write: writes a shard; it is sent to the workers.

    Raises:
        ProfilesError: there is no such cluster, no worker fits on it, the network or the dataset cannot be sent, a
            worker cannot read the dataset or write into the folder of the shards, or its work ends with an exception.
    """
    if (workers is not None and workers < 1) or (gpus is not None and gpus < 0) or (cpus is not None and cpus < 1):
        raise ProfilesError("workers and cpus must be 1 or more, gpus 0 or more.")
    # The caller reports the progress of the pass; messages of Ray Data are suppressed.
    with _quiet(logging.getLogger("ray.data")), _connected(address), _shared(tasks[0].path.parent) as token:
        gpus, cpus, room = _share(gpus, cpus)
        parcel = Parcel(
            network=_packed(model.name, copy_without_hooks(model.network).cpu()),
            dataset=_packed(dataset.name, dataset),
            write=_packed("The function that writes a shard", write),
            tasks=dict(enumerate(tasks)),
            batch=batch,
            cwd=str(Path.cwd()),
            device="gpu" if gpus else "cpu",
            threads=cpus,
            token=token,
            first_readable=_first_readable(dataset, tasks),
        )
        size = min(workers or room, room, len(tasks))
        # If step raises, the generator and its actors are closed at once: the traceback would keep them running.
        with closing(_numbers(parcel, size, gpus, cpus)) as numbers:
            for number in numbers:
                step(len(tasks[number].indices))


def _numbers(parcel: Parcel, workers: int, gpus: float, cpus: int) -> Generator[int, None, None]:
    """Yield the index of each shard when it is finished."""
    sent = ray.put(parcel)  # kept until the end: a restarted actor asks for it again
    numbers = from_items(list(parcel.tasks), override_num_blocks=len(parcel.tasks)).map_batches(
        Worker,
        fn_constructor_args=(partial(ray.get, sent),),
        batch_size=1,
        compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
        num_cpus=cpus,
        num_gpus=gpus,
    )
    numbers.context.enable_progress_bars = False
    numbers.context.print_on_execution_start = False
    try:
        for row in numbers.iter_rows():
            if row["problem"]:
                raise ProfilesError(f"{row['problem']} Finished shards are kept: the same call continues with them.")
            yield int(row["shard"])
    except RayError as error:
        # The last line names the exception; the lines before it are the worker's traceback.
        reason = str(error).strip().splitlines()[-1].strip()
        raise ProfilesError(
            f"The workers cannot continue ({type(error).__name__}: {reason}). Finished shards are kept: the same call "
            "continues with them. If they ran out of memory, use a smaller batch or shard."
        ) from error


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


@contextmanager
def _connected(address: str | None) -> Iterator[None]:
    """Join or start a Ray cluster, without usage statistics, dashboard, progress bars and log messages."""
    if ray.is_initialized():
        yield
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    try:
        ray.init(address, include_dashboard=False, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise ProfilesError(
            f"There is no Ray cluster at {address} ({error}): "
            "start one with `ray start --head --disable-usage-stats`, or use the address local."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _shared(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield a file and its content, by which a worker recognises that it has the driver's folder."""
    # This also removes the token of a driver that was killed, so that workers of it that still run stop writing.
    for leftover in (*folder.glob(f"*{TRIES}"), *folder.glob(f"*{DRAFT}"), *folder.glob("*.token")):
        leftover.unlink(missing_ok=True)
    content = uuid4().hex
    file = folder.resolve() / f"{content}.token"
    with friendly_errors(file):
        file.write_text(content)
    try:
        yield file, content
    finally:
        file.unlink(missing_ok=True)


def _share(gpus: float | None, cpus: int | None) -> tuple[float, int, int]:
    """Return GPUs and CPUs per worker, and the number of workers that fit on the cluster.

    Raises:
        ProfilesError: no worker fits.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    if gpus is None:
        gpus = float(any(machine.get("GPU", 0) >= 1 for machine in machines))
    if cpus is None:
        with_gpus = [machine for machine in machines if gpus and machine.get("GPU", 0) >= gpus]
        cpus = int(min((machine.get("CPU", 1) * gpus / machine["GPU"] for machine in with_gpus), default=1)) or 1
    room = sum(
        int(min(machine.get("CPU", 0) / cpus, machine.get("GPU", 0) / gpus if gpus else float("inf")))
        for machine in machines
    )
    if not room:
        resources = ", ".join(
            f"{machine.get('CPU', 0):g} CPUs and {machine.get('GPU', 0):g} GPUs" for machine in machines
        )
        raise ProfilesError(
            f"No machine of the cluster has room for a worker of {cpus} CPUs and {gpus:g} GPUs; they have {resources}. "
            "Request less for each worker (cpus=, gpus=)."
        )
    return gpus, cpus, room


def _packed(name: str, value: object) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(value)
    except Exception as error:  # a class can raise any exception when it is pickled
        raise ProfilesError(
            f"{name} cannot be sent to the workers ({error}). "
            "Load it from a file or by name; it must not contain locks, open files or connections."
        ) from error
    return packed


def _first_readable(dataset: Dataset, tasks: Sequence[Task]) -> tuple[int, str] | None:
    """Return the index and sha256 of the first image that can be read here; None if none of the first 16 can."""
    for index in tasks[0].indices[:_PROOFS]:
        try:
            return index, dataset.read(index)[0].sha256
        except ImageRefused:
            continue
    return None
