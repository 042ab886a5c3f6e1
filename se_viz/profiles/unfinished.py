"""The output folder of a pass: the images kept from an unfinished pass, a check for completeness, and removal."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from se_viz import former_names
from se_viz.disk.errors import FolderGone, WriteFailed, friendly_errors
from se_viz.disk.sole_writer import Writer, sole_writer
from se_viz.profiles.class_profiles import FILE, open_profiles
from se_viz.profiles.errors import ProfilesRefused

REPORT, SHARDS = "report.json", "shards"


def images_done(out: str | Path) -> int:
    """Return the number of images in the shards of an unfinished pass; the same call continues after them."""
    shards = sorted((Path(out) / SHARDS).glob("*.safetensors"))
    if not shards:
        return 0
    try:
        last = open_profiles(shards[-1]).header
    except ProfilesRefused:
        return 0  # damaged: the pass will report the damaged shards
    images = sum(last.counts) + len(last.refused)
    return (len(shards) - 1) * (last.run.shard if last.run else images) + images


def discard(out: str | Path) -> None:
    """Remove the files that ``profile`` has written into a folder, finished or not; other files stay.

    Raises:
        InUse: another process is writing there.
        WriteFailed: the folder cannot be written.
    """
    out = Path(out)
    with sole_writer(out / FILE), friendly_errors(out / FILE):
        (out / FILE).unlink(missing_ok=True)
        (out / former_names.FILE).unlink(missing_ok=True)
        (out / REPORT).unlink(missing_ok=True)
        shutil.rmtree(out / SHARDS, ignore_errors=True)


def is_whole(out: Path, report: str) -> bool:
    """Return True if the folder has the report of its class profiles, and no shards that remain to be removed."""
    path = out / REPORT
    return path.is_file() and path.read_bytes() == report.encode() and not (out / SHARDS).exists()


@contextmanager
def reporting_images_done(out: Path, writer: Writer) -> Iterator[None]:
    """Add to a WriteFailed of the block how many images are kept, and how to continue."""
    try:
        try:
            yield
        except ProfilesRefused:
            writer.require_held()  # a shard may be missing because the folder is
            raise
    except WriteFailed as error:
        count = images_done(out)
        if count:
            said = f"{count:,} images are counted and kept in {out / SHARDS}. Start again to continue after them."
        elif isinstance(error, FolderGone):
            said = "The images counted so far are lost with it: start again to count all images."
        else:
            said = "No shard was finished, so nothing is kept: start again when this is fixed."
        raise type(error)(f"{error} {said}") from error
