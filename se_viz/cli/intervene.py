"""The commands that replace s, and that attribute an output to the channels of a gate."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from se_viz.cli.common import Device, Verbose, fail, unwarned, warn
from se_viz.cli.options import (
    Arch,
    Arg,
    Checkpoint,
    Classes,
    HeadOption,
    Mean,
    ModelName,
    Precision,
    Size,
    Std,
    Threshold,
    Trusted,
    load_network,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from se_viz.data.images import InputImage
    from se_viz.interventions.attribution import Method
    from se_viz.interventions.edits import Edit
    from se_viz.model.model import Model
    from se_viz.reports.report import Report
    from se_viz.types import Floats
    from se_viz.weights.head import Fitted

ImagesArgument = Annotated[list[Path] | None, typer.Argument(help="Image files, folders or ZIP archives.")]
Sample = Annotated[list[str] | None, typer.Option(help="Name of a sample photograph; may be repeated.")]
Target = Annotated[
    str,
    typer.Option(
        help="Name or number of the class, label or number that is asked about (default: the one that the network "
        "predicts for the image)."
    ),
]
Focus = Annotated[int, typer.Option(help="Number of the image that the sentences and figures describe.", min=1)]
Profiles = Annotated[
    Path | None,
    typer.Option(
        help="Class profiles, from which the mean of s is taken (default: those of a demo model; other networks have "
        "no mean without them).",
    ),
]
Figures = Annotated[Literal["html", "png", "svg"], typer.Option(help="Format of the figures.")]
Out = Annotated[Path | None, typer.Option(help="Folder for the tables, figures and all numbers as JSON.")]


def intervene(
    images: ImagesArgument = None,
    sample: Sample = None,
    model: ModelName = "demo/r16",
    device: Device = "auto",
    precision: Precision = "fp32",
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
    gate: Annotated[
        list[str] | None,
        typer.Option(
            help='Gate whose s is replaced; may be repeated, and may be "stage 4" or "all". Without it, s of each '
            "gate in turn is replaced by 1, by its mean and by s of another image, for the image in focus."
        ),
    ] = None,
    channel: Annotated[
        list[int] | None,
        typer.Option(help="Channel whose s is replaced; may be repeated (default: all channels of the gate).", min=0),
    ] = None,
    to: Annotated[
        str,
        typer.Option(
            "--set",
            help="What replaces s: a number, mean (of the class profiles), or other (s of the image of --other).",
        ),
    ] = "1",
    target: Target = "",
    focus: Focus = 1,
    other: Annotated[
        int | None,
        typer.Option(help="Number of the image whose s is used (default: the one after the image in focus).", min=1),
    ] = None,
    profiles: Profiles = None,
    figures: Figures = "html",
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Replace s of a gate or of some channels, run the network again, and print the predictions before and after."""
    from se_viz import capture, open_profiles, predict
    from se_viz.figures.export import CannotDraw
    from se_viz.interventions.gate_effects import gate_effects, outputs_of
    from se_viz.reports.intervention import Edited, intervention_report
    from se_viz.reports.outcomes import outcome_of

    shown = _images(images, sample, trusted=trusted, verbose=verbose)
    if channel and not gate:
        raise typer.BadParameter("--channel needs the --gate that it belongs to.")
    try:
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
        given = open_profiles(profiles, loaded) if profiles else None
        names = _names(shown, focus)
        swapped = _other(len(shown), focus - 1, other)
        with unwarned():
            before = capture(loaded, shown)
        predictions = predict(loaded, before)
        if predictions.fitted is None:
            raise ValueError(predictions.missing)
        outputs = outputs_of(before)
        outcome = outcome_of(predictions.fitted, outputs[focus - 1], target or None)
        edited, after = None, None
        if gate:
            value = _value(to, None if swapped is None else shown[swapped])
            edits = {name: dict.fromkeys(channel, value) if channel else value for name in gate}
            with unwarned():
                after = outputs_of(capture(loaded, shown, edits=edits, profiles=given))
            said = f"s := {_said(to, names, swapped)} in {_where(gate, channel)}"
            edited = Edited(said, after[focus - 1])
        with unwarned():
            effects = gate_effects(
                loaded, [shown[focus - 1]], None if swapped is None else [shown[swapped]], profiles=given
            )
        report = intervention_report(
            outcome,
            effects,
            names[focus - 1],
            other="" if swapped is None else names[swapped],
            gate=next((name for name in gate or () if name in effects.gates), None),
            edited=edited,
            notes=() if "mean" in effects.edits else (_NO_MEAN,),
        )
        if out is not None:
            report.write(out, figures, progress=True)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    if after is None:
        _show_gates(report)
    else:
        _show_images(predictions.fitted, target, names, outputs, after)
    _say(report, names, focus, loaded, out)


