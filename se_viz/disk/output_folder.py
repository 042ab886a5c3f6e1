"""A folder of exported files: one writer, each file whole or not there, and a sentence that says which are."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from se_viz.disk.atomic import write_bytes
from se_viz.disk.errors import WriteFailed
from se_viz.disk.sole_writer import sole_writer

Write: TypeAlias = Callable[[str, bytes], None]


@contextmanager
def output_folder(folder: Path, main: str) -> Iterator[Write]:
    """Yield ``write(name, content)``, which writes a file of a folder; the folder is made.

    Args:
        folder: where the files go.
        main: the file that stands for all of them: two blocks with the same one exclude each other.

    Raises:
        InUse: another process writes these files.
        WriteFailed: a file cannot be written; the sentence says how many were, and that they are kept.
    """
    written = 0
    with sole_writer(folder / main) as writer:

        def write(name: str, content: bytes) -> None:
            nonlocal written
            try:
                writer.require_held()
                write_bytes(folder / name, content)
            except WriteFailed as error:
                kept = (
                    f" {written} files before it are whole and kept in {folder}." if written and folder.is_dir() else ""
                )
                raise type(error)(f"{error}{kept} Started again, the same command writes all of them.") from error
            written += 1

        yield write
