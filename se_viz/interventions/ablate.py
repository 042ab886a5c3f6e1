"""Ablation: the effect of edits of s on the answers over a dataset, measured in one pass, shard by shard."""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import get_args

import numpy as np

from se_viz.data import dataset_sources
from se_viz.data.dataset_sources import Dataset, Indexed
from se_viz.data.images import InputImage
from se_viz.disk.atomic import remove_unfinished
from se_viz.disk.sole_writer import sole_writer
from se_viz.gates.capture import Capture
from se_viz.interventions.ablation import FILE, Ablation
from se_viz.interventions.ablation_file import open_ablation
from se_viz.interventions.ablation_rows import AblationSums
from se_viz.interventions.ablation_shards import AblationWork, Shard, has_shuffle, images_done
from se_viz.interventions.answers import targets_of
from se_viz.interventions.baseline import mean_weights
from se_viz.interventions.edits import Sources
from se_viz.interventions.planned_edits import AblationEdits, plan_edits, trial_sources
from se_viz.model.capture import captured
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.profiles.engine import Engine, engine_of
from se_viz.profiles.errors import OtherPass, ProfilesError, ProfilesRefused
from se_viz.profiles.make_shards import TRIES, ShardMaker, failing_disk
from se_viz.profiles.metadata import DatasetInfo, GateEntry, Header, LabelSource, ModelInfo, RunSettings
from se_viz.profiles.safetensors_io import verify
from se_viz.profiles.shards import Task, plan_shards
from se_viz.profiles.unfinished import SHARDS, reporting_images_done
from se_viz.types import AnyFloats, Int64s

_ORDER = 16  # seed of the order in which images are run


def ablate(
    model: Model,
    data: Dataset | str | Path | Indexed,
    out: str | Path,
    *,
    edits: AblationEdits | None = None,
    profiles: ClassProfiles | None = None,
    split: str | None = None,
    labels: LabelSource = "given",
    batch: int = 32,
    shard: int = 512,
    engine: Engine = "local",
    progress: bool = False,
    report: Callable[[int, int], None] | None = None,
) -> Ablation:
    """Measure over a dataset what a network answers with and without edits of s, and write ``ablation.json``.

    Each batch runs once as it is, and then under each edit from the edit's first gate on. Images are run in an order
    that is random and always the same, so that a batch has images of all classes: "shuffled" gives each image the s of
    another one of its batch, which is the baseline that says whether s of this image matters at all.

    Shards are written, skipped and verified as those of ``profile``: an interruption costs one shard, and the result of
    an interrupted pass has the same bytes as that of an uninterrupted one, whatever the number of workers. An image
    that cannot be read, or for which the network without edits gives outputs that are not finite, is left out and
    named.

    Memory grows with the batch, with what the network keeps of it up to a gate, and with edits · images by one bit.

    Args:
        model: from ``load``, with a head of classes or a binary one; its network as it was published runs.
        data, split: as for ``profile``.
        out: folder for ``ablation.json``, and for the shards while they are made.
        edits: values for each gate, each stage and all of them, ``[1.0, 0.5, "mean", shuffle()]``; or a mapping: from a
            gate, "stage 4" or "all" to a value, a list of values, or None for the default ones, and from a name to
            edits as ``capture`` takes them, ``{"both": {"SE_5_1": "mean", "SE_5_2": "mean"}}``. C numbers are an array.
            The default values are 1, the mean and shuffled. Without class profiles the mean is left out, and
            ``notes`` says so.
        profiles: where means are taken from; the bundled class profiles of a demo model if not given.
        labels: "given" compares an answer with the image's label; "predictions" with the answer of the network without
            edits, for which no labels are needed.
        batch: images per forward pass, 2 or more where s is shuffled.
        shard: images per shard, at least a batch.
        engine, progress, report: as for ``profile``.

    Raises:
        KeyError, ValueError, TypeError: an edit names no gate, does not fit it, or is there twice; or ``labels`` is
            unknown.
        NoMean: a mean is asked for, and no class profiles say what it is.
        DatasetRefused: the data cannot be read as a dataset.
        ProfilesError: the labels are no classes of the network, it has no classes, or fewer than two images can be
            counted; ``out`` holds another ablation; for "ray" as in ``profile``.
        NotReadable: the network returns no table of outputs.
        DeviceFull: the device has no room for a batch.
        InUse, WriteFailed: see ``profile``.
    """
    if labels not in get_args(LabelSource):
        raise ValueError(f"labels must be {' or '.join(get_args(LabelSource))}, not {labels!r}.")
    planned, said = plan_edits(edits, model.gates, trial_sources(model.gates, _sources(model, profiles)))
    shuffles = any(map(has_shuffle, planned))
    least = 2 if shuffles else 1
    if batch < least or shard < batch:
        needed = " where s is shuffled between the images of a batch" if shuffles else ""
        raise ProfilesError(f"batch must be {least} or more{needed}, and shard a batch or more, not {batch}, {shard}.")
    dataset, run = dataset_sources.dataset(data, split), RunSettings(batch, shard)
    targets, notes = targets_of(model, dataset, labels)
    work = AblationWork(planned, targets)
    make = engine_of(engine, write=work)
    header = Header(
        model=ModelInfo.of(model, model.precision),
        gates=tuple(GateEntry.of(gate) for gate in model.gates),
        sources=(DatasetInfo.of(dataset),),
        labels=labels,
        classes=targets.classes,
        counts=(),
        run=run,
    )
    empty = _Pass(header, run, work, (*dataset.notes, *notes, *said))
    out = Path(out)
    found = empty.finished(out)
    if found is not None and not (out / SHARDS).exists():
        return found  # nothing is written, so the folder may be read-only
    with sole_writer(out / FILE) as writer:
        found = found or empty.finished(out)
        if found is None:
            order = np.random.default_rng(_ORDER).permutation(len(dataset))
            tasks = plan_shards(header, run, len(dataset), out / SHARDS)
            with reporting_images_done(out, writer, images_done), model.reference() as exact:
                maker = ShardMaker(make, batch, progress, report, writer)
                found = _measured(maker, empty, exact, dataset, order, tasks)
                writer.require_held()
                found.write(out / FILE)
        remove_unfinished(out / FILE)
        shutil.rmtree(out / SHARDS, ignore_errors=True)
    return found