_NO_MEAN = "There is no mean of s, because this network has no class profiles: make them with `se-viz profile`."


def attribute(
    images: ImagesArgument = None,
    sample: Sample = None,
    model: ModelName = "demo/r16",
    device: Device = "auto",
    precision: Precision = "fp32",
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
    gate: Annotated[
        str, typer.Option(help="Gate to whose channels the output is attributed (default: the last).")
    ] = "",
    target: Target = "",
    method: Annotated[
        Literal["integrated gradients", "gradient × change", "exact", "shapley sampling"],
        typer.Option(help="Method of the attribution; exact sets one channel at a time to the baseline."),
    ] = "integrated gradients",
    baseline: Annotated[
        str, typer.Option(help="Weights that s is compared with: mean (of the class profiles) or a number.")
    ] = "mean",
    curves: Annotated[
        bool, typer.Option("--faithfulness", help="Also change the channels in several orders, with random ones.")
    ] = False,
    top: Annotated[int, typer.Option(help="Number of channels in the printed table.", min=1)] = 20,
    focus: Focus = 1,
    profiles: Profiles = None,
    figures: Figures = "html",
    out: Out = None,
    verbose: Verbose = False,
) -> None:
    """Attribute an output of the network to the channels of a gate, and print those with the largest attribution."""
    from functools import partial

    from se_viz import attribute as attributed
    from se_viz import capture, faithfulness, open_profiles, predict
    from se_viz.figures.export import CannotDraw
    from se_viz.interventions.gate_effects import gate_effects, gate_means, outputs_of
    from se_viz.reports.intervention import Channels, intervention_report
    from se_viz.reports.outcomes import outcome_of

    shown = _images(images, sample, trusted=trusted, verbose=verbose)
    try:
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
        given = open_profiles(profiles, loaded) if profiles else None
        names = _names(shown, focus)
        chosen = gate or loaded.gates[-1].name
        with unwarned():
            before = capture(loaded, shown)
        predictions = predict(loaded, before)
        if predictions.fitted is None:
            raise ValueError(predictions.missing)
        outputs = outputs_of(before)
        targets = [outcome_of(predictions.fitted, row, target or None).target for row in outputs]
        base = "mean" if baseline == "mean" else _number(baseline, "--baseline")
        found = attributed(loaded, shown, chosen, targets, cast("Method", method), baseline=base, profiles=given)
        image = [shown[focus - 1]]
        with unwarned():
            reading = capture(loaded, image, maps=[chosen])[chosen]
            effects = gate_effects(loaded, image, profiles=given)
        means = gate_means(loaded, given)
        about = partial(
            faithfulness,
            *(loaded, image, chosen),
            target=targets[focus - 1],
            method=cast("Method", method),
            baseline=base,
            profiles=given,
        )
        channels = Channels(
            found,
            tuple(names),
            focus - 1,
            reading,
            means[chosen] if means else None,
            "the mean of s" if base == "mean" else f"{base:g}",
            about if curves else None,
        )
        outcome = outcome_of(predictions.fitted, outputs[focus - 1], targets[focus - 1])
        report = intervention_report(outcome, effects, names[focus - 1], gate=chosen, channels=channels)
        if out is not None:
            report.write(out, figures, progress=True)
    except (ValueError, KeyError, CannotDraw, ImportError, OSError) as error:
        raise fail(error) from error
    _show_channels(report, chosen, names[focus - 1], top)
    _say(report, names, focus, loaded, out)


def _images(paths: list[Path] | None, samples: list[str] | None, *, trusted: bool, verbose: bool) -> "list[InputImage]":
    from se_viz import read_paths, sample

    intake = read_paths(paths or [], trusted=trusted)
    warn(intake.refusals, verbose=verbose)
    try:
        shown = [*intake.images, *map(sample, samples or [])]
    except (ValueError, KeyError) as error:
        raise fail(error) from error
    if not shown:
        raise typer.BadParameter("No images: name files, folders or ZIP archives, or --sample cat.")
    return shown


