"""The command on class profiles: what the Classes page shows, as files."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Device, Verbose, fail, unwarned, warn
from se_viz.cli.options import Trusted, load_network

if TYPE_CHECKING:
    from se_viz.profiles.class_profiles import ClassProfiles
    from se_viz.reports.class_groups import Group


def classes(
    profiles: Annotated[
        Path | None, typer.Argument(help="Class profiles that `profile` made; if not given, those of a demo model.")
    ] = None,
    model: Annotated[str, typer.Option(help="The demo model whose class profiles are taken.")] = "demo/r16",
    only: Annotated[
        list[str] | None, typer.Option("--class", help="A class to draw, up to six; may be repeated.")
    ] = None,
    gate: Annotated[
        list[str] | None, typer.Option(help="A gate to draw; may be repeated. If not given, the last of each stage.")
    ] = None,
    against: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two classes to compare; if not given, those the last gate holds farthest apart."),
    ] = None,
    band: Annotated[
        Literal["mean ± deviation", "median and quartiles"], typer.Option(help="What to draw of each class alone.")
    ] = "mean ± deviation",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Images of your own to hold against the classes, NAME=FOLDER, up to six; may be repeated."),
    ] = None,
    device: Device = "auto",
    trusted: Trusted = False,
    everything: Annotated[bool, typer.Option("--all", help="Draw all channels, not fifty as in the paper.")] = False,
    figures: Annotated[Literal["html", "png", "svg"], typer.Option(help="Format of the figures.")] = "html",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("classes"),
    verbose: Verbose = False,
) -> None:
    """Say where classes part, and draw it: Figures 6 and 7, two classes face to face, which are alike, gate by gate."""
    from se_viz import open_profiles
    from se_viz.figures.export import CannotDraw
    from se_viz.profiles.bundled import bundled_profiles
    from se_viz.reports.class_numbers import ClassNumbers
    from se_viz.reports.class_profiles import class_report

    try:
        opened = open_profiles(profiles) if profiles else bundled_profiles(model)
        numbers = ClassNumbers(opened)
        compose = partial(
            class_report, opened, only, gate, against, spread=band, everything=everything, numbers=numbers
        )
        report = compose()  # before images are read, so that a mistake is said at once
        if group:
            report = compose(groups=_groups(opened, group, device, verbose=verbose, trusted=trusted))
        report.write(out, figures, progress=True)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    for sentence in report.text:
        typer.echo(sentence)
    warn(report.notes, verbose=verbose)
    typer.echo(f"{len(report.charts)} figures, and η² of every channel beside chance, are in {out}/")


def _groups(
    profiles: "ClassProfiles", named: Sequence[str], device: str, *, verbose: bool, trusted: bool
) -> dict[str, "Group"]:
    """The images of each NAME=FOLDER, read with the network of the class profiles."""
    from se_viz import capture, read_paths
    from se_viz.reports.class_groups import Group
    from se_viz.reports.class_selection import MOST_CLASSES
    from se_viz.zoo import registry as catalogue

    folders = dict(pair.partition("=")[::2] for pair in named)
    wrong = [name for name, folder in folders.items() if not name or not folder]
    if wrong or not 0 < len(folders) <= MOST_CLASSES or len(folders) < len(named):
        raise typer.BadParameter("--group is NAME=FOLDER, six times at most, each with a name of its own.")
    model = profiles.header.model.name
    if model not in catalogue.names():
        raise ValueError(
            f"{profiles.path} is of {model}, which no model has as its name: compare your images on the page."
        )
    loaded = load_network(model, device, "fp32", None)
    profiles.check(loaded)
    found = {}
    for name, folder in folders.items():
        intake = read_paths(folder, trusted=trusted)
        warn(intake.refusals, verbose=verbose)
        if not intake.images:
            raise ValueError(f"There is no image in {folder}.")
        with unwarned():
            captured = capture(loaded, intake.images)
        if captured.not_finite:
            warn([f"{name}: {captured.not_finite}"], verbose=verbose)
        found[name] = Group.of(captured)
    loaded.close()
    return found
