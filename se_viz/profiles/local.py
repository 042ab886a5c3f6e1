"""Shards of a pass, made one after the other in this process."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from se_viz.data.dataset_sources import Dataset
from se_viz.model.model import Model
from se_viz.profiles.shard_writer import (
    ForwardScheduler,
    ShardImages,
    WriteShard,
    prefetch,
    prepare,
    run_now,
    write_shard,
)
from se_viz.profiles.shards import Task

BATCHES_AHEAD = 3
_MOST_THREADS = 16


def write_shards_locally(
    model: Model,
    dataset: Dataset,
    tasks: Sequence[Task],
    batch: int,
    step: Callable[[int], None],
    *,
    turn: ForwardScheduler = run_now,
    write: WriteShard = write_shard,
) -> None:
    """Make shards, in their order.

    Args:
        model: the network.
        dataset: the images.
        tasks: one or more shards.
        batch: images per forward pass.
        step: called after each batch with its number of images. An exception that it raises ends the pass.
        turn: runs each forward pass.
        write: writes a shard.
    """
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        indices = [index for task in tasks for index in task.indices]
        outcomes = prefetch(pool, prepare(model, dataset, tasks[0].header), indices, BATCHES_AHEAD * batch)
        for task in tasks:
            write(task.path, model, task.header, ShardImages(outcomes, len(task.indices), batch, step, turn))
    finally:
        pool.shutdown(cancel_futures=True)
