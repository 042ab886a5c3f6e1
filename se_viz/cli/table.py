"""Tables in a shell."""

import io
from collections.abc import Iterable, Sequence

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDE = 100_000  # characters, so that no row of a file is wrapped


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, left: Sequence[str] = ()) -> None:
    """Print a table: drawn in a terminal, as wide as that is; elsewhere as plain columns, one line a row.

    Args:
        headers: of the columns.
        rows: a text for each column; square brackets in it are no markup.
        left: headers of the columns to be aligned at the left, as words are; others are aligned at the right.
    """
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(_table(Table(box=SIMPLE_HEAD, pad_edge=False), headers, rows, left))
        return
    plain = Console(file=io.StringIO(), width=_WIDE, color_system=None, highlight=False)
    with plain.capture() as capture:
        plain.print(_table(Table(box=None, pad_edge=False, padding=(0, 2, 0, 0)), headers, rows, left))
    for line in capture.get().splitlines():
        typer.echo(line.rstrip())


def _table(table: Table, headers: Sequence[str], rows: Iterable[Sequence[str]], left: Sequence[str]) -> Table:
    for header in headers:
        # Fold: a cell that does not fit goes on in the next line, and nothing of it is lost.
        table.add_column(Text(header), justify="left" if header in left else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