def _names(images: "Sequence[InputImage]", focus: int) -> list[str]:
    from se_viz.data.names import apart

    if focus > len(images):
        raise ValueError(f"There is no image {focus} for --focus: the number of images is {len(images)}.")
    return apart(image.name for image in images)


def _other(count: int, focus: int, asked: int | None) -> int | None:
    """Return the index of the image whose s is used; None if there is only one image."""
    if asked is not None and asked > count:
        raise ValueError(f"There is no image {asked} for --other: the number of images is {count}.")
    if asked is not None:
        return asked - 1
    return (focus + 1) % count if count > 1 else None


def _value(to: str, other: "InputImage | None") -> "Edit":
    from se_viz import swap

    if to == "mean":
        return "mean"
    if to == "other":
        if other is None:
            raise ValueError("--set other takes s of another image: name two images or more.")
        return swap(other)
    return _number(to, "--set")


def _number(text: str, option: str) -> float:
    try:
        return float(text)
    except ValueError:
        listed = "a number, mean or other" if option == "--set" else "mean or a number"
        raise ValueError(f"{option} takes {listed}, not {text!r}.") from None


def _said(to: str, names: list[str], other: int | None) -> str:
    return f"s of {names[other]}" if to == "other" and other is not None else to


def _where(gates: list[str], channels: list[int] | None) -> str:
    listed = " and ".join(gates)
    if not channels:
        return f"all channels of {'all gates' if listed == 'all' else listed}"
    return f"{'channel' if len(channels) == 1 else 'channels'} {', '.join(map(str, channels))} of {listed}"


def _show_gates(report: "Report") -> None:
    from se_viz.cli.table import show_table

    rows = [
        (
            row["gate"],
            row["edit"],
            f"{row['change']:+.3f}",
            "–" if row["probability_after"] != row["probability_after"] else f"{row['probability_after']:.1%}",
            row["says"],
        )
        for row in report.tables["gate_effects"].to_dict("records")
    ]
    name = report.tables["gate_effects"]["output"].iloc[0]
    show_table(("gate", "edit", f"Δ {name}", name, "says"), rows, left=("gate", "edit", "says"))


def _show_images(fitted: "Fitted", target: str, names: list[str], before: "Floats", after: "Floats") -> None:
    """Print a row for each image; each has its own target if none was named."""
    from se_viz.cli.table import show_table
    from se_viz.reports.outcomes import outcome_of

    rows = []
    for name, one, other in zip(names, before, after, strict=True):
        outcome = outcome_of(fitted, one, target or None)
        said = outcome.says(one[None])[0], outcome.says(other[None])[0]
        likely = ("–", "–")
        if outcome.has_probabilities:
            likely = tuple(f"{outcome.target_probability(row[None])[0]:.1%}" for row in (one, other))
        change = other[outcome.target] - one[outcome.target]
        rows.append((name, *said, outcome.name, *likely, f"{change:+.3f}"))
    headers = ("image", "says before", "says after", "target", "before", "after", "Δ")
    show_table(headers, rows, left=("image", "says before", "says after", "target"))


def _show_channels(report: "Report", gate: str, image: str, top: int) -> None:
    from se_viz.cli.table import show_table

    table = report.tables[f"channels_{gate}"]
    rows = [
        (
            str(row["channel"]),
            f"{row['attribution']:+.4f}",
            f"{row['s']:.3f}",
            "–" if row["mean"] != row["mean"] else f"{row['mean']:.3f}",
            f"{row['baseline']:.3f}",
        )
        for row in table[table["image"] == image].head(top).to_dict("records")
    ]
    show_table(("channel", "attribution", "s", "mean of s", "baseline"), rows)


def _say(report: "Report", names: list[str], focus: int, model: "Model", out: Path | None) -> None:
    if len(names) > 1:
        typer.echo(f"Image {focus}, {names[focus - 1]}:")
    for sentence in (*report.text, *report.notes, *model.notes):
        typer.echo(sentence)
    if out is not None:
        typer.echo(f"The tables, the figures and intervention.json are in {out}/")
