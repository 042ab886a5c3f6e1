"""Tables printed in a shell."""

import io
from collections.abc import Iterable, Sequence

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 100_000  # characters, so that no row is wrapped in a pipe or a file


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, left_aligned: Sequence[str] = ()) -> None:
    """Print a table: drawn to the width of a terminal; in a pipe or a file as plain columns, one line per row.

    Args:
        headers: headers of the columns.
        rows: a text for each column; square brackets in it are not markup.
        left_aligned: headers of the left-aligned columns (words); the other columns are right-aligned (numbers).
    """
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(Table(box=SIMPLE_HEAD, pad_edge=False), headers, rows, left_aligned))
        return
    plain = Console(file=io.StringIO(), width=_WIDE, color_system=None, highlight=False)
    with plain.capture() as capture:
        plain.print(_table(Table(box=None, pad_edge=False, padding=(0, 2, 0, 0)), headers, rows, left_aligned))
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def _table(table: Table, headers: Sequence[str], rows: Iterable[Sequence[str]], left_aligned: Sequence[str]) -> Table:
    for header in headers:
        # A cell that does not fit continues on the next line, and nothing is cut off.
        table.add_column(Text(header), justify="left" if header in left_aligned else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
