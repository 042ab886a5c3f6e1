"""A dataset through a network once, shard by shard → class profiles."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

import torch

from se_viz.data import datasets
from se_viz.data.datasets import Dataset, Indexed
from se_viz.disk.atomic import remove_unfinished, write_bytes
from se_viz.disk.sole_writer import Writer, sole_writer
from se_viz.model.capture import captured
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import FILE, ClassProfiles, file_in
from se_viz.profiles.errors import NOT_FINITE, ProfilesError, ProfilesRefused
from se_viz.profiles.make_shards import TRIES, Engine, Make, engine_of, failing_disk, make_shards
from se_viz.profiles.merge import combine
from se_viz.profiles.metadata import DatasetInfo, GateEntry, Header, LabelSource, ModelInfo, PassPrecision, Run
from se_viz.profiles.shard_writer import Turn, broken_network, run_now
from se_viz.profiles.shards import Task, finished, plan
from se_viz.profiles.unfinished import REPORT, SHARDS, is_whole, saying_what_is_kept
from se_viz.weights.head import Head, HeadMismatch, NoPredictions, fit_output

_GIVE_LABELS = "Count by labels that are given: folders, or a CSV file (labels='given', --labels given)."


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
    address: str | None = None,
    workers: int | None = None,
    gpus: float | None = None,
    cpus: int | None = None,
    progress: bool = False,
    report: Callable[[int, int], None] | None = None,
    turn: Turn = run_now,
) -> ClassProfiles:
    """Count s and z of every gate by class over a dataset, and write class profiles.

    The images, sorted by class and name, are cut into shards; each is written when it is finished and skipped when
    the pass is started again, so an interruption costs one shard. An image that cannot be read, or for which a gate
    gives numbers that are not finite, is left out and named, with the reason, in ``report.json``. The class profiles of
    a pass that was interrupted has the same bytes as that of one that was not, on the same machine with the same number
    of threads; elsewhere sums may round otherwise, which moves a weight by its last digit.

    A shard is verified by its checksum before it is skipped and before it is added up; a damaged one is made again,
    which is logged as a warning. One process at a time writes into ``out``; the lock of one that died is taken over.

    Memory grows with the shard and with classes · channels (about 310 bytes each, of one gate at a time), not with the
    number of images, of which only names are held.

    Args:
        model: from ``load``; its network as it was published runs where its weights are.
        data: what ``se_viz.data.datasets.dataset`` takes: a folder, a CSV file, tar files, a torchvision dataset.
            ``dataset(…).notes`` says what it left out; ``report.json`` has that, too.
        out: a folder for the class profiles, their report, and the shards while they are made.
        split: the part to take of data with ``train/`` and ``val/``, or the like; the validation set, else the test
            set, else the training set if not given.
        labels: whether an image counts for the class it is given, or for the one the network predicts. With a binary
            head that is yes from its threshold on, else no; of several labels the most probable one, or "no label"
            where none reaches the threshold. A number puts no image into a class.
        images: keep s of every single image, 4 bytes a channel.
        examples: images to name with the highest and with the lowest s of each channel, 1 or more.
        precision: "bf16" computes in bfloat16 where torch's autocast does, which is faster and about 3 digits exact.
        batch: images a forward pass, 1 or more.
        shard: images a shard, 1 or more.
        engine: "local" runs here; "ray" in the processes of a Ray cluster, which all must be able to read the data and
            ``out`` at the same path. Each loads the network anew, so one that dies costs the shard it is making, which
            goes to another; a shard whose workers have died four times ends the pass.
        address: of the cluster: "auto", "host:6379", or "local" to start one on this machine for this pass. If not
            given, the cluster that RAY_ADDRESS names, else "local".
        workers: of the cluster, at most; as many as there is room for if not given.
        gpus: of each worker; one where the cluster has any if not given. Parts of one are shared: 0.5.
        cpus: of each worker, and the threads in which it computes and decodes; its share of a machine's if not given,
            which is one without GPUs.
        progress: show images a second and the time left, if the output is a terminal.
        report: called after every batch (by Ray: after every shard) with the images that are done and their number.
            What it raises ends the pass as an interruption does.
        turn: calls the function it is given, a forward pass, and returns what that does: at once, or when others who
            use the device here have had theirs. What it raises ends the pass, too.

    Raises:
        ValueError: ``labels`` is neither.
        DatasetRefused: the data are none.
        ProfilesError: the data have no labels, or the network predicts no classes; none of the images could be counted,
            or none gives finite numbers; or ``out`` holds something else, or damaged class profiles;
            of the engine "ray" also: it is not installed, there is no such cluster, its machines do not share the
            files, or its workers cannot go on.
        InUse: another process is writing into ``out``; the sentence names it.
        WriteFailed: ``out`` cannot be written, its disk is full, or it was removed; the sentence says what is kept.
    """
    if labels not in get_args(LabelSource):
        raise ValueError(f"labels must be {' or '.join(get_args(LabelSource))}, not {labels!r}.")
    if min(batch, shard, examples) < 1:
        raise ProfilesError(f"batch, shard and examples must be 1 or more, not {batch}, {shard} and {examples}.")
    make = engine_of(engine, turn, address=address, workers=workers, gpus=gpus, cpus=cpus)
    dataset, run = datasets.dataset(data, split), Run(batch, shard)
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
    profiles = finished(file_in(out), header)
    if profiles is not None and is_whole(out, _report(profiles, dataset)):
        return profiles  # nothing is written, so another user's folder will do
    with sole_writer(out / FILE) as writer:
        profiles = profiles or finished(file_in(out), header)
        if profiles is None:
            tasks = plan(header, run, len(dataset), out / SHARDS)
            # Class profiles outlive this version of torch, so they are those of the network as it was published.
            with saying_what_is_kept(out, writer), model.reference() as exact:
                profiles = _profiles(make, run, exact, dataset, tasks, header, progress, report, writer)
        # Also after an interruption between the class profiles and this.
        remove_unfinished(out / REPORT)
        write_bytes(out / REPORT, _report(profiles, dataset).encode())
        shutil.rmtree(out / SHARDS, ignore_errors=True)
    return profiles


def _profiles(
    make: Make,
    run: Run,
    model: Model,
    dataset: Dataset,
    tasks: Sequence[Task],
    header: Header,
    progress: bool,
    report: Callable[[int, int], None] | None,
    writer: Writer,
) -> ClassProfiles:
    """Make the shards that are not there or are damaged, and add all up.

    Raises:
        ProfilesError: shards are damaged as often as they are made; or no image could be counted.
    """
    for _ in range(TRIES):
        shards = make_shards(make, run.batch, model, dataset, tasks, finished, progress, report, writer)
        _refuse_broken(shards)
        _refuse_nothing(shards, dataset, writer.path.parent)
        writer.check()
        try:
            return combine(shards, header, writer.path)
        except ProfilesRefused:
            # Damaged since it was verified: it is found, and made again, in the next round.
            if all(finished(task.path, task.header) for task in tasks):
                raise
    raise failing_disk(tasks)


def _refuse_broken(shards: Sequence[ClassProfiles]) -> None:
    refused = {name: reason for shard in shards for name, reason in shard.header.refused.items()}
    if not any(shard.counts.sum() for shard in shards) and any(NOT_FINITE in reason for reason in refused.values()):
        raise broken_network(refused)


def _refuse_nothing(shards: Sequence[ClassProfiles], dataset: Dataset, out: Path) -> None:
    """Raise ProfilesError if no image was counted, and remove what says so: the cause may be mended."""
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
    """The header as JSON for a person, with what was chosen and left out when the images were listed."""
    listed = json.loads(profiles.header.report()) | ({"notes": list(dataset.notes)} if dataset.notes else {})
    return json.dumps(listed, indent=2, ensure_ascii=False) + "\n"


def _classes(model: Model, dataset: Dataset, labels: LabelSource) -> tuple[tuple[str, ...], Head | None]:
    """The classes that images count for, and the head that tells predicted ones where those are not classes."""
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
        what = "One number puts" if len(fitted.names) == 1 else f"{len(fitted.names)} numbers put"
        hint = " If it is the logit of yes, say head='binary' (--head binary)." if fitted.assumed else ""
        raise ProfilesError(f"{what} images into no classes. {_GIVE_LABELS}{hint}")
    groups = datasets.unique(fitted.head.groups(fitted.names))
    return groups, None if fitted.head.kind == "classes" else fitted.head
