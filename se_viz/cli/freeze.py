"""The command that makes gates of a network constants."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from se_viz.cli.common import Device, Verbose, fail, warn
from se_viz.cli.edit_values import EditOption, joined, parse_edits
from se_viz.cli.options import CheckpointOptions, PrecisionOption, SplitOption
from se_viz.cli.output_options import ReportFile, TableFile, say_report, write_report, write_table
from se_viz.cli.table import show_table
from se_viz.wording import signed

if TYPE_CHECKING:
    from se_viz.interventions.freeze import Constant
    from se_viz.interventions.frozen_network import FrozenNetwork


_SET = EditOption(
    ("number", "mean", "mean of CLASS"),
    "Shuffled, '0.5 s', other and single channels are not taken, because a frozen gate no longer computes s: all its "
    "channels are multiplied by constants.",
    places="gates",
)
_NUMBERS = {"milliseconds for one image": "{:.2f}", "top-1": "{:.1%}"}  # others are counts


def freeze(
    *,
    name: Annotated[str, typer.Argument(help="Name of the model; the command `models` lists the names.")] = "demo/r16",
    constants: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help=f"Gate and its constant; the option may be repeated. {_SET.help}",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="File for the weights; a .json beside it says what it is.")] = Path(
        "frozen.safetensors"
    ),
    profiles: Annotated[
        Path | None, typer.Option(help="Class profiles of the network, from which means of s are taken.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Dataset, as for `profile`, on which accuracy is measured before and after."),
    ] = None,
    ablation: Annotated[
        Path | None,
        typer.Option(
            help="Ablation of the network made by `ablate`, which says what the frozen gates cost; not needed with "
            "--data.",
            show_default="the one that comes with a demo model",
        ),
    ] = None,
    split: SplitOption = None,
    batch: Annotated[int, typer.Option(help="Number of images in a forward pass.", min=1)] = 32,
    time: Annotated[bool, typer.Option("--time", help="Measure the time of one image before and after.")] = False,
    onnx: Annotated[Path | None, typer.Option(help="Also export the frozen network to this ONNX file.")] = None,
    table: TableFile = None,
    report: ReportFile = None,
    device: Device = "auto",
    precision: PrecisionOption = "fp32",
    network: CheckpointOptions,
    verbose: Verbose = False,
) -> None:
    """Make gates constants, fold them into their neighbours where that is exact, and write the network."""
    from se_viz import freeze as frozen_of
    from se_viz import open_profiles
    from se_viz.data.dataset_sources import dataset
    from se_viz.interventions.ablation_file import open_ablation
    from se_viz.interventions.bundled_ablations import ablation_of
    from se_viz.interventions.frozen_accuracy import measure_accuracy
    from se_viz.reports.frozen_report import frozen_report, known_cost, measure_times

    try:
        values = cast("dict[str, Constant]", joined(parse_edits(constants or (), _SET, ()), _SET))  # of its forms
        if not values:
            raise ValueError("Say which gates to freeze and to what, as in --set SE_5_2=mean.")
        if out.suffix != ".safetensors":
            raise ValueError(f"--out is a safetensors file, such as {out.stem}.safetensors, not {out}.")
        listed = dataset(data, split) if data else None
        warn(listed.notes if listed else (), verbose=verbose)
        loaded = network.load(name, device, precision, fast=False)
        frozen = frozen_of(loaded, values, profiles=open_profiles(profiles, loaded) if profiles else None)
        known = open_ablation(ablation, loaded) if ablation else None if listed else ablation_of(loaded)
        found = measure_accuracy(loaded, frozen, listed, batch) if listed else None
        measured = measure_times(loaded, frozen) if time else None
        advice = "Add --data DIR to measure it before and after."
        said = known_cost(frozen, known, advice) if found is None or known is not None else ""
        composed = frozen_report(frozen, found, measured, said, listed.name if listed else "")
        frozen.save(out)
        if onnx:
            _export(frozen, onnx)
        write_table(table, composed.tables["before_and_after"], composed.source)
        write_report(composed, report)
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise fail(error, in_place_of_mean="give a number, as in --set GATE=1") from error
    gates = composed.tables["gates"].to_dict("records")
    show_table(
        ("gate", "mean of s", "folded"),
        [(row["gate"], signed(row["mean of s"], ".4g"), row["folded"]) for row in gates],
        left_aligned=("gate", "folded"),
    )
    if found:
        warn(found.left_out, verbose=verbose)
    rows = [
        (name, *(_NUMBERS.get(name, "{:,.0f}").format(value) for value in values))
        for name, *values in composed.tables["before_and_after"].to_numpy().tolist()
    ]
    show_table(("", "before", "after"), rows, left_aligned=("",))
    for sentence in composed.text:
        typer.echo(sentence)
    typer.echo(f"The frozen network is in {out}, and {out.with_suffix('.json')} says what it is.")
    if onnx:
        typer.echo(f"It is exported to {onnx}.")
    say_report(report)


def _export(frozen: "FrozenNetwork", path: Path) -> None:
    """Write an ONNX file.

    Raises:
        ValueError: a package is missing, or the exporter refuses the network.
    """
    import warnings

    import torch

    from se_viz.disk.atomic import replacing
    from se_viz.gates.trace import placement

    images = torch.zeros((1, *frozen.input)).to(*placement(frozen.network))
    try:
        with warnings.catch_warnings(), replacing(path) as unfinished:
            warnings.simplefilter("ignore")  # of the exporter's libraries
            program = torch.onnx.export(
                frozen.network, (images,), dynamo=True, dynamic_shapes=({0: torch.export.Dim("images")},), verbose=False
            )
            if program is None:
                raise ValueError("The exporter gave no program.")
            program.save(unfinished)
    except ImportError as error:
        raise ValueError(f"--onnx needs {error.name}, which is not installed: pip install onnx onnxscript.") from error
