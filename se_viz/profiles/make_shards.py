"""The shards of a pass over a dataset: those that are missing or damaged are made, by the engine of the pass."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from tqdm import tqdm

from se_viz.data.dataset_sources import Dataset
from se_viz.disk.atomic import SUFFIX
from se_viz.disk.errors import friendly_errors
from se_viz.disk.sole_writer import Writer
from se_viz.model.model import Model
from se_viz.profiles.engine import Make
from se_viz.profiles.errors import ProfilesError
from se_viz.profiles.metadata import Header
from se_viz.profiles.shards import Task

TRIES = 3  # attempts at making a shard that is damaged when it is read again

_Shard = TypeVar("_Shard")
_Shard_co = TypeVar("_Shard_co", covariant=True)


class ReadShard(Protocol[_Shard_co]):
    """Returns a finished shard; None if it must be made, or made again because it is damaged."""

    def __call__(self, path: Path, expected: Header, /) -> _Shard_co | None:
        """Read it."""


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """Maker of the shards of a pass.

    Attributes:
        make: the engine.
        batch: images per forward pass.
        progress: whether to show a bar, if the output is a terminal.
        report: called after every batch with the number of images done and their total.
        writer: the lock of the folder, which must be held.
    """

    make: Make
    batch: int
    progress: bool
    report: Callable[[int, int], None] | None
    writer: Writer

    def shards(self, model: Model, dataset: Dataset, tasks: Sequence[Task], read: ReadShard[_Shard]) -> list[_Shard]:
        """Make the shards that are missing or damaged, and return all shards, each verified.

        Raises:
            ProfilesError: shards are damaged as often as they are made.
        """
        folder = tasks[0].path.parent
        with friendly_errors(tasks[0].path):
            folder.mkdir(parents=True, exist_ok=True)
            for unfinished in folder.glob(f"*{SUFFIX}"):
                unfinished.unlink()
        for attempt in range(TRIES + 1):
            opened = [read(task.path, task.header) for task in tasks]
            shards = [shard for shard in opened if shard is not None]
            if len(shards) == len(tasks):
                return shards
            if attempt == TRIES:
                break
            unmade = [task for task, shard in zip(tasks, opened, strict=True) if shard is None]
            del opened, shards  # Windows cannot replace a file that is open
            done = len(dataset) - sum(len(task.indices) for task in unmade)
            with tqdm(
                total=len(dataset), initial=done, desc=model.name, unit="image", disable=None if self.progress else True
            ) as bar:

                def step(images: int) -> None:
                    nonlocal done  # a disabled bar does not count
                    done += images
                    bar.update(images)
                    self.writer.require_held()
                    if self.report:
                        self.report(done, len(dataset))

                self.make(model, dataset, unmade, self.batch, step)
        raise failing_disk(tasks)


def failing_disk(tasks: Sequence[Task]) -> ProfilesError:
    """Return the error to raise where shards are damaged each time they are written."""
    return ProfilesError(
        f"Shards in {tasks[0].path.parent} are damaged each time they are written: the disk or the memory is failing. "
        "Choose a folder on another disk."
    )
