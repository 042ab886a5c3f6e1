"""The command that makes class profiles."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Device, Verbose, fail, stopped, warn
from se_viz.cli.engine_options import EngineOptions
from se_viz.cli.options import LabelledImages, ModelName, NetworkOptions, SplitOption
from se_viz.cli.output_options import Eta2File, ReportFile, TableFile, say_report, write_report, write_table
from se_viz.wording import counted

if TYPE_CHECKING:
    from se_viz.profiles.class_profiles import ClassProfiles


def profile(
    *,
    data: LabelledImages,
    model: ModelName = "demo/r16",
    network: NetworkOptions,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the class profiles. The command continues an interrupted pass in this folder."),
    ] = None,
    split: SplitOption = None,
    labels: Annotated[
        Literal["given", "predictions"],
        typer.Option(help="Class of an image: its label (given), or the network's prediction (see --head)."),
    ] = "given",
    images: Annotated[bool, typer.Option("--images", help="Keep s of every image: 4 bytes per channel.")] = False,
    examples: Annotated[int, typer.Option(help="Number of images to name at each end of a channel.", min=1)] = 8,
    precision: Annotated[
        Literal["fp32", "bf16", "float32", "bfloat16"],
        typer.Option(help="Precision of the computation.", metavar="[fp32|bf16]"),
    ] = "fp32",
    batch: Annotated[int, typer.Option(help="Number of images in a forward pass.", min=1)] = 32,
    shard: Annotated[
        int, typer.Option(help="Number of images in a shard, the most that an interruption costs.", min=1)
    ] = 512,
    device: Device = "auto",
    cluster: EngineOptions,
    table: TableFile = None,
    eta2: Eta2File = None,
    report: ReportFile = None,
    family: Annotated[
        bool,
        typer.Option(
            "--family",
            help="Make the small class profiles of all demo models on Imagenette, in the folder of the shipped ones.",
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Compute the class profiles of a dataset: statistics of s and z of every gate by class."""
    from se_viz.analysis.profile_limits import limits
    from se_viz.data.dataset_sources import dataset
    from se_viz.profiles.bundled import rebuild
    from se_viz.profiles.metadata import pass_precision
    from se_viz.profiles.profile import profile as make
    from se_viz.profiles.unfinished import images_done
    from se_viz.reports.pass_account import account

    try:
        if family:
            for made in rebuild(data, out, device, progress=True):
                kilobytes = made.path.stat().st_size / 1000
                typer.echo(f"{made.path}: {made.header.model.name}, {made.counts.sum()} images, {kilobytes:.0f} kB")
                warn(limits(made), verbose=verbose)
            return
        out = out or Path("profiles")
        # Class profiles are those of the published network, without changes for speed; its weights are sent to the
        # workers of a cluster.
        loaded = network.load(model, device, fast=False)
        listed = dataset(data, split)
        warn(listed.notes, verbose=verbose)
        profiles = make(
            loaded,
            listed,
            out,
            labels=labels,
            images=images,
            examples=examples,
            precision=pass_precision(precision),
            batch=batch,
            shard=shard,
            engine=cluster.chosen(),
            progress=True,
        )
        _write(profiles, table, eta2, report)
    except (ValueError, KeyError, OSError) as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        done = (
            "Finished class profiles are kept; the same command makes the others."
            if family or out is None
            else f"{counted(images_done(out), 'image')} counted and kept; the same command continues after them."
        )
        raise stopped(done) from None
    typer.echo(f"The class profiles are in {profiles.path}")
    for line in account(profiles, listed.notes):
        typer.echo(line)
    if profiles.header.refused:
        left_out = counted(len(profiles.header.refused), "image")
        typer.echo(f"Left out {left_out}; {out / 'report.json'} says which and why.")
    warn(limits(profiles), verbose=verbose)
    say_report(report)


def _write(profiles: "ClassProfiles", table: Path | None, eta2: Path | None, report: Path | None) -> None:
    """Write the files that were asked for beside the class profiles.

    Raises:
        WriteFailed: one of them cannot be written; the message says that the class profiles are kept.
    """
    from se_viz.analysis.significance import significance_table
    from se_viz.disk.errors import WriteFailed
    from se_viz.profiles.export import export
    from se_viz.reports.class_profiles import class_report
    from se_viz.reports.subject_facts import about_profiles, profiles_source

    try:
        if table:
            export(profiles, table)
        if eta2:
            write_table(eta2, significance_table(profiles), profiles_source(profiles))
        if report:
            write_report(about_profiles(class_report(profiles), profiles), report)
    except WriteFailed as error:
        done = f"The class profiles are finished and kept in {profiles.path}: the same command writes only the rest."
        raise WriteFailed(f"{error} {done}") from error
