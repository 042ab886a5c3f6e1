"""Class profiles made by one pass of a dataset through a network, shard by shard."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import torch

from se_viz.data import dataset_sources
from se_viz.data.dataset_sources import Dataset, Indexed
from se_viz.disk.atomic import remove_unfinished, write_bytes
from se_viz.disk.sole_writer import sole_writer
from se_viz.model.capture import captured
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import FILE, ClassProfiles, file_in
from se_viz.profiles.engine import Engine, engine_of
from se_viz.profiles.errors import NOT_FINITE, ProfilesError, ProfilesRefused
from se_viz.profiles.make_shards import TRIES, ShardMaker, failing_disk
from se_viz.profiles.merge import combine
from se_viz.profiles.metadata import DatasetInfo, GateEntry, Header, LabelSource, ModelInfo, PassPrecision, RunSettings
from se_viz.profiles.shard_writer import broken_network
from se_viz.profiles.shards import Task, plan_shards, read_finished
from se_viz.profiles.unfinished import REPORT, SHARDS, is_whole, reporting_images_done
from se_viz.weights.head import Head, HeadMismatch, NoPredictions, fit_output

_GIVE_LABELS = "Count by given labels: folders, or a CSV file (labels='given', --labels given)."


def profile(
    model: Model,
    data: Dataset | str | Path | Indexed,
    out: str | Path,
    *,
    split: str | None = None,
    labels: LabelSource = "given",
    images: bool = False,
    examples: int = 8,
    precision: PassPrecision = "fp32",
    batch: int = 32,
    shard: int = 512,
    engine: Engine = "local",
    progress: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> ClassProfiles:
    """Count s and z of every gate by class over a dataset, and write class profiles.

    The images, sorted by class and name, are divided into shards. Each shard is written when it is finished, and
    skipped when the pass is started again, so an interruption costs one shard. An image that cannot be read, or for
    which a gate gives numbers that are not finite, is left out; ``report.json`` has its name and the reason. The class
    profiles of an interrupted pass have the same bytes as those of an uninterrupted one, on the same machine with the
    same number of threads; elsewhere sums may round differently, which changes a weight in its last digit.

    A shard is verified by its checksum before it is skipped and before it is added up; a damaged shard is made again,
    and a warning is logged. Only one process at a time writes into ``out``; the lock of a process that died is taken
    over.

    Memory grows with the size of a shard and with classes · channels (about 310 bytes each, for one gate at a time),
    not with the number of images, of which only the names are in memory.

    Args:
        model: from ``load``; its network runs as published, on the device of its weights.
        data: a folder, a CSV file, tar files or a torchvision dataset, as ``data.dataset_sources.dataset`` takes it.
            ``dataset(…).notes`` and ``report.json`` say what it left out.
        out: folder for the class profiles, their report, and the shards while they are made.
        split: the part of data that has ``train/`` and ``val/`` or similar parts. Default: the validation set, else the
            test set, else the training set.
        labels: "given" counts an image for its label, "predictions" for the class that the network predicts. A binary
            head predicts yes if it reaches its threshold, else no. Of several labels the most probable one counts, or
            "no label" if none reaches the threshold. A head that returns a number predicts no class.
        images: store s of every single image, 4 bytes per channel.
        examples: number of images to store with the highest, and with the lowest, s of each channel, 1 or more.
        precision: "bf16" computes in bfloat16 where torch's autocast does; it is faster and exact to about 3 digits.
        batch: images per forward pass, 1 or more.
        shard: images per shard, 1 or more.
        engine: "local" runs in this process; "ray", or ``RayEngine`` with its options, in those of a Ray cluster.
        progress: show images per second and the remaining time, if the output is a terminal.
        report: called after every batch (with Ray: after every shard) with the number of images done and their total.
            An exception that it raises ends the pass like an interruption.

    Raises:
        ValueError: ``labels`` is neither "given" nor "predictions".
        DatasetRefused: ``data`` is not a dataset.
        ProfilesError: the data have no labels, or the network predicts no classes; none of the images could be counted,
            or none gives finite numbers; or ``out`` has other or damaged class profiles. With the engine "ray" also:
            Ray is not installed, there is no such cluster, its machines do not share the files, or its workers cannot
            continue.
        InUse: another process is writing into ``out``; the message names it.
        WriteFailed: ``out`` cannot be written, its disk is full, or it was removed; the message says what is kept.
    """
    if labels not in get_args(LabelSource):
        raise ValueError(f"labels must be {' or '.join(get_args(LabelSource))}, not {labels!r}.")
    if min(batch, shard, examples) < 1:
        raise ProfilesError(f"batch, shard and examples must be 1 or more, not {batch}, {shard} and {examples}.")
    make = engine_of(engine)
    dataset, run = dataset_sources.dataset(data, split), RunSettings(batch, shard)
    classes, head = _classes(model, dataset, labels)
    header = Header(
        model=ModelInfo.of(model, precision),
        gates=tuple(GateEntry.of(gate) for gate in model.gates),
        sources=(DatasetInfo.of(dataset),),
        labels=labels,
        classes=classes,
        counts=(),
        examples=examples,
        images=images,
        run=run,
        head=head,
    )
    out = Path(out)
    profiles = read_finished(file_in(out), header)
    if profiles is not None and is_whole(out, _report(profiles, dataset)):
        return profiles  # nothing is written, so the folder may be read-only
    with sole_writer(out / FILE) as writer:
        profiles = profiles or read_finished(file_in(out), header)
        if profiles is None:
            tasks = plan_shards(header, run, len(dataset), out / SHARDS)
            # Class profiles outlive this version of torch, so they are made with the network as published.
            with reporting_images_done(out, writer), model.reference() as exact:
                maker = ShardMaker(make, batch, progress, report, writer)
                profiles = _profiles(maker, exact, dataset, tasks, header)
        # Also runs after an interruption between writing the class profiles and this line.
        remove_unfinished(out / REPORT)
        write_bytes(out / REPORT, _report(profiles, dataset).encode())
        shutil.rmtree(out / SHARDS, ignore_errors=True)
    return profiles


def _profiles(
    maker: ShardMaker, model: Model, dataset: Dataset, tasks: Sequence[Task], header: Header
) -> ClassProfiles:
    """Make the shards that are missing or damaged, and add up all shards.

    Raises:
        ProfilesError: shards are damaged each time they are made, or no image could be counted.
    """
    writer = maker.writer
    for _ in range(TRIES):
        shards = maker.shards(model, dataset, tasks, read_finished)
        _raise_if_broken(shards)
        _raise_if_empty(shards, dataset, writer.path.parent)
        writer.require_held()
        try:
            return combine(shards, header, writer.path)
        except ProfilesRefused:
            # A shard was damaged after it was verified: the next attempt makes it again.
            if all(read_finished(task.path, task.header) for task in tasks):
                raise
    raise failing_disk(tasks)


def _raise_if_broken(shards: Sequence[ClassProfiles]) -> None:
    refused = {name: reason for shard in shards for name, reason in shard.header.refused.items()}
    if not any(shard.counts.sum() for shard in shards) and any(NOT_FINITE in reason for reason in refused.values()):
        raise broken_network(refused)


def _raise_if_empty(shards: Sequence[ClassProfiles], dataset: Dataset, out: Path) -> None:
    """Raise ProfilesError if no image was counted, and remove the shards, so that the next pass tries them again."""
    if any(shard.counts.sum() for shard in shards):
        return
    shutil.rmtree(out / SHARDS, ignore_errors=True)
    reasons = [reason for shard in shards for reason in shard.header.refused.values()]
    raise ProfilesError(
        f"None of the {len(dataset):,} images of {dataset.name} could be counted. The first: {reasons[0]}"
        if len(reasons) > 1
        else f"The only image of {dataset.name} could not be counted: {reasons[0]}"
    )


def _report(profiles: ClassProfiles, dataset: Dataset) -> str:
    """Return the header as indented JSON, with the dataset's notes on files that were chosen or left out."""
    listed = json.loads(profiles.header.report()) | ({"notes": list(dataset.notes)} if dataset.notes else {})
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def _classes(model: Model, dataset: Dataset, labels: LabelSource) -> tuple[tuple[str, ...], Head | None]:
    """Return the classes for which images count, and the head that predicts them, if its outputs are not classes."""
    if labels == "given":
        if not dataset.classes:
            raise ProfilesError(
                f"{dataset.name} has no labels: {dataset.unlabelled}, "
                "or count by the model's predictions (labels='predictions', --labels predictions)."
            )
        return dataset.classes, None
    tried, name = captured(model, torch.zeros(1, 3, *model.preprocess.crop)), type(model.network).__name__
    try:
        fitted = fit_output(model.head, tried.output, 1, model.classes, name)
    except (HeadMismatch, NoPredictions) as error:
        raise ProfilesError(f"{error} {_GIVE_LABELS}") from error
    if fitted.head.kind == "number":
        what = "one number" if len(fitted.names) == 1 else f"{len(fitted.names)} numbers"
        hint = " If it is the logit of yes, set head='binary' (--head binary)." if fitted.assumed else ""
        raise ProfilesError(f"The network returns {what} per image, not a class. {_GIVE_LABELS}{hint}")
    groups = dataset_sources.disambiguate(fitted.head.groups(fitted.names))
    return groups, None if fitted.head.kind == "classes" else fitted.head
