"""The commands on which networks there are, and where their gates sit."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import fail
from se_viz.cli.options import Arch, Arg, Checkpoint, Classes, Mean, Size, Std, Trusted, load_network

if TYPE_CHECKING:
    from se_viz.figures.export import Format
    from se_viz.gates.block import Block
    from se_viz.gates.gate import Gate
    from se_viz.model.model import Model
    from se_viz.zoo.gate_index import Row


def models(
    search: Annotated[str, typer.Argument(help="Only names that hold this text.")] = "",
    facts: Annotated[bool, typer.Option("--facts", help="Also size, accuracy and licence; takes a second.")] = False,
) -> None:
    """List the models there are: shipped, registered, and those of timm and torchvision that have gates."""
    from se_viz.zoo import registry as catalogue

    found = [name for name in catalogue.names() if search.lower() in name.lower()]
    if not found:
        raise fail(ValueError(f"No model has {search[:100]!r} in its name; without it, all are listed."))
    for name in found:
        if facts and name.startswith(("timm/", "torchvision/")):
            known = catalogue.listing(name)
            top1 = f"{known.top1:.1%}" if known.top1 else "–"
            here = "  here" if known.cached else ""
            typer.echo(
                f"{name:35} {known.params / 1e6:6.1f} M {known.gates:3} gates {known.size / 1e6:5.0f} MB {top1:>5} "
                f"{known.family} {known.licence}{here}".rstrip()
            )
        else:
            typer.echo(name)


def gates(
    model: Annotated[str, typer.Argument(help="For instance demo/r16.")] = "demo/r16",
    checkpoint: Checkpoint = None,
    arch: Arch = "",
    arg: Arg = None,
    classes: Classes = None,
    mean: Mean = None,
    std: Std = None,
    size: Size = None,
    trusted: Trusted = False,
    gate: Annotated[
        list[str] | None, typer.Option(help="Also say where this gate sits in its block; may be repeated.")
    ] = None,
    figures: Annotated[Literal["html", "png", "svg"], typer.Option(help="Format of the drawings.")] = "html",
    out: Annotated[
        Path | None, typer.Option(help="Folder for the table, the tree of gates and the block of each --gate.")
    ] = None,
) -> None:
    """List a model's gates: name, channels, bottleneck, effective r, squeeze operator, gate function, module."""
    from se_viz.analysis.gate_placement import place
    from se_viz.cli.table import show_table
    from se_viz.figures.export import CannotDraw
    from se_viz.gates.block import block_of

    try:
        loaded = load_network(
            model,
            "cpu",
            "fp32",
            checkpoint,
            fast=False,
            arch=arch,
            arg=arg,
            classes=classes,
            mean=mean,
            std=std,
            size=size,
            trusted=trusted,
        )
        chosen = [loaded.gate(name) for name in gate or []]
        blocks = [block_of(loaded.network, one, loaded.preprocess.crop) for one in chosen]
        places = [place(block) for block in blocks]
        if out is not None:
            _draw(loaded, chosen, blocks, places, figures, out)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    show_table(
        ("gate", "C", "C/r", "r", "squeeze", "function", "module"),
        [
            (
                one.name,
                str(one.channels),
                str(one.bottleneck or "–"),
                "–" if one.r is None else f"{one.r:.3g}",
                one.squeeze,
                one.function,
                one.path,
            )
            for one in loaded.gates
        ],
        left=("gate", "squeeze", "function", "module"),
    )
    for note in loaded.notes:
        typer.secho(note, err=True, fg="yellow")
    for one, where in zip(chosen, places, strict=True):
        typer.echo(f"{one.name} is {where}.")
    if out is not None:
        typer.echo(f"The table and {len(chosen) + 1} {'drawings' if chosen else 'drawing'} are in {out}/")


def _draw(
    model: "Model", gates: list["Gate"], blocks: list["Block"], places: list[str], kind: "Format", out: Path
) -> None:
    from se_viz.disk.output_folder import output_folder
    from se_viz.figures.block_diagram import block_drawing
    from se_viz.figures.export import figure_bytes
    from se_viz.figures.gate_tree import gate_tree
    from se_viz.reports.tables import gates_table, table_bytes

    with output_folder(out, "gates.csv") as write:
        write("gates.csv", table_bytes(gates_table(model), "csv"))
        tree = gate_tree(model.name, model.gates, gates[0].name if gates else "")
        write(f"gates.{kind}", figure_bytes(tree.figure, kind))
        for gate, block, where in zip(gates, blocks, places, strict=True):
            drawing = block_drawing(gate, block, where)
            write(f"block_{gate.name}.{kind}", figure_bytes(drawing.figure, kind))


def discover(
    out: Annotated[
        Path | None, typer.Option(help="The table, SE Viz's own if not given; what it holds is not looked at again.")
    ] = None,
    only: Annotated[str, typer.Option(help="Only names that match, for instance 'timm/*seresnet*'.")] = "*",
    names: Annotated[
        bool,
        typer.Option("--names", help="Make the index of tensor names instead, by which checkpoints are recognised."),
    ] = False,
) -> None:
    """Build every architecture of timm and torchvision at random, find its gates, and write them into a table."""
    from fnmatch import fnmatch

    from se_viz.zoo import gate_index as table
    from se_viz.zoo import tensor_names as index
    from se_viz.zoo.build_index import discover as run

    def show(row: "Row") -> None:
        typer.echo(f"{row.model:50}{row.gates:4} gates{row.seconds or 0:8.2f} s  {' '.join(row.kinds)}  {row.note}")

    try:
        if names:
            index.make(out or index.PATH, lambda name: fnmatch(name, only), typer.echo)
            return
        run(out or table.PATH, lambda name: fnmatch(name, only), show)
    except OSError as error:
        raise fail(error) from error
