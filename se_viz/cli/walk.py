"""The command that follows one channel of an image through the block of a gate."""

from typing import Annotated

import typer

from se_viz.cli.common import Verbose, fail, unwarned
from se_viz.cli.image_options import Focus, ImageOptions, names_of
from se_viz.cli.options import ChosenNetwork
from se_viz.cli.output_options import OutputOptions


def walk(
    *,
    images: ImageOptions,
    network: ChosenNetwork,
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
    output: OutputOptions,
    verbose: Verbose = False,
) -> None:
    """Follow one channel of an image through the block of a gate, and print the arithmetic of each step."""
    from se_viz.analysis.walk import walk as follow
    from se_viz.cli.table import show_table
    from se_viz.figures.export import CannotDraw
    from se_viz.reports.subject_facts import about_model
    from se_viz.reports.walk import walk_report

    shown = images.read(trusted=network.trusted, verbose=verbose)
    try:
        loaded = network.load_chosen()
        name = names_of(shown, focus)[focus - 1]
        with unwarned():
            walked = follow(loaded, shown[focus - 1], gate or None, channel)
        composed = about_model(walk_report(walked, name, *(pixel or ())), loaded, [name])
        output.write(composed)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    for sentence in (*composed.text, *composed.notes, *loaded.notes):
        typer.echo(sentence)
    numbers = composed.tables["numbers"]
    rows = [tuple(map(str, row)) for row in numbers[["number", "meaning", "value"]].to_numpy()]
    show_table(("number", "meaning", "value"), rows, left_aligned=("number", "meaning"))
    output.say(composed)
