"""The command that reports on class profiles: the content of the Classes page as files."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Device, Verbose, fail, unwarned, warn
from se_viz.cli.options import Trusted, load_named
from se_viz.cli.output_options import Folder, OutputOptions

if TYPE_CHECKING:
    import pandas as pd

    from se_viz.profiles.class_profiles import ClassProfiles
    from se_viz.reports.class_groups import Group


@dataclass(frozen=True)
class Classes(OutputOptions):
    """The options of the files of ``classes``."""

    out: Folder = Path("classes")


def classes(
    *,
    profiles: Annotated[
        Path | None, typer.Argument(help="Class profiles made by `profile` (default: those of a demo model).")
    ] = None,
    model: Annotated[str, typer.Option(help="Demo model whose class profiles are used.")] = "demo/r16",
    only: Annotated[
        list[str] | None, typer.Option("--class", help="Class to draw; may be repeated, up to six times.")
    ] = None,
    gate: Annotated[
        list[str] | None, typer.Option(help="Gate to draw; may be repeated (default: the last gate of each stage).")
    ] = None,
    against: Annotated[
        tuple[str, str] | None,
        typer.Option(help="Two classes to compare (default: the two that differ most in the last gate)."),
    ] = None,
    band: Annotated[
        Literal["mean ± SD", "median and quartiles"], typer.Option(help="Line and band in the figure of each class.")
    ] = "mean ± SD",
    group: Annotated[
        list[str] | None,
        typer.Option(help="Compare your own images with the classes (NAME=FOLDER); may be repeated, up to six times."),
    ] = None,
    device: Device = "auto",
    trusted: Trusted = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Draw all channels, instead of 50 as in the paper.")
    ] = False,
    paper_figures: Annotated[
        bool, typer.Option("--paper-figures", help="Also draw Figures 6 and 7 as one figure each, with six gates.")
    ] = False,
    output: Classes,
    verbose: Verbose = False,
) -> None:
    """Report where the gates become class-specific, and draw Figures 6 and 7, two classes, and similar classes."""
    from se_viz import open_profiles
    from se_viz.figures.export import CannotDraw
    from se_viz.profiles.bundled import bundled_profiles
    from se_viz.reports.class_numbers import ClassNumbers
    from se_viz.reports.class_profiles import class_report
    from se_viz.reports.subject_facts import about_profiles

    try:
        opened = open_profiles(profiles) if profiles else bundled_profiles(model)
        numbers = ClassNumbers(opened)
        compose = partial(
            class_report,
            opened,
            only,
            gate,
            against,
            spread=band,
            everything=everything,
            paper_figures=paper_figures,
            numbers=numbers,
        )
        composed = compose()  # before images are read, so that mistakes are reported at once
        if group:
            composed = compose(groups=_groups(opened, group, device, verbose=verbose, trusted=trusted))
        composed = about_profiles(composed, opened)
        output.write(composed)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    _show_gates(composed.tables["by_depth"])
    for sentence in composed.text:
        typer.echo(sentence)
    warn(composed.notes, verbose=verbose)
    output.say(composed)


def _show_gates(by_depth: "pd.DataFrame") -> None:
    """Print the numbers of each gate: class specificity, and saturation."""
    from se_viz.cli.table import show_table

    numbers = {"η²": "eta2", "by chance": "chance", "95th percentile": "limit", "cosine": "cosine"}
    shares = ("near 0", "near 1")
    show_table(
        ("gate", *numbers, *shares),
        [
            (
                row["gate"],
                *("–" if isnan(row[column]) else f"{row[column]:.3f}" for column in numbers.values()),
                *(f"{row[column]:.1%}" for column in shares),
            )
            for row in by_depth.to_dict("records")
        ],
        left_aligned=("gate",),
    )


def _groups(
    profiles: "ClassProfiles", named: Sequence[str], device: str, *, verbose: bool, trusted: bool
) -> dict[str, "Group"]:
    """Read the images of each NAME=FOLDER with the network of the class profiles."""
    from se_viz import capture, read_paths
    from se_viz.reports.class_groups import Group
    from se_viz.reports.class_selection import MOST_CLASSES
    from se_viz.zoo import registry as catalogue

    folders = dict(pair.partition("=")[::2] for pair in named)
    wrong = [name for name, folder in folders.items() if not name or not folder]
    if wrong or not 0 < len(folders) <= MOST_CLASSES or len(folders) < len(named):
        raise typer.BadParameter("--group must be NAME=FOLDER, at most six times, each time with another name.")
    model = profiles.header.model.name
    if model not in catalogue.names():
        raise ValueError(
            f"{profiles.path} was made with {model}, which is not a model with a name: compare your images in the app."
        )
    loaded = load_named(model, device)
    profiles.check(loaded)
    groups = {}
    for name, folder in folders.items():
        intake = read_paths(folder, trusted=trusted)
        said = [line for choice in intake.splits for line in choice.sentences("name the folder of another to take it")]
        warn([*said, *intake.refusals], verbose=verbose)
        if not intake.images:
            raise ValueError(f"There is no image in {folder}.")
        with unwarned():
            captured = capture(loaded, intake.images)
        if captured.not_finite:
            warn([f"{name}: {captured.not_finite}"], verbose=verbose)
        groups[name] = Group.of(captured)
    loaded.close()
    return groups
