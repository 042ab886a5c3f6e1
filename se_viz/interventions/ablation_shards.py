"""Shards of an ablation: the answers of the network to each image, without edits and with each edit."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from pydantic import TypeAdapter

from se_viz.interventions.answers import FIELDS, Answers, Targets, answers
from se_viz.interventions.edited_passes import EditedPasses
from se_viz.interventions.edits import Shuffle
from se_viz.interventions.planned_edits import EditInfo, PlannedEdit
from se_viz.model.model import Model
from se_viz.profiles.errors import NOT_FINITE, OtherPass, ProfilesError, ProfilesRefused
from se_viz.profiles.metadata import Header
from se_viz.profiles.safetensors_io import Spec, Tensors, open_tensors, verify, write
from se_viz.profiles.shard_writer import ForwardScheduler, Ready, ShardImages
from se_viz.profiles.unfinished import SHARDS
from se_viz.types import Array, Int64s

_FORMAT = "se-viz-ablation-shard"
_MANY = 12  # images; a pass ends early if these have no finite outputs and no image before has
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShardHeader:
    """Description of a shard.

    Attributes:
        header: the header of the pass with the number of the shard; counts and refused images are those of the shard.
        targets: the outputs that belong to the classes.
        edits: the edits in the order of the rows; row 0 is the network without edits.
    """

    header: Header
    targets: Targets
    edits: tuple[EditInfo, ...]

    def bare(self) -> "ShardHeader":
        """Return the header without the counts and names that are known only when the shard is made."""
        return replace(self, header=replace(self.header, counts=(), refused={}))


_JSON = TypeAdapter(ShardHeader)


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard of n images and E edits.

    Attributes:
        path: the file.
        header: the header, with the images that were left out.
        tensors: "index" (n,), the position of the image in the pass; "target" (n,), its class; and of 1 + E rows
            (1 + E, n) "answer", "logit", "log_likelihood", "entropy".
    """

    path: Path
    header: ShardHeader
    tensors: Tensors


@dataclass(frozen=True, slots=True)
class AblationWork:
    """Maker of shards of an ablation; it can be sent to other processes."""

    edits: tuple[PlannedEdit, ...]
    targets: Targets

    def header_of(self, header: Header) -> ShardHeader:
        """Return the header of a shard before it is made."""
        return ShardHeader(header, self.targets, tuple(edit.info for edit in self.edits))

    def read(self, path: Path, header: Header) -> Shard | None:
        """Return a finished shard; None if it is missing or damaged; damage is logged as a warning.

        Raises:
            OtherPass: it belongs to another ablation.
        """
        if not path.exists():
            return None
        try:
            verify(path)
            tensors = open_tensors(path)
            found = _header(tensors, path)
        except ProfilesRefused as error:
            _LOG.warning("The shard %s is made again: %s", path.name, error)
            return None
        if found.bare() != self.header_of(header).bare():
            raise OtherPass(
                f"{path} is from another ablation (other weights, images, edits or settings): name another folder, or "
                "remove this one."
            )
        return Shard(path, found, tensors)

    def __call__(self, path: Path, model: Model, header: Header, images: ShardImages) -> None:
        """Read the images and write a shard; arguments as for ``write_shard``.

        Raises:
            ProfilesError: the shard has a dozen images or more, and none has finite outputs.
        """
        rows = _Rows(self, model, header, images.turn)
        run = header.run
        start = run.index * run.shard if run and run.index else 0
        waiting: list[tuple[int, Ready]] = []
        told = 0
        for position in range(images.size):
            outcome = next(images.outcomes)
            if isinstance(outcome, Ready):
                waiting.append((start + position, outcome))
            else:
                rows.refused[outcome[0]] = outcome[1]
            # Two more, so that the last batch has no single image, which no other gives its s.
            if len(waiting) == images.batch + 2:
                rows.add(waiting[: images.batch])
                del waiting[: images.batch]
                images.progress(position + 1 - len(waiting) - told)
                told = position + 1 - len(waiting)
        if waiting:
            rows.add(waiting)
        images.progress(images.size - told)
        rows.write(path)


