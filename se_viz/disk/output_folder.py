"""A folder of exported files with one writer; each file is complete or absent, and an error says how many there are."""

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
    """Create a folder, and yield ``write(name, content)``, which writes a file in it.

    Args:
        folder: where the files go.
        main: the file that stands for all of them: two blocks with the same main file exclude each other.

    Raises:
        InUse: another process writes these files.
        WriteFailed: a file cannot be written; the message says how many were, and that they are kept.
    """
    written = 0
    with sole_writer(folder / main) as writer:

        def write(name: str, content: bytes) -> None:
            nonlocal written
            try:
                writer.require_held()
                write_bytes(folder / name, content)
            except WriteFailed as error:
                files = "The file written before it is" if written == 1 else f"The {written} files before it are"
                kept = f" {files} complete and kept in {folder}." if written and folder.is_dir() else ""
                raise type(error)(f"{error}{kept} Run the same command again to write all files.") from error
            written += 1

        yield write
