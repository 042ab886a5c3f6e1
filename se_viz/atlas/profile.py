"""A dataset through a network once, shard by shard → an atlas."""

import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import torch
from tqdm import tqdm

from se_viz.atlas.engine import ahead, prepare, write_shard
from se_viz.atlas.errors import AtlasError, AtlasRefused
from se_viz.atlas.header import GateEntry, Header, LabelSource, Precision, Run, Source, Subject
from se_viz.atlas.merge import combine
from se_viz.atlas.store import FILE, Atlas, open_atlas
from se_viz.data import datasets
from se_viz.data.datasets import Dataset, Indexed
from se_viz.gates.capture import capture
from se_viz.gates.model import Model

REPORT = "report.json"
_SHARDS = "shards"
_BATCHES_AHEAD = 3
_MOST_THREADS = 16


def profile(
    model: Model,
    data: Dataset | str | Path | Indexed,
    out: str | Path,
    *,
    split: str = "val",
    labels: LabelSource = "given",
    images: bool = False,
    examples: int = 8,
    precision: Precision = "float32",
    batch: int = 32,
    shard: int = 512,
    progress: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> Atlas:
    """Count s and z of every gate by class over a dataset, and write an atlas.

    The pictures, sorted by class and name, are cut into shards; each is written when it is finished and skipped when
    the pass is started again, so an interruption costs one shard. A picture that cannot be read is left out and named,
    with the reason, in ``report.json``. The atlas of a pass that was interrupted has the same bytes as that of one that
    was not, on the same machine with the same number of threads; elsewhere sums may round otherwise, which moves a
    weight by a step of 1/65,535.

    Memory grows with the shard and with classes · channels (about 310 bytes each, of one gate at a time), not with the
    number of images, of which only names are held.

    Args:
        model: from ``load``; its network as it was published runs where its weights are.
        data: what ``se_viz.data.datasets.dataset`` takes: a folder, a CSV file, tar files, a torchvision dataset.
        out: a folder for the atlas, its report, and the shards while they are made.
        split: the subfolder to take of a folder with ``train/`` and ``val/``.
        labels: whether an image counts for the class it is given, or for the one the network predicts.
        images: keep s of every single image, 2 bytes a channel.
        examples: images to name with the highest and with the lowest s of each channel, 1 or more.
        precision: "bfloat16" computes in it where torch's autocast does, which is faster and about 3 digits exact.
        batch: images a forward pass, 1 or more.
        shard: images a shard, 1 or more.
        progress: show images a second and the time left, if the output is a terminal.
        report: called after every batch with the pictures that are done and their number. What it raises ends the pass
            as an interruption does.

    Raises:
        DatasetRefused: the data are none.
        AtlasError: the data have no labels, ``out`` holds something else, or a gate gives numbers that are not finite.
    """
    if min(batch, shard, examples) < 1:
        raise AtlasError(f"batch, shard and examples must be 1 or more, not {batch}, {shard} and {examples}.")
    dataset, run = datasets.dataset(data, split), Run(batch, shard)
    header = Header(
        model=Subject.of(model, precision),
        gates=tuple(GateEntry.of(gate) for gate in model.gates),
        sources=(Source.of(dataset),),
        labels=labels,
        classes=_classes(model, dataset, labels),
        counts=(),
        examples=examples,
        images=images,
        run=run,
    )
    out = Path(out)
    atlas = _finished(out / FILE, header)
    if atlas is None:
        # An atlas outlives this version of torch, so it is that of the network as it was published.
        with model.as_published() as exact:
            shards = _shards(exact, dataset, header, run, out / _SHARDS, progress, report)
        atlas = combine(shards, header, out / FILE)
    # Also after an interruption between the atlas and this.
    (out / REPORT).write_text(atlas.header.report(), encoding="utf-8")
    shutil.rmtree(out / _SHARDS, ignore_errors=True)
    return atlas


def _classes(model: Model, dataset: Dataset, labels: LabelSource) -> tuple[str, ...]:
    if labels == "given":
        if not dataset.classes:
            raise AtlasError(
                f"{dataset.name} has no labels: put the pictures into one folder for each class, "
                "or count by the model's predictions (labels='predictions', --labels predictions)."
            )
        return dataset.classes
    if model.classes:
        return datasets.unique(model.classes)
    logits = capture(model, torch.zeros(1, 3, *model.preprocess.crop)).logits
    return tuple(f"class {number}" for number in range(logits.shape[1]))


def _shards(
    model: Model,
    dataset: Dataset,
    header: Header,
    run: Run,
    folder: Path,
    progress: bool,
    report: Callable[[int, int], None] | None,
) -> list[Atlas]:
    """Make the shards that are not there, and open all."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = [
        (
            folder / f"{number:06d}.safetensors",
            replace(header, run=replace(run, index=number)),
            range(start, min(start + run.shard, len(dataset))),
        )
        for number, start in enumerate(range(0, len(dataset), run.shard))
    ]
    missing = [(path, own, indices) for path, own, indices in plan if _finished(path, own) is None]
    left = [index for _, _, indices in missing for index in indices]
    pool = ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1))
    try:
        outcomes = ahead(pool, prepare(model, dataset, header), left, _BATCHES_AHEAD * run.batch)
        with tqdm(
            total=len(dataset),
            initial=len(dataset) - len(left),
            desc=header.model.name,
            unit="image",
            disable=None if progress else True,
        ) as bar:
            done = len(dataset) - len(left)

            def step(images: int) -> None:
                nonlocal done  # the bar does not count when it is not shown
                done += images
                bar.update(images)
                if report:
                    report(done, len(dataset))

            for path, own, indices in missing:
                write_shard(path, model, own, outcomes, len(indices), run.batch, step)
    finally:
        pool.shutdown(cancel_futures=True)
    return [open_atlas(path) for path, _, _ in plan]


def _finished(path: Path, asked: Header) -> Atlas | None:
    """What an earlier call has left there, if it is what this one would make; None if there is nothing whole.

    Raises:
        AtlasError: it is something else.
    """
    if not path.exists():
        return None
    try:
        found = open_atlas(path)
    except AtlasRefused:
        if path.name == FILE:
            raise
        return None  # a shard that the disk has damaged costs that shard
    different = _differences(found.header, asked)
    if different:
        raise AtlasError(
            f"{path} is from a pass with other {' and '.join(different)}: name another folder, or remove this one."
        )
    return found


def _differences(found: Header, asked: Header) -> Sequence[str]:
    aspects = {
        "weights or preprocessing": (found.model, asked.model),
        "pictures": (found.sources, asked.sources),
        "settings": (
            (found.gates, found.labels, found.examples, found.images, found.form, found.run),
            (asked.gates, asked.labels, asked.examples, asked.images, asked.form, asked.run),
        ),
    }
    return [aspect for aspect, (one, other) in aspects.items() if one != other]
