"""The options of every command that writes figures, tables or a report, and the writing."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import typer

from se_viz.wording import counted, listed

if TYPE_CHECKING:
    import pandas as pd

    from se_viz.figures.provenance import Provenance
    from se_viz.reports.report import Report

_ENDINGS = (".csv", ".parquet")
_NAMED = 2  # files that are named; more are counted


def _ending(path: Path | None) -> Path | None:
    """Check the name of a table's file when the command begins, and not after its work."""
    if path is not None and path.suffix not in _ENDINGS:
        raise typer.BadParameter(f"a table is written as .csv or .parquet, not as {path.name!r}.")
    return path


def _html(path: Path | None) -> Path | None:
    """Check the name of a report's file when the command begins, and not after its work."""
    special = path is not None and path.exists() and not path.is_file()  # /dev/stdout, for instance
    if path is not None and not special and path.suffix not in (".html", ".htm"):
        raise typer.BadParameter(f"a report is written as .html, not as {path.name!r}.")
    return path


Folder = Annotated[
    Path | None,
    typer.Option(help="Folder for the tables (CSV), the figures, and the files with all numbers."),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        help="HTML file for the sentences, charts and tables together. It opens without a network, in light and dark, "
        "and prints.",
        metavar="FILE.html",
        callback=_html,
    ),
]
TableFile = Annotated[
    Path | None,
    typer.Option(
        "--table",
        help="File for the numbers as a table, .csv or .parquet; its last columns are the model and the data.",
        metavar="FILE",
        callback=_ending,
    ),
]
Eta2File = Annotated[
    Path | None,
    typer.Option(
        help="File for η² of every channel with its values by chance, .csv or .parquet.",
        metavar="FILE",
        callback=_ending,
    ),
]


@dataclass(frozen=True)
class OutputOptions:
    """The options of a command that composes a report.

    Its files name the model, the images, the gate and the version: in the metadata of PNG, SVG and PDF, and in the last
    columns of the tables. With a preset the names of the figures' files have them, too.
    """

    figures: Annotated[
        Literal["html", "png", "svg", "pdf"],
        typer.Option(help="Format of the figures; PNG, SVG and PDF need Chrome or Chromium."),
    ] = "html"
    preset: Annotated[
        Literal["column", "double", "slide"] | None,
        typer.Option(
            help="Size of PNG, SVG and PDF figures, without titles: column is 3.5 in, double is 7 in, slide is 16:9."
        ),
    ] = None
    out: Folder = None
    report: ReportFile = None

    has_folder: ClassVar[bool] = False  # whether the command itself chooses a folder if none is named

    def __post_init__(self) -> None:
        if self.preset and self.figures == "html":
            raise typer.BadParameter("--preset is a size of PDF, SVG and PNG files: add --figures pdf, svg or png.")
        if self.figures != "html" and self.out is None and not self.has_folder:
            raise typer.BadParameter("--figures is the format of files in a folder: name the folder with --out.")

    def write(self, report: "Report", folder: Path | None = None) -> None:
        """Write the files that were asked for.

        Args:
            report: the report, with what it is about.
            folder: the folder of a command that chooses it (default: the one of --out).

        Raises:
            ValueError, CannotDraw, OSError: see ``Report.write``.
        """
        folder = folder or self.out
        if folder is not None:
            report.write(folder, self.figures, preset=self.preset, progress=True)
        write_report(report, self.report)

    def say(self, report: "Report", folder: Path | None = None) -> None:
        """Print where the files are."""
        folder = folder or self.out
        if folder is not None:
            typer.echo(f"{_contents(report)} are in {folder}/")
        say_report(self.report)


def write_report(report: "Report", path: Path | None) -> None:
    """Write a report as an HTML file if that was asked for.

    Raises:
        OSError: the file cannot be written.
    """
    if path is not None:
        report.write_html(path)


def say_report(path: Path | None) -> None:
    """Print where the HTML file is, if it was asked for."""
    if path is not None:
        typer.echo(f"The report is in {path}")


def write_table(path: Path | None, frame: "pd.DataFrame", source: "Provenance") -> None:
    """Write a table if that was asked for, with the model and the data as its last columns.

    Raises:
        WriteFailed: the file cannot be written.
    """
    if path is None:
        return
    from se_viz.disk.atomic import write_bytes
    from se_viz.reports.tables import table_bytes, with_source

    write_bytes(path, table_bytes(with_source(frame, source), "csv" if path.suffix == ".csv" else "parquet"))


def _contents(report: "Report") -> str:
    """Return what the folder of a report has, "2 tables, 14 figures, health.json and capture.parquet"."""
    kinds = ((len(report.tables), "table"), (len(report.charts), "figure"))
    parts = [counted(number, what) for number, what in kinds if number]
    files = list(report.files)
    parts += files if len(files) <= _NAMED else [counted(len(files), "file with numbers", "files with numbers")]
    return listed(parts)
