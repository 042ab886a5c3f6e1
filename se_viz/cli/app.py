"""``python -m se_viz …``: what the page shows and what made the demo models, from a shell."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli import cache as cli_cache
from se_viz.cli import classes as cli_classes
from se_viz.cli import demo as cli_family
from se_viz.cli import gates as cli_gates
from se_viz.cli import serve as cli_app
from se_viz.cli.common import Device, Verbose, counted, fail, unwarned, warn
from se_viz.cli.options import (
    Arch,
    Arg,
    Checkpoint,
    Classes,
    HeadOption,
    Mean,
    Number,
    Size,
    Std,
    Threshold,
    Trusted,
    load_network,
)

if TYPE_CHECKING:
    from se_viz.analysis.predictions import ImagePredictions, Predictions
    from se_viz.weights.head import Head

app = typer.Typer(help=__doc__.replace("``", ""), no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def inspect(
    images: Annotated[list[Path] | None, typer.Argument(help="Files, folders, ZIP archives.")] = None,
    sample: Annotated[list[str] | None, typer.Option(help="A sample photograph; may be repeated.")] = None,
    model: Annotated[str, typer.Option(help="Which model; see `models`.")] = "demo/r16",
    device: Device = "auto",
    precision: Number = "fp32",
    checkpoint: Checkpoint = None,
    arch: Arch = "",
    arg: Arg = None,
    classes: Classes = None,
    mean: Mean = None,
    std: Std = None,
    size: Size = None,
    trusted: Trusted = False,
    head: HeadOption = None,
    threshold: Threshold = None,
    maps: Annotated[
        list[str] | None, typer.Option(help="Also write U, X̃ and the figures of this gate; may be repeated.")
    ] = None,
    focus: Annotated[int, typer.Option(help="Number of the image that the sentences are about.", min=1)] = 1,
    order: Annotated[
        Literal["index", "mean", "variance", "similarity"], typer.Option(help="Order of channels in the heatmaps.")
    ] = "index",
    channels: Annotated[
        Literal["highest s", "lowest s", "largest change"], typer.Option(help="Which channels' maps to draw.")
    ] = "largest change",
    figures: Annotated[Literal["html", "png", "svg"], typer.Option(help="Format of the figures.")] = "html",
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path("readings"),
    verbose: Verbose = False,
) -> None:
    """Read z and s of every gate for some images, and write tables, each gate's health and heatmap, and maps."""
    from se_viz import capture, read_paths
    from se_viz.analysis.predictions import predict
    from se_viz.data import sample_images as samples
    from se_viz.data.names import apart
    from se_viz.figures.export import CannotDraw
    from se_viz.reports.inspection import inspection_report

    intake = read_paths(images or [], trusted=trusted)
    warn(intake.refusals, verbose=verbose)
    try:
        shown = [*intake.images, *map(samples.sample, sample or [])]
        if not shown:
            raise typer.BadParameter("No images: name files, folders or ZIP archives, or --sample cat.")
        loaded = load_network(
            model,
            device,
            precision,
            checkpoint,
            head=head,
            threshold=threshold,
            arch=arch,
            arg=arg,
            classes=classes,
            mean=mean,
            std=std,
            size=size,
            trusted=trusted,
        )
        with unwarned():
            captured = capture(loaded, shown, maps)
        names = apart(image.name for image in shown)
        if focus > len(names):
            raise ValueError(f"There is no image {focus} to say more of: {counted(len(names), 'image')} can be read.")
        said = predict(loaded, captured, 3)
        report = inspection_report(
            captured,
            said,
            names,
            focus - 1,
            order=order,
            gates=maps or (),
            channels=channels,
            cut=lambda index: loaded.preprocess.cut(shown[index].rgb),
            choice="--head",
        )
        report.write(out, figures, progress=True)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    _say_predictions(said, names)
    if len(names) > 1:
        typer.echo(f"Image {focus}, {names[focus - 1]}:")
    for sentence in (*report.text, *report.notes, *loaded.notes):
        typer.echo(sentence)
    typer.echo(f"z and s of {len(loaded.gates)} gates, their health and figures are in {out}/")


def _say_predictions(said: "Predictions", names: list[str]) -> None:
    """Print what the network predicts for each image; the report says why it predicts nothing."""
    if said.fitted is None:
        return
    for name, one in zip(names, said.images, strict=True):
        typer.echo(f"{name}: {_line(one, said.fitted.head)}")


