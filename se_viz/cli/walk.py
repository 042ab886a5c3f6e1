"""The command that follows one channel of an image through the block of a gate."""

from pathlib import Path
from typing import Annotated

import typer

from se_viz.cli.common import Device, Verbose, fail, unwarned
from se_viz.cli.image_options import Figures, Focus, ImageOptions, names_of
from se_viz.cli.options import ModelName, NetworkOptions, Precision
from se_viz.cli.report_file import ReportFile, say_report


def walk(
    *,
    images: ImageOptions,
    model: ModelName = "demo/r16",
    device: Device = "auto",
    precision: Precision = "fp32",
    network: NetworkOptions,
    gate: Annotated[str, typer.Option(help="Name of the gate (default: the first one, with the largest maps).")] = "",
    channel: Annotated[
        int | None,
        typer.Option(help="Number of the channel, from 0 (default: the one that the gate changes most).", min=0),
    ] = None,
    pixel: Annotated[
        tuple[int, int] | None,
        typer.Option(
            help="Row and column of the pixel of U whose convolution is opened (default: where |U| is largest)."
        ),
    ] = None,
    focus: Focus = 1,
    figures: Figures = "html",
    out: Annotated[Path | None, typer.Option(help="Folder for the tables, the figures and the arrays.")] = None,
    report: ReportFile = None,
    verbose: Verbose = False,
) -> None:
    """Follow one channel of an image through the block of a gate, and print the arithmetic of each step."""
    from se_viz.analysis.walk import walk as follow
    from se_viz.cli.table import show_table
    from se_viz.figures.export import CannotDraw
    from se_viz.reports.about import about_model
    from se_viz.reports.walk import walk_report

    shown = images.read(trusted=network.trusted, verbose=verbose)
    try:
        loaded = network.load(model, device, precision)
        name = names_of(shown, focus)[focus - 1]
        with unwarned():
            walked = follow(loaded, shown[focus - 1], gate or None, channel)
        composed = walk_report(walked, name, *(pixel or ()))
        if out is not None:
            composed.write(out, figures, progress=True)
        if report is not None:
            about_model(composed, loaded, [name]).write_html(report)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    for sentence in (*composed.text, *composed.notes, *loaded.notes):
        typer.echo(sentence)
    numbers = composed.tables["numbers"]
    rows = [tuple(map(str, row)) for row in numbers[["number", "meaning", "value"]].to_numpy()]
    show_table(("number", "meaning", "value"), rows, left=("number", "meaning"))
    if out is not None:
        typer.echo(f"The tables, the figures and walk.npz are in {out}/")
    say_report(report)
