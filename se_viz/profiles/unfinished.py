"""The folder of a pass: what is kept of one that has not finished, whether it is whole, and removing it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from se_viz import former_names
from se_viz.disk.errors import FolderGone, WriteFailed, explained
from se_viz.disk.sole_writer import Writer, sole_writer
from se_viz.profiles.class_profiles import FILE, open_profiles
from se_viz.profiles.errors import ProfilesRefused

REPORT, SHARDS = "report.json", "shards"


def kept(out: str | Path) -> int:
    """How many images the shards of an unfinished pass into this folder hold; the same call goes on after them."""
    shards = sorted((Path(out) / SHARDS).glob("*.safetensors"))
    if not shards:
        return 0
    try:
        last = open_profiles(shards[-1]).header
    except ProfilesRefused:
        return 0  # damaged: the pass will tell which are
    images = sum(last.counts) + len(last.refused)
    return (len(shards) - 1) * (last.run.shard if last.run else images) + images


def discard(out: str | Path) -> None:
    """Remove what ``profile`` has written into a folder, finished or not; other files stay.

    Raises:
        InUse: another process is writing there.
        WriteFailed: the folder cannot be written.
    """
    out = Path(out)
    with sole_writer(out / FILE), explained(out / FILE):
        (out / FILE).unlink(missing_ok=True)
        (out / former_names.FILE).unlink(missing_ok=True)
        (out / REPORT).unlink(missing_ok=True)
        shutil.rmtree(out / SHARDS, ignore_errors=True)


def is_whole(out: Path, report: str) -> bool:
    """Whether the report of finished class profiles is there too, and nothing is left to be removed."""
    path = out / REPORT
    return path.is_file() and path.read_bytes() == report.encode() and not (out / SHARDS).exists()


@contextmanager
def saying_what_is_kept(out: Path, writer: Writer, count_in: Callable[[Path], int] = kept) -> Iterator[None]:
    """Add to what goes wrong with files in the block what of the pass is kept, and how to go on.

    Args:
        out: the folder of the pass.
        writer: that holds it.
        count_in: returns how many images the shards of the folder hold.
    """
    try:
        try:
            yield
        except ProfilesRefused:
            writer.check()  # a shard may not be there as the folder is not
            raise
    except WriteFailed as error:
        count = count_in(out)
        if count:
            said = (
                f"{count:,} images are counted and kept in {out / SHARDS}: started again, the pass goes on after them."
            )
        elif isinstance(error, FolderGone):
            said = "What was counted is gone with it: start again to count all images."
        else:
            said = "No shard was finished, so nothing is kept: start again when this is mended."
        raise type(error)(f"{error} {said}") from error