def _line(said: "ImagePredictions", head: "Head") -> str:
    """What the network says of an image: the first few classes, the labels that hold, the numbers."""
    if not said.shown:
        return said.sentence
    return (
        said.said if head.kind in ("binary", "labels") else ", ".join(f"{one.label} {one.amount}" for one in said.shown)
    )


@app.command()
def profile(
    data: Annotated[
        Path,
        typer.Option(help="A folder of class folders, a list of path,label (CSV, TSV, TXT, Parquet), tar files."),
    ],
    model: Annotated[str, typer.Option(help="Which model; see `models`.")] = "demo/r16",
    checkpoint: Checkpoint = None,
    arch: Arch = "",
    arg: Arg = None,
    classes: Classes = None,
    mean: Mean = None,
    std: Std = None,
    size: Size = None,
    trusted: Trusted = False,
    head: HeadOption = None,
    threshold: Threshold = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the class profiles; started again, the command goes on where it stopped."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(
            help="Which part, where there are train/ and val/ or the like.", show_default="val, else test, else train"
        ),
    ] = None,
    labels: Annotated[
        Literal["given", "predictions"],
        typer.Option(help="What class an image counts for: its own, or what the network predicts, by --head."),
    ] = "given",
    images: Annotated[bool, typer.Option("--images", help="Keep s of every image: 4 bytes a channel.")] = False,
    examples: Annotated[int, typer.Option(help="Images to name at each end of a channel.", min=1)] = 8,
    precision: Annotated[
        Literal["fp32", "bf16", "float32", "bfloat16"], typer.Option(help="What to compute in.", metavar="[fp32|bf16]")
    ] = "fp32",
    batch: Annotated[int, typer.Option(help="Images a forward pass.", min=1)] = 32,
    shard: Annotated[int, typer.Option(help="Images that an interruption costs at most.", min=1)] = 512,
    device: Device = "auto",
    engine: Annotated[Literal["local", "ray"], typer.Option(help="Compute here, or on a Ray cluster.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="Of the cluster: auto, HOST:6379, or local to start one on this machine.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="At most so many; as many as there is room for.", min=1)] = None,
    gpus: Annotated[float | None, typer.Option(help="Of each worker; 1 where there are any.", min=0)] = None,
    cpus: Annotated[int | None, typer.Option(help="Of each worker; its share of a machine's.", min=1)] = None,
    table: Annotated[Path | None, typer.Option(help="Also write the class profiles as .csv or .parquet.")] = None,
    eta2: Annotated[
        Path | None, typer.Option(help="Also write η² of every channel, and what it is by chance, as .csv.")
    ] = None,
    family: Annotated[
        bool,
        typer.Option(
            "--family",
            help="The small class profiles of all demo models, on Imagenette, in the folder of those that are shipped.",
        ),
    ] = False,
    verbose: Verbose = False,
) -> None:
    """Count s and z of every gate by class over a dataset."""
    from se_viz.analysis import significance as chance
    from se_viz.analysis.profile_limits import limits
    from se_viz.data.datasets import dataset
    from se_viz.disk.atomic import write_bytes
    from se_viz.disk.errors import WriteFailed
    from se_viz.profiles.bundled import rebuild
    from se_viz.profiles.export import export
    from se_viz.profiles.metadata import pass_precision
    from se_viz.profiles.profile import profile as make
    from se_viz.profiles.unfinished import kept
    from se_viz.reports.pass_account import account
    from se_viz.reports.tables import table_bytes

    try:
        if family:
            for made in rebuild(data, out, device, progress=True):
                kilobytes = made.path.stat().st_size / 1000
                typer.echo(f"{made.path}: {made.header.model.name}, {made.counts.sum()} images, {kilobytes:.0f} kB")
                warn(limits(made), verbose=verbose)
            return
        out = out or Path("profiles")
        # Class profiles are those of the network as it was published; its weights are sent to the workers of a cluster.
        loaded = load_network(
            model,
            device,
            "fp32",
            checkpoint,
            head=head,
            threshold=threshold,
            fast=False,
            arch=arch,
            arg=arg,
            classes=classes,
            mean=mean,
            std=std,
            size=size,
            trusted=trusted,
        )
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
            engine=engine,
            address=address,
            workers=workers,
            gpus=gpus,
            cpus=cpus,
            progress=True,
        )
        try:
            if table:
                export(profiles, table)
            if eta2:
                write_bytes(eta2, table_bytes(chance.table(profiles), "csv"))
        except WriteFailed as error:
            done = (
                f"The class profiles are finished and kept in {profiles.path}: the same command writes the table alone."
            )
            raise WriteFailed(f"{error} {done}") from error
    except (ValueError, KeyError, OSError) as error:
        raise fail(error) from error
    except KeyboardInterrupt:
        done = (
            "Finished class profiles are kept; the same command makes the others."
            if family or out is None
            else f"{counted(kept(out), 'image')} counted and kept; the same command goes on after them."
        )
        typer.secho(f"Stopped. {done}", err=True, fg="yellow")
        raise typer.Exit(130) from None
    of_images, kinds = counted(int(profiles.counts.sum()), "image"), counted(len(profiles.classes), "class", "classes")
    typer.echo(f"Counted {of_images} of {kinds}: {profiles.path}")
    for line in account(profiles, listed.notes):
        typer.echo(line)
    if profiles.header.refused:
        left_out = counted(len(profiles.header.refused), "image")
        typer.echo(f"Left out {left_out}; {out / 'report.json'} says which and why.")
    warn(limits(profiles), verbose=verbose)


