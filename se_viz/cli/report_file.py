"""The option --report of the commands: all that the page shows, as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="HTML file for the sentences, charts and tables together. It opens without a network, in light and dark, "
        "and prints.",
        metavar="FILE.html",
    ),
]


def say_report(path: Path | None) -> None:
    """Print where the report is, if it was asked for."""
    if path is not None:
        typer.echo(f"The report is in {path}")
