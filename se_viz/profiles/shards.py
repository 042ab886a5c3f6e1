"""Shards of a pass, and the finished ones of an earlier pass; finished means that every byte was verified."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from se_viz import former_names
from se_viz.profiles.class_profiles import FILE, ClassProfiles, unchecked
from se_viz.profiles.errors import OtherPass, ProfilesRefused
from se_viz.profiles.metadata import Header, RunSettings

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Task:
    """One shard to make: its file, its header, and the indices of its images in the dataset."""

    path: Path
    header: Header
    indices: range


def plan(header: Header, run: RunSettings, images: int, folder: Path) -> list[Task]:
    """Return all shards of a pass over ``images`` images, in the order in which they are merged."""
    return [
        Task(
            folder / f"{number:06d}.safetensors",
            replace(header, run=replace(run, index=number)),
            range(start, min(start + run.shard, images)),
        )
        for number, start in enumerate(range(0, images, run.shard))
    ]


def finished(path: Path, asked: Header) -> ClassProfiles | None:
    """Return the class profiles or the shard that an earlier call wrote, if this call would write the same.

    The result is None if the file does not exist, or if it is a shard that must be made again because it is damaged or
    was written without a checksum by an older SE Viz; a warning is logged then.

    Raises:
        ProfilesRefused: the file of the class profiles, not of a shard, is damaged.
        OtherPass: the file is from another pass.
    """
    if not path.exists():
        return None
    try:
        found = unchecked(path)
        has_checksum = found.verify()
    except ProfilesRefused as error:
        if path.name in (FILE, former_names.FILE):
            raise
        _LOG.warning("The shard %s is made again: %s", path.name, error)
        return None
    if found.header.version < asked.version:
        raise OtherPass(
            f"{path} was written by an older SE Viz, whose numbers cannot be combined with those of this version: "
            "name another folder, or remove this one."
        )
    different = _differences(found.header, asked)
    if different:
        raise OtherPass(
            f"{path} is from a pass with other {' and '.join(different)}: name another folder, or remove this one."
        )
    if path.name not in (FILE, former_names.FILE) and not has_checksum:
        _LOG.warning("The shard %s is made again: an older SE Viz wrote it without a checksum.", path)
        return None
    return found


def _differences(found: Header, asked: Header) -> Sequence[str]:
    aspects = {
        "weights or preprocessing": (found.model, asked.model),
        "images": (found.sources, asked.sources),
        "settings": (
            (found.gates, found.labels, found.examples, found.images, found.form, found.run, found.head),
            (asked.gates, asked.labels, asked.examples, asked.images, asked.form, asked.run, asked.head),
        ),
    }
    return [aspect for aspect, (one, other) in aspects.items() if one != other]