@app.command()
def cost(
    network: Annotated[
        str,
        typer.Argument(help="Of torchvision, of timm, or a demo model: resnet50, timm/resnet50, demo/r16."),
    ],
    r: Annotated[
        int | None, typer.Option(help="Reduction ratio of the gates to insert, if it has none.", show_default="16")
    ] = None,
    stages: Annotated[str, typer.Option(help="Stages that get gates, digits; all if not given.")] = "",
    size: Annotated[int, typer.Option(help="Side of the images, pixels.", min=16, max=1024)] = 224,
    time: Annotated[bool, typer.Option("--time", help="Also measure one image on this processor.")] = False,
) -> None:
    """Say what SE costs a network: parameters and multiply-accumulates with, without and by stage."""
    from se_viz.analysis.cost import CannotRemove, cost, milliseconds, without_gates
    from se_viz.cli.table import show_table
    from se_viz.gates.errors import NoGateFound
    from se_viz.gates.find import find_gates
    from se_viz.gates.insert_gates import insert_gates
    from se_viz.gates.macs import RULE, not_counted
    from se_viz.zoo import libraries as sources
    from se_viz.zoo import registry as catalogue

    try:
        if network.startswith("demo/"):
            module = catalogue.build(network).module
        else:
            # Weights do not change what a network costs, so none are fetched.
            source, architecture, _ = sources.find(network if "/" in network else f"torchvision/{network}")
            module = source.create(architecture)
        where = {int(digit) for digit in stages if digit.isdecimal()}
        if len(where) < len(set(stages)):
            raise ValueError(f"--stages is digits, as in 234, not {stages!r}.")
        try:
            gates = find_gates(module, size)
        except NoGateFound:
            module = insert_gates(module, 16 if r is None else r, where=where or None, size=size)
            gates = find_gates(module, size)
        else:
            if r is not None or stages:
                raise ValueError(f"{network} has gates of its own, and none are inserted: leave out --r and --stages.")
        counted = cost(module, size, gates)
    except (ValueError, KeyError) as error:
        raise fail(error) from error
    plain_params, plain_macs = counted.kept()
    rows = [("without SE", plain_params, "", plain_macs)]
    for stage in counted.stages:
        name = f"stage {stage.stage}, {stage.gates} gate{'s' * (stage.gates > 1)}"
        rows.append((name, stage.params, f"+{stage.params / plain_params:.2%}", stage.macs))
    rows.append(("with SE", counted.params, f"+{counted.params / plain_params - 1:.2%}", counted.macs))
    show_table(
        ("part", "parameters", "share", "GMACs"),
        [(name, f"{params:,}", share, f"{macs / 1e9:.4f}") for name, params, share, macs in rows],
        left=("part",),
    )
    typer.echo(
        f"Squeeze and scale add {counted.elementwise / 1e6:.1f} M operations on single numbers, not counted above."
    )
    typer.echo(RULE)
    if counted.left_out:
        typer.secho(not_counted(counted.left_out), err=True, fg="yellow")
    if time:
        try:
            plain = milliseconds(without_gates(module, gates), size)
        except CannotRemove as error:
            raise fail(error) from error
        typer.echo(f"One image takes {milliseconds(module, size):.1f} ms with SE, {plain:.1f} ms without, here.")


for command in (
    cli_app.app,
    cli_gates.models,
    cli_gates.gates,
    cli_gates.discover,
    cli_classes.classes,
    cli_cache.cache,
    cli_family.train,
    cli_family.family,
    cli_family.responses,
    cli_family.verify,
):
    app.command()(command)
