"""The commands that list models, their gates, and the gates of all architectures."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from se_viz.cli.common import fail, warn
from se_viz.cli.options import CheckpointOptions
from se_viz.cli.output_options import OutputOptions

if TYPE_CHECKING:
    from se_viz.zoo.gate_index import ArchitectureRow


def models(
    search: Annotated[str, typer.Argument(help="Only list names that contain this text.")] = "",
    facts: Annotated[
        bool, typer.Option("--facts", help="Also list size, accuracy and licence, which takes a second.")
    ] = False,
) -> None:
    """List the models: shipped, registered, and those of timm and torchvision that have gates."""
    from se_viz.cli.table import show_table
    from se_viz.zoo import registry as catalogue

    names = [name for name in catalogue.names() if search.lower() in name.lower()]
    if not names:
        raise fail(ValueError(f"No model has {search[:100]!r} in its name; `models` without a text lists all."))
    if not facts:
        for name in names:
            typer.echo(name)
        return
    headers = ("model", "parameters", "gates", "size", "top-1", "family", "licence", "downloaded")
    show_table(headers, [_facts(name) for name in names], left_aligned=("model", "family", "licence", "downloaded"))


def _facts(name: str) -> tuple[str, ...]:
    """Return the row of a model; only models of timm and torchvision have facts."""
    from se_viz.zoo import registry as catalogue

    if not name.startswith(("timm/", "torchvision/")):
        return (name, *[""] * 7)
    facts = catalogue.listing(name)
    return (
        name,
        f"{facts.params / 1e6:.1f} M",
        str(facts.gates),
        f"{facts.size / 1e6:.0f} MB",
        f"{facts.top1:.1%}" if facts.top1 else "–",
        facts.family,
        facts.licence,
        "yes" if facts.cached else "",
    )


def gates(
    *,
    model: Annotated[str, typer.Argument(help="Name of the model; `models` lists them.")] = "demo/r16",
    network: CheckpointOptions,
    gate: Annotated[
        list[str] | None,
        typer.Option(help="Also describe and draw the position of this gate in its block; may be repeated."),
    ] = None,
    output: OutputOptions,
) -> None:
    """List the gates of a model: name, channels, bottleneck, effective r, squeeze operator, gate function, module."""
    import pandas as pd

    from se_viz.cli.table import show_table
    from se_viz.figures.export import CannotDraw
    from se_viz.reports.network import network_report
    from se_viz.reports.subject_facts import about_model

    try:
        loaded = network.load(model, "cpu", fast=False)
        composed = about_model(network_report(loaded, gate or ()), loaded)
        output.write(composed)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    headers = ("gate", "C", "C/r", "r", "squeeze", "gate function", "module")
    rows = composed.tables["gates"][list(headers)].to_dict("records")
    show_table(
        headers,
        [
            (
                *(row["gate"], str(row["C"])),
                "–" if pd.isna(row["C/r"]) else f"{row['C/r']:.0f}",
                "–" if pd.isna(row["r"]) else f"{row['r']:.3g}",
                *(row["squeeze"], row["gate function"], row["module"]),
            )
            for row in rows
        ],
        left_aligned=("gate", "squeeze", "gate function", "module"),
    )
    for note in loaded.notes:
        typer.secho(note, err=True, fg="yellow")
    for sentence in (*composed.text, composed.how_measured):
        typer.echo(sentence)
    warn(composed.notes, verbose=True)
    output.say(composed)


def discover(
    out: Annotated[
        Path | None,
        typer.Option(help="File of the table (default: SE Viz's own); architectures that it contains are skipped."),
    ] = None,
    only: Annotated[
        str, typer.Option(help="Only build architectures whose name matches, for instance 'timm/*seresnet*'.")
    ] = "*",
    names: Annotated[
        bool,
        typer.Option(
            "--names", help="Make the index of tensor names instead, which recognises the architecture of a checkpoint."
        ),
    ] = False,
) -> None:
    """Build every architecture of timm and torchvision with random weights, and write its gates into a table."""
    from fnmatch import fnmatch

    from se_viz.zoo import gate_index as table
    from se_viz.zoo import libraries
    from se_viz.zoo import tensor_names as index
    from se_viz.zoo.build_index import discover as run

    if not any(fnmatch(name, only) for name in libraries.architectures()):
        raise fail(
            ValueError(f"No architecture matches {only[:100]!r}; a name begins with its library: 'timm/*seresnet*'.")
        )

    if names and only != "*" and out is None:
        raise typer.BadParameter("--only would leave most architectures out of SE Viz's own index: add --out.")
    shown = 0

    def show(row: "ArchitectureRow") -> None:
        nonlocal shown
        shown += 1
        typer.echo(f"{row.model:50}{row.gates:4} gates{row.seconds or 0:8.2f} s  {' '.join(row.kinds)}  {row.note}")

    try:
        if names:
            index.make(out or index.PATH, lambda name: fnmatch(name, only), typer.echo)
            return
        run(out or table.PATH, lambda name: fnmatch(name, only), show)
        if not shown:
            typer.echo(f"{out or table.PATH} has a row for each of these architectures already.")
    except OSError as error:
        raise fail(error) from error
