"""Shards of a pass, and the finished ones of an earlier pass; finished means that every byte was verified."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
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


def plan_shards(header: Header, run: RunSettings, images: int, folder: Path) -> list[Task]:
    """Return all shards of a pass over ``images`` images, in the order in which they are merged."""
    return [
        Task(
            folder / f"{number:06d}.safetensors",
            replace(header, run=replace(run, index=number)),
            range(start, min(start + run.shard, images)),
        )
        for number, start in enumerate(range(0, images, run.shard))
    ]


def read_finished(path: Path, expected: Header) -> ClassProfiles | None:
    """Return the class profiles or the shard that an earlier call wrote, if this call would write the same.

    The result is None if the file does not exist, or if it is a shard that must be made again because it is damaged or
    was written without a checksum by an older SE Viz. A shard to be made again is logged as a warning.

    Raises:
        ProfilesRefused: the file of the class profiles, not of a shard, is damaged.
        OtherPass: the file is from another pass.
    """
    if not path.exists():
        return None
    try:
        profiles = unchecked(path)
        has_checksum = profiles.verify()
    except ProfilesRefused as error:
        if path.name in (FILE, former_names.FILE):
            raise
        _LOG.warning("The shard %s is made again: %s", path.name, error)
        return None
    if profiles.header.version < expected.version:
        raise OtherPass(
            f"{path} was written by an older SE Viz, whose numbers cannot be combined with those of this version: "
            "name another folder, or remove this one."
        )
    different = _differences(profiles.header, expected)
    if different:
        raise OtherPass(
            f"{path} is from a pass with other {' and '.join(different)}: name another folder, or remove this one."
        )
    if path.name not in (FILE, former_names.FILE) and not has_checksum:
        _LOG.warning("The shard %s is made again: an older SE Viz wrote it without a checksum.", path)
        return None
    return profiles


def _differences(stored: Header, expected: Header) -> Sequence[str]:
    settings = attrgetter("gates", "labels", "examples", "images", "form", "run", "head")
    aspects = {
        "weights or preprocessing": (stored.model, expected.model),
        "images": (stored.sources, expected.sources),
        "settings": (settings(stored), settings(expected)),
    }
    return [aspect for aspect, (before, now) in aspects.items() if before != now]
