"""The command that measures over a dataset what gates do to the answers."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import typer

from se_viz.cli.common import Device, Verbose, fail, stopped, warn
from se_viz.cli.edit_values import EditOption, parse_edits
from se_viz.cli.engine_options import EngineOptions
from se_viz.cli.options import LabelledImages, ModelName, NetworkOptions, SplitOption
from se_viz.cli.output_options import OutputOptions, TableFile, write_table
from se_viz.wording import counted, signed

if TYPE_CHECKING:
    from se_viz.interventions.edits import Edit
    from se_viz.interventions.planned_edits import AblationEdits
    from se_viz.reports.report import Report


_SET = EditOption(
    ("number", "mean", "mean of CLASS", "shuffled", "scale"),
    "The value other is not possible, because a dataset has no single other image; shuffled gives each image the s of "
    "another.",
)
_SMALLEST_P = 1e-99


@dataclass(frozen=True)
class AblationFiles(OutputOptions):
    """The options of the files of ``ablate``."""

    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for ablation.json, the tables (CSV) and the figures. Started again with the same options, the "
            "command continues where it stopped.",
            show_default="ablation",
        ),
    ] = None

    has_folder: ClassVar[bool] = True


def ablate(
    *,
    data: LabelledImages,
    model: ModelName = "demo/r16",
    network: NetworkOptions,
    output: AblationFiles,
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help="Gate to edit: its name, 'stage 4' or all; may be repeated. Without it each gate, each stage and all "
            "gates together are edited."
        ),
    ] = None,
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help=f"Value of s; may be repeated, and each value is measured as a separate edit. {_SET.help}",
            show_default="1, mean, shuffled",
        ),
    ] = None,
    profiles: Annotated[
        Path | None,
        typer.Option(
            help="Class profiles made by `profile`, from which means of s are taken.",
            show_default="those that come with a demo model",
        ),
    ] = None,
    split: SplitOption = None,
    labels: Annotated[
        Literal["given", "predictions"],
        typer.Option(
            help="Right answer: the label of the image (given), or the network's prediction without edits, which needs "
            "no labels (predictions)."
        ),
    ] = "given",
    loss: Annotated[
        float | None,
        typer.Option(
            help="Accuracy that may be lost, in points, for a gate to be listed as one that can be a constant.",
            min=0,
            max=100,
            show_default="1",
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option(help="Number of images in a forward pass, between which s is shuffled.", min=1)
    ] = 32,
    shard: Annotated[
        int, typer.Option(help="Number of images in a shard, the most that an interruption costs.", min=1)
    ] = 512,
    device: Device = "auto",
    cluster: EngineOptions,
    table: TableFile = None,
    family: Annotated[
        bool,
        typer.Option(
            "--family",
            help="Make the ablations of all demo models on Imagenette, in the folder of those that come with SE Viz.",
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Measure over a dataset what the network answers when the weights s of its gates are set to something else."""
    from se_viz import open_profiles
    from se_viz.data.dataset_sources import dataset
    from se_viz.figures.export import CannotDraw
    from se_viz.interventions.ablate import ablate as measure
    from se_viz.interventions.ablation_shards import images_done
    from se_viz.interventions.bundled_ablations import rebuild_ablations
    from se_viz.reports.ablation import ablation_report
    from se_viz.reports.subject_facts import about_ablation

    out = output.out or Path("ablation")
    try:
        if family:
            for file, ablation in rebuild_ablations(data, output.out, device, progress=True):
                kilobytes = file.stat().st_size / 1000
                typer.echo(f"{file}: {ablation.model.name}, {ablation.images} images, {kilobytes:.0f} kB")
            return
        edits = _edits(gate, values)
        loaded = network.load(model, device, fast=False)
        listed = dataset(data, split)
        ablation = measure(
            loaded,
            listed,
            out,
            edits=edits,
            profiles=open_profiles(profiles, loaded) if profiles else None,
            labels=labels,
            batch=batch,
            shard=shard,
            engine=cluster.chosen(),
            progress=True,
        )
        report = about_ablation(ablation_report(ablation, *(() if loss is None else (loss / 100,))), ablation)
        _show(report, "agreement" if ablation.labels == "predictions" else "top-1")
        for sentence in (report.how_measured, *report.text):
            typer.echo(sentence)
        write_table(table, report.tables["ablation"], report.source)
        output.write(report, out)
    except (ValueError, KeyError, TypeError, CannotDraw, OSError) as error:
        raise fail(error, in_place_of_mean="give a number, as in --set 1") from error
    except KeyboardInterrupt:
        done = (
            "Finished ablations are kept; the same command makes the others."
            if family
            else f"{counted(images_done(out), 'image')} measured and kept; the same command continues after them."
        )
        raise stopped(done) from None
    warn(report.notes, verbose=verbose)
    if ablation.refused:
        warn(list(ablation.refused.values()), verbose=verbose)
    output.say(report, out)
    typer.echo("ablation.json also has the numbers by class and by image.")


def _edits(gates: list[str] | None, values: list[str] | None) -> "AblationEdits | None":
    """Return the edits of --gate and --set; None where the values are the default ones."""
    parsed = parse_edits(values or (), _SET, gates or ())
    if any(one.gate for one in parsed):
        placed: dict[str, Sequence[Edit]] = {}
        for one in parsed:
            placed[one.gate] = [*placed.get(one.gate, ()), one.edit]
        return placed
    chosen = [one.value for one in parsed]
    if gates:
        return dict.fromkeys(gates, chosen or None)
    return chosen or None


def _show(report: "Report", right: str) -> None:
    """Print a row for each edit; ``right`` is the header of the accuracy."""
    from se_viz.cli.table import show_table

    show_table(
        ("edit", right, "change, points", "95% interval", "p", "lost", "gained", "logit", "entropy"),
        [_row(row) for row in report.tables["ablation"].to_dict("records")],
        left_aligned=("edit",),
    )


def _row(row: dict[Hashable, Any]) -> tuple[str, ...]:
    """Return the cells of an edit; those of a change are empty for the network as it is."""
    from pandas import isna

    from se_viz.demo.paired_comparison import points

    effect: tuple[str, ...] = ("",) * 6
    if not isna(row.get("change")):
        effect = (
            points(row["change"]),
            f"{points(row['change low'])} to {points(row['change high'])}",
            f"{row['p']:.2g}" if row["p"] >= _SMALLEST_P else f"< {_SMALLEST_P:g}",
            f"{row['lost']:,.0f}",
            f"{row['gained']:,.0f}",
            "–" if isna(row.get("logit")) else signed(row["logit"], "+.2f"),
        )
    return (row["edit"], f"{row['accuracy']:.1%}", *effect, "–" if isna(row["entropy"]) else f"{row['entropy']:.2f}")
