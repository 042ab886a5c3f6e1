"""The options that choose where a pass over a dataset is computed."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from se_viz.profiles.engine import Engine


@dataclass(frozen=True)
class EngineOptions:
    """The options of an engine."""

    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Where to compute: on this machine, or on a Ray cluster.")
    ] = "local"
    address: Annotated[
        str | None,
        typer.Option(help="Address of the cluster: auto, HOST:6379, or local to start a cluster on this machine."),
    ] = None
    workers: Annotated[
        int | None, typer.Option(help="Maximum number of workers of the cluster (default: as many as fit).", min=1)
    ] = None
    gpus: Annotated[float | None, typer.Option(help="GPUs per worker (default: 1 if the cluster has any).", min=0)] = (
        None
    )
    cpus: Annotated[
        int | None, typer.Option(help="CPUs per worker (default: its share of the machine's CPUs).", min=1)
    ] = None

    def chosen(self) -> "Engine":
        """Return the engine.

        Raises:
            ValueError: an option of a cluster is given without one.
        """
        from se_viz.profiles.engine import RayEngine

        cluster = RayEngine(self.address, self.workers, self.gpus, self.cpus)
        if self.engine == "ray":
            return cluster
        if cluster != RayEngine():
            raise ValueError("--address, --workers, --gpus and --cpus are only for --engine ray.")
        return "local"
