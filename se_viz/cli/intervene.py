"""The command that replaces s of gates or channels."""

from typing import TYPE_CHECKING, Annotated

import typer

from se_viz.cli.common import Device, Verbose, fail, unwarned
from se_viz.cli.image_options import (
    Figures,
    Focus,
    ImageOptions,
    Out,
    Profiles,
    Target,
    names_of,
    number_of,
    say,
)
from se_viz.cli.options import ModelName, NetworkOptions, Precision
from se_viz.cli.report_file import ReportFile, say_report

if TYPE_CHECKING:
    from se_viz.data.images import InputImage
    from se_viz.interventions.edits import Edit, Whole
    from se_viz.reports.report import Report
    from se_viz.types import Floats
    from se_viz.weights.head import Fitted


def intervene(
    *,
    images: ImageOptions,
    model: ModelName = "demo/r16",
    device: Device = "auto",
    precision: Precision = "fp32",
    network: NetworkOptions,
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
        str | None,
        typer.Option(
            "--set",
            help="What replaces s: a number, mean (of the class profiles), or other (s of the image of --other).",
            show_default="1",
        ),
    ] = None,
    target: Target = "",
    focus: Focus = 1,
    other: Annotated[
        int | None,
        typer.Option(help="Number of the image whose s is used (default: the one after the image in focus).", min=1),
    ] = None,
    profiles: Profiles = None,
    figures: Figures = "html",
    out: Out = None,
    report: ReportFile = None,
    verbose: Verbose = False,
) -> None:
    """Replace s of a gate or of some channels, run the network again, and print the predictions before and after."""
    from se_viz import capture, open_profiles, predict
    from se_viz.figures.export import CannotDraw
    from se_viz.interventions.gate_effects import gate_effects, outputs_of
    from se_viz.reports.about import about_model
    from se_viz.reports.intervention import Edited, intervention_report
    from se_viz.reports.outcomes import outcome_of

    shown = images.read(trusted=network.trusted, verbose=verbose)
    if channel and not gate:
        raise typer.BadParameter("--channel needs the --gate that it belongs to.")
    if to is not None and not gate:
        raise typer.BadParameter("--set needs the --gate whose s it replaces.")
    to = "1" if to is None else to
    gates, channels = list(dict.fromkeys(gate or ())), list(dict.fromkeys(channel or ()))
    try:
        loaded = network.load(model, device, precision)
        given = open_profiles(profiles, loaded) if profiles else None
        names = names_of(shown, focus)
        swapped = _other(len(shown), focus - 1, other)
        with unwarned():
            before = capture(loaded, shown)
        predictions = predict(loaded, before)
        if predictions.fitted is None:
            raise ValueError(predictions.missing)
        outputs = outputs_of(before)
        outcome = outcome_of(predictions.fitted, outputs[focus - 1], target or None)
        edited, after = None, None
        if gates:
            value = _value(to, None if swapped is None else shown[swapped])
            edit: Edit = dict.fromkeys(channels, value) if channels else value
            edits = dict.fromkeys(gates, edit)
            with unwarned():
                after = outputs_of(capture(loaded, shown, edits=edits, profiles=given))
            said = f"s := {_said(to, names, swapped)} in {_where(gates, channels)}"
            edited = Edited(said, after[focus - 1])
        with unwarned():
            effects = gate_effects(
                loaded, [shown[focus - 1]], None if swapped is None else [shown[swapped]], profiles=given
            )
        composed = intervention_report(
            outcome,
            effects,
            names[focus - 1],
            other="" if swapped is None else names[swapped],
            gate=next((name for name in gates if name in effects.gates), None),
            edited=edited,
            notes=() if "mean" in effects.edits else (_NO_MEAN,),
        )
        if out is not None:
            composed.write(out, figures, progress=True)
        if report is not None:
            about_model(composed, loaded, names).write_html(report)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error, in_place_of_mean="give a number, as in --set 1") from error
    if after is None:
        _show_gates(composed)
    else:
        _show_images(predictions.fitted, target, names, outputs, after)
    say(composed, names, focus, loaded, out, last_first=edited is not None)
    say_report(report)


_NO_MEAN = "There is no mean of s, because this network has no class profiles: make them with `se-viz profile`."


def _other(count: int, focus: int, asked: int | None) -> int | None:
    """Return the index of the image whose s is used; None if there is only one image."""
    if asked is not None and asked > count:
        raise ValueError(f"There is no image {asked} for --other: the number of images is {count}.")
    if asked is not None and asked - 1 == focus:
        raise ValueError(f"--other {asked} is the image in focus: name another image, or another one with --focus.")
    if asked is not None:
        return asked - 1
    return (focus + 1) % count if count > 1 else None


def _value(to: str, other: "InputImage | None") -> "Whole":
    from se_viz import swap

    if to == "mean":
        return "mean"
    if to == "other":
        if other is None:
            raise ValueError("--set other takes s of another image: name two images or more.")
        return swap(other)
    return number_of(to, "--set")


def _said(to: str, names: list[str], other: int | None) -> str:
    return f"that of {names[other]}" if to == "other" and other is not None else to


def _where(gates: list[str], channels: list[int]) -> str:
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
            start, end = (f"{outcome.target_probability(row[None])[0]:.1%}" for row in (one, other))
            likely = start, end
        change = other[outcome.target] - one[outcome.target]
        rows.append((name, *said, outcome.name, *likely, f"{change:+.3f}"))
    headers = ("image", "says before", "says after", "target", "before", "after", "Δ")
    show_table(headers, rows, left=("image", "says before", "says after", "target"))