def _measured(
    maker: ShardMaker, empty: "_Pass", model: Model, dataset: Dataset, order: Int64s, tasks: Sequence[Task]
) -> Ablation:
    """Make the shards that are missing or damaged, and add up all shards."""
    for _ in range(TRIES):
        shards = maker.shards(model, _permuted(dataset, order), tasks, empty.work.read)
        ablation = empty.added_up(shards, order, dataset)
        with suppress(ProfilesRefused):  # damaged since it was verified: it is found, and made again
            for shard in shards:
                verify(shard.path)
            return ablation
    raise failing_disk(tasks)


@dataclass(frozen=True, slots=True)
class _Pass:
    """Settings of an ablation."""

    header: Header
    run: RunSettings
    work: AblationWork
    notes: tuple[str, ...]

    def finished(self, out: Path) -> Ablation | None:
        """Return the ablation of an earlier call with the same settings, if there is one.

        Raises:
            AblationRefused: it is damaged.
            OtherPass: the folder has an ablation with other settings.
        """
        if not (out / FILE).exists():
            return None
        found = open_ablation(out / FILE)
        there = found.model, found.source, found.labels, found.head, found.run, tuple(row.info for row in found.rows)
        infos = tuple(edit.info for edit in self.work.edits)
        header = self.header
        if there != (header.model, header.sources[0], header.labels, self.work.targets.head, self.run, infos):
            raise OtherPass(
                f"{out / FILE} is another ablation (other weights, images, edits or settings): name another folder, or "
                "remove this one."
            )
        return found

    def added_up(self, shards: Sequence[Shard], order: Int64s, dataset: Dataset) -> Ablation:
        """Return the sum of all shards.

        Raises:
            ProfilesError: fewer than two images were counted.
        """
        sums = AblationSums([edit.info for edit in self.work.edits], self.work.targets, len(dataset))
        refused: dict[str, str] = {}
        for shard in shards:
            sums.add(shard, order)
            refused |= shard.header.header.refused
        counted = int(sums.counts.sum())
        if counted < 2:
            first = f" The first: {next(iter(refused.values()))}" if refused else ""
            shutil.rmtree(shards[0].path.parent, ignore_errors=True)  # the cause may be mended
            raise ProfilesError(
                f"{counted} of the {len(dataset):,} images of {dataset.name} can be counted; an ablation compares two "
                f"or more.{first}"
            )
        return Ablation(
            model=self.header.model,
            gates=self.header.gates,
            source=self.header.sources[0],
            labels=self.header.labels,
            head=self.work.targets.head,
            classes=self.work.targets.classes,
            counts=tuple(sums.counts.tolist()),
            refused=dict(sorted(refused.items())),
            run=self.run,
            as_it_is=sums.as_it_is(),
            rows=sums.rows(),
            notes=self.notes,
        )


def _permuted(dataset: Dataset, order: Int64s) -> Dataset:
    """Return the same images in another order."""
    names = [dataset.names[index] for index in order]
    return replace(dataset, names=names, labels=dataset.labels[order], read=_Permuted(dataset.read, order))


@dataclass(frozen=True, slots=True)
class _Permuted:
    """A reader of image ``order[index]``."""

    read: Callable[[int], tuple[InputImage, int]]
    order: Int64s

    def __call__(self, index: int) -> tuple[InputImage, int]:
        return self.read(int(self.order[index]))


def _sources(model: Model, profiles: ClassProfiles | None) -> Sources:
    """Return the sources of means and of s of other images; each is computed once."""

    @cache
    def mean(gate: str, name: str | None) -> AnyFloats:
        return np.asarray(mean_weights(model, gate, profiles, name))

    read: dict[int, tuple[object, Capture]] = {}

    def computed_of(image: object, gate: str) -> AnyFloats:
        if id(image) not in read:
            other = captured(model, image)  # type: ignore[arg-type]  # which says what is no image
            if other.images != 1:
                raise ValueError(f"swap takes one image, not {other.images}.")
            read[id(image)] = image, other
        return read[id(image)][1][gate].s

    return Sources(0, _no_images, computed_of, mean)


def _no_images(gate: str) -> AnyFloats:
    raise AssertionError(f"No image of the dataset is read for {gate} before the pass.")