class _Rows:
    """Answers to the images of a shard that is being made."""

    def __init__(self, work: AblationWork, model: Model, header: Header, turn: ForwardScheduler) -> None:
        self._model = model
        self._header = work.header_of(header)
        self._passes = EditedPasses(model.instrument, [edit.edits for edit in work.edits], turn)
        self._shuffles = any(map(has_shuffle, work.edits))
        self._rows = 1 + len(work.edits)
        self._indices: list[int] = []
        self._targets: list[Int64s] = []
        self._answers: list[list[Answers]] = []
        self._broken = 0
        self.refused: dict[str, str] = {}

    def add(self, ready: list[tuple[int, Ready]]) -> None:
        """Run a batch and record the answers."""
        if len(ready) == 1 and self._shuffles:
            name = ready[0][1].name
            self.refused[name] = f"{name} was left out: no other image of its shard can be read to get s from."
            return
        pixels = torch.from_numpy(np.stack([one.pixels for _, one in ready])).to(self._model.device)
        outputs, edited = self._passes(self._model.preprocess.normalise(pixels))
        whole = np.isfinite(outputs).all(axis=1)
        for index in np.flatnonzero(~whole).tolist():
            name = ready[index][1].name
            self.refused[name] = f"{name} was left out: the output of the network {NOT_FINITE} for it."
        self._broken += int((~whole).sum())
        kept = np.flatnonzero(whole)
        head, numbers = self._header.targets.head, np.array(self._header.targets.outputs, np.int64)
        plain = answers(outputs[kept], None, head)
        given = self._header.header.labels == "given"
        targets = np.array([ready[index][1].label for index in kept], np.int64) if given else plain.answer
        self._indices += [ready[index][0] for index in kept]
        self._targets.append(targets)
        self._answers.append([answers(table[kept], numbers[targets], head) for table in (outputs, *edited)])

    def write(self, path: Path) -> None:
        """Write the shard.

        Raises:
            ProfilesError: the shard has a dozen images or more, and none has finite outputs.
        """
        count = len(self._indices)
        if not count and self._broken >= _MANY:
            raise ProfilesError(
                f"The output of {self._model.name} {NOT_FINITE} for every image: the weights are broken, or the "
                "precision does not suffice."
            )
        header = replace(self._header, header=replace(self._header.header, refused=dict(sorted(self.refused.items()))))
        metadata = {"format": _FORMAT, "version": "1", "header": _JSON.dump_json(header).decode()}
        specs = [Spec("index", "int64", (count,)), Spec("target", "int64", (count,))]
        specs += [Spec("answer", "int64", (self._rows, count))]
        specs += [Spec(field, "float32", (self._rows, count)) for field in FIELDS]
        write(path, metadata, specs, self._arrays())

    def _arrays(self) -> Iterator[Array]:
        yield np.array(self._indices, np.int64)
        yield np.concatenate([np.zeros(0, np.int64), *self._targets])
        for field, kind in (("answer", np.int64), *((field, np.float32) for field in FIELDS)):
            for row in range(self._rows):
                parts = [getattr(batch[row], field) for batch in self._answers]
                yield np.concatenate([np.zeros(0, kind), *parts]).astype(kind, copy=False)


def has_shuffle(edit: PlannedEdit) -> bool:
    """Return whether an edit gives images the s of others."""
    parts = (part for one in edit.edits.values() for part in (one.values() if isinstance(one, Mapping) else (one,)))
    return any(isinstance(part, Shuffle) for part in parts)


def _header(tensors: Tensors, path: Path) -> ShardHeader:
    metadata = tensors.metadata or {}
    if metadata.get("format") != _FORMAT:
        raise ProfilesRefused(f"{path} is not a shard of an ablation.")
    try:
        return _JSON.validate_json(metadata["header"])
    except (KeyError, ValueError) as error:
        raise ProfilesRefused(f"The header of {path} is damaged.") from error


def images_done(out: str | Path) -> int:
    """Return the number of images in the shards of an unfinished ablation; the same call continues after them."""
    shards = sorted((Path(out) / SHARDS).glob("*.safetensors"))
    if not shards:
        return 0
    try:
        tensors = open_tensors(shards[-1])
        header = _header(tensors, shards[-1]).header
    except ProfilesRefused:
        return 0  # damaged: the pass will say which
    images = len(tensors["index"][:,]) + len(header.refused)
    return (len(shards) - 1) * (header.run.shard if header.run else images) + images
