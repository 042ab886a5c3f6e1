"""The engines that make the shards of a pass: this process, or the workers of a Ray cluster."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal, TypeAlias

from se_viz.data.dataset_sources import Dataset
from se_viz.extras import missing
from se_viz.model.model import Model
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.local import write_shards_locally
from se_viz.profiles.shard_writer import ForwardScheduler, WriteShard, run_now, write_shard
from se_viz.profiles.shards import Task

Make: TypeAlias = Callable[[Model, Dataset, Sequence[Task], int, Callable[[int], None]], None]


@dataclass(frozen=True, slots=True)
class LocalEngine:
    """The engine that makes shards in this process.

    Attributes:
        turn: scheduler that calls the given function, a forward pass, and returns its result: immediately, or after
            others that use the same device. An exception that it raises ends the pass.
    """

    turn: ForwardScheduler = run_now


@dataclass(frozen=True, slots=True)
class RayEngine:
    """The engine that makes shards in the processes of a Ray cluster.

    All of them must be able to read the data and write to the folder of the pass at the same path. Each worker loads
    its own copy of the network. The shard of a worker that dies goes to another worker; the pass ends if four workers
    died while making the same shard.

    Attributes:
        address: address of the cluster: "auto", "host:6379", or "local" to start one on this machine for this pass.
            Default: the cluster that RAY_ADDRESS names, else "local".
        workers: maximum number of workers of the cluster (default: as many as fit).
        gpus: GPUs per worker (default: one if the cluster has any). A fraction such as 0.5 shares a GPU.
        cpus: CPUs per worker, which is also its number of threads for computing and decoding (default: its share of the
            machine's CPUs; one if it has no GPU).
    """

    address: str | None = None
    workers: int | None = None
    gpus: float | None = None
    cpus: int | None = None


Engine: TypeAlias = LocalEngine | RayEngine | Literal["local", "ray"]


def engine_of(engine: Engine, *, write: WriteShard = write_shard) -> Make:
    """Return the function that makes shards here or on a Ray cluster.

    Args:
        engine: an engine, or "local" or "ray" for one with its defaults.
        write: writes one shard; Ray sends it to the workers.

    Raises:
        ProfilesError: it is not an engine, or Ray is not installed.
    """
    if engine == "local":
        engine = LocalEngine()
    elif engine == "ray":
        engine = RayEngine()
    if isinstance(engine, RayEngine):
        return partial(_ray(), **asdict(engine), write=write)
    if isinstance(engine, LocalEngine):
        return partial(write_shards_locally, turn=engine.turn, write=write)
    raise ProfilesError(f"engine must be 'local', 'ray', or se_viz.RayEngine(…), not {engine!r}.")


def _ray() -> "Callable[..., None]":
    """Return the function that makes shards on a Ray cluster.

    Raises:
        ProfilesError: ray is not installed.
    """
    try:
        from se_viz.profiles.ray_cluster import write_shards_on_ray
    except ImportError as error:  # also if Ray's folder /tmp/ray was imported as an empty package
        raise ProfilesError(missing("The engine 'ray'", error, "ray")) from error
    return write_shards_on_ray
