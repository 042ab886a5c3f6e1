"""The shards of a pass on a Ray cluster; the only module that imports ray.

Shard numbers are a Ray Data set, one block each, and go through ``map_batches`` with actors. Ray starts an actor that
died anew, or another in its place, and the shard it had is made again; all that travels back is the number.
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

from se_viz.data.datasets import Dataset
from se_viz.data.images import ImageRefused
from se_viz.disk.errors import explained
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

    A Ray that this process has joined already is used and left as it is; one that is joined or started here is left or
    ended when the shards are made, or when an exception, or Ctrl-C, ends the pass.

    Args:
        model: the network; its device does not matter.
        dataset: what is read; the workers must be able to read it too.
        tasks: one or more shards, whose folder all machines share.
        batch: images a forward pass.
        step: told after each shard how many images it had. What it raises ends the pass.
        address: of the cluster, as ``ray.init`` takes it: "auto", "host:6379"; "local" starts one on this machine. None
            is the cluster that RAY_ADDRESS names, else "local": not, as Ray has it, any that runs here.
        workers: how many at most; None for as many as there is room for.
        gpus: GPUs of each worker; None for one where the cluster has any, else none.
        cpus: CPUs, and threads, of each worker; None for its share of a machine's, which is one without GPUs.
        write: writes a shard; it is sent to the workers.

    Raises:
        ProfilesError: there is no such cluster, it has no room for a worker, the network or the dataset cannot be sent,
            a worker cannot read the dataset or write beside the other shards, or its work ends with an exception.
    """
    if (workers is not None and workers < 1) or (gpus is not None and gpus < 0) or (cpus is not None and cpus < 1):
        raise ProfilesError("workers and cpus must be 1 or more, gpus 0 or more.")
    # Not what Ray Data does, but what the pass does, is told, and by the caller.
    with _quiet(logging.getLogger("ray.data")), _connected(address), _shared(tasks[0].path.parent) as token:
        gpus, cpus, room = _share(gpus, cpus)
        parcel = Parcel(
            network=_packed(model.name, copy_without_hooks(model.network).cpu()),
            dataset=_packed(dataset.name, dataset),
            write=_packed("What makes a shard", write),
            tasks=dict(enumerate(tasks)),
            batch=batch,
            cwd=str(Path.cwd()),
            device="gpu" if gpus else "cpu",
            threads=cpus,
            token=token,
            proof=_proof(dataset, tasks),
        )
        size = min(workers or room, room, len(tasks))
        # Closed at once if step raises, and with it the actors, which a traceback would keep at work.
        with closing(_numbers(parcel, size, gpus, cpus)) as numbers:
            for number in numbers:
                step(len(tasks[number].indices))


def _numbers(parcel: Parcel, workers: int, gpus: float, cpus: int) -> Generator[int, None, None]:
    """The number of each shard when it is made."""
    sent = ray.put(parcel)  # held until all is done, as an actor that is started anew asks for it again
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
                raise ProfilesError(f"{row['problem']} Finished shards are kept: the same call goes on with them.")
            yield int(row["shard"])
    except RayError as error:
        # The first line says what, those behind it are the worker's traceback.
        reason = str(error).strip().splitlines()[-1].strip()
        raise ProfilesError(
            f"The workers cannot go on ({type(error).__name__}: {reason}). Finished shards are kept: the same call "
            "goes on with them, with a smaller batch or shard if memory was short."
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
    """A Ray to work on, without its usage statistics, dashboard, bars and chatter."""
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
    """A file by which a worker knows that it has the driver's folder, and its content."""
    # The token of a driver that was killed, too: its workers, if any live, then write no more.
    for left in (*folder.glob(f"*{TRIES}"), *folder.glob(f"*{DRAFT}"), *folder.glob("*.token")):
        left.unlink(missing_ok=True)
    content = uuid4().hex
    file = folder.resolve() / f"{content}.token"
    with explained(file):
        file.write_text(content)
    try:
        yield file, content
    finally:
        file.unlink(missing_ok=True)


def _share(gpus: float | None, cpus: int | None) -> tuple[float, int, int]:
    """GPUs and CPUs of a worker, and how many workers there is room for.

    Raises:
        ProfilesError: for none.
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
        there = ", ".join(f"{machine.get('CPU', 0):g} CPUs and {machine.get('GPU', 0):g} GPUs" for machine in machines)
        raise ProfilesError(
            f"No machine of the cluster has room for a worker of {cpus} CPUs and {gpus:g} GPUs; they have {there}: "
            "ask for less for each worker (cpus=, gpus=)."
        )
    return gpus, cpus, room


def _packed(name: str, thing: object) -> bytes:
    try:
        packed: bytes = cloudpickle.dumps(thing)
    except Exception as error:  # classes raise whatever they like when they are pickled
        raise ProfilesError(
            f"{name} cannot be sent to the workers ({error}): "
            "load it from a file or by name, and keep locks, open files and connections out of it."
        ) from error
    return packed


def _proof(dataset: Dataset, tasks: Sequence[Task]) -> tuple[int, str] | None:
    """The first image that can be read here and its sha256, if one of the first few can."""
    for index in tasks[0].indices[:_PROOFS]:
        try:
            return index, dataset.read(index)[0].sha256
        except ImageRefused:
            continue
    return None
