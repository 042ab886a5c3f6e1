"""The command that replaces s of gates or channels."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from se_viz.cli.common import Verbose, fail, unwarned
from se_viz.cli.edit_values import OTHER, EditOption, PlacedValue, joined, parse_edits
from se_viz.cli.image_options import Focus, ImageOptions, Profiles, TargetOption, names_of, say
from se_viz.cli.options import ChosenNetwork
from se_viz.cli.output_options import OutputOptions
from se_viz.wording import signed

if TYPE_CHECKING:
    from se_viz.data.images import InputImage
    from se_viz.interventions.edits import Edits
    from se_viz.reports.report import Report
    from se_viz.types import Floats
    from se_viz.weights.head import Fitted

_SET = EditOption(("number", "mean", "mean of CLASS", "shuffled", "scale", "other"))


def intervene(
    *,
    images: ImageOptions,
    network: ChosenNetwork,
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
    values: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Value that replaces s. With a place it may be repeated, and all edits are made in one pass. "
            f"{_SET.help}",
            show_default="1",
        ),
    ] = None,
    target: TargetOption = "",
    focus: Focus = 1,
    other_image: Annotated[
        int | None,
        typer.Option(
            "--other", help="Number of the image whose s is used (default: the one after the image in focus).", min=1
        ),
    ] = None,
    profiles: Profiles = None,
    output: OutputOptions,
    verbose: Verbose = False,
) -> None:
    """Replace s of a gate or of some channels, run the network again, and print the predictions before and after."""
    from se_viz import capture, open_profiles, predict
    from se_viz.figures.export import CannotDraw
    from se_viz.interventions.gate_effects import gate_effects, outputs_of, why_no_mean
    from se_viz.reports.edit_words import OTHER_IMAGE, edits_in_words
    from se_viz.reports.intervention import Edited, intervention_report
    from se_viz.reports.subject_facts import about_model
    from se_viz.reports.target_output import outcome_of
    from se_viz.reports.uniform_weights import uniform_weights
    from se_viz.reports.unknown_mean import unknown_mean

    shown = images.read(trusted=network.trusted, verbose=verbose)
    if channel and not gate:
        raise typer.BadParameter("--channel needs the --gate that it belongs to.")
    try:
        placed = _placed(list(dict.fromkeys(gate or ())), tuple(dict.fromkeys(channel or ())), values or [])
        loaded = network.load_chosen()
        given = open_profiles(profiles, loaded) if profiles else None
        names = names_of(shown, focus)
        swapped = _other(len(shown), focus - 1, other_image)
        with unwarned():
            before = capture(loaded, shown)
        predictions = predict(loaded, before)
        if predictions.fitted is None:
            raise ValueError(predictions.missing)
        outputs = outputs_of(before)
        outcome = outcome_of(predictions.fitted, outputs[focus - 1], target or None)
        edited, after = None, None
        if placed:
            edits = _edits(placed, None if swapped is None else shown[swapped])
            with unwarned():
                after = outputs_of(capture(loaded, shown, edits=edits, profiles=given))
            words = edits_in_words(
                ((one.gate, one.channels, OTHER_IMAGE if one.value == OTHER else one.value) for one in placed),
                "" if swapped is None else names[swapped],
            )
            edited = Edited(words, after[focus - 1])
        with unwarned():
            effects = gate_effects(
                loaded, [shown[focus - 1]], None if swapped is None else [shown[swapped]], profiles=given
            )
        unknown = None if "mean" in effects.edits else why_no_mean(loaded, given)
        composed = intervention_report(
            outcome,
            effects,
            names[focus - 1],
            other_name="" if swapped is None else names[swapped],
            gate=next((one.gate for one in placed if one.gate in effects.gates), None),
            edited=edited,
            notes=(
                *uniform_weights(before, focus - 1),
                *(() if unknown is None else (unknown_mean(unknown, "shell"),)),
            ),
        )
        composed = about_model(composed, loaded, names)
        output.write(composed)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error, in_place_of_mean="give a number, as in --set 1") from error
    if after is None:
        _show_gates(composed)
    else:
        _show_images(predictions.fitted, target, names, outputs, after)
    say(composed, names, focus, loaded, last_first=edited is not None)
    output.say(composed)


def _other(count: int, focus: int, number: int | None) -> int | None:
    """Return the index of the image whose s is used; None if there is only one image."""
    if number is not None and number > count:
        raise ValueError(f"There is no image {number} for --other: the number of images is {count}.")
    if number is not None and number - 1 == focus:
        raise ValueError(f"--other {number} is the image in focus: name another image, or another one with --focus.")
    if number is not None:
        return number - 1
    return (focus + 1) % count if count > 1 else None


def _placed(gates: Sequence[str], channels: tuple[int, ...], values: list[str]) -> list[PlacedValue]:
    """Return the edits of --gate, --channel and --set, each with its place."""
    parsed = parse_edits(values or ["1"] * bool(gates), _SET, gates)
    if all(one.gate for one in parsed):
        return parsed
    if not gates:
        raise typer.BadParameter(
            "--set needs the gate whose s it replaces: add --gate, or name it as in --set SE_5_2=mean."
        )
    if len(parsed) > 1:
        raise ValueError("--gate takes one --set. For several values write --set GATE=VALUE for each, without --gate.")
    return [replace(parsed[0], gate=gate, channels=channels) for gate in gates]


def _edits(placed: Sequence[PlacedValue], other: "InputImage | None") -> "Edits":
    """Return the edits as ``capture`` takes them."""
    from se_viz import swap

    if other is None and any(one.value == OTHER for one in placed):
        raise ValueError("--set other takes s of another image: name two images or more.")
    return joined([replace(one, value=swap(other)) if one.value == OTHER else one for one in placed], _SET)


def _show_gates(report: "Report") -> None:
    from se_viz.cli.table import show_table

    rows = [
        (
            row["gate"],
            row["edit"],
            signed(row["change"], "+.3f"),
            "–" if row["probability_after"] != row["probability_after"] else f"{row['probability_after']:.1%}",
            row["says"],
        )
        for row in report.tables["gate_effects"].to_dict("records")
    ]
    name = report.tables["gate_effects"]["output"].iloc[0]
    show_table(("gate", "edit", f"Δ {name}", name, "says"), rows, left_aligned=("gate", "edit", "says"))


def _show_images(fitted: "Fitted", target: str, names: list[str], before: "Floats", after: "Floats") -> None:
    """Print a row for each image; each has its own target if none was named."""
    from se_viz.cli.table import show_table
    from se_viz.reports.target_output import outcome_of

    rows = []
    for name, one, other in zip(names, before, after, strict=True):
        outcome = outcome_of(fitted, one, target or None)
        said = outcome.says(one[None])[0], outcome.says(other[None])[0]
        likely = ("–", "–")
        if outcome.has_probabilities:
            start, end = (f"{outcome.target_probability(row[None])[0]:.1%}" for row in (one, other))
            likely = start, end
        change = other[outcome.target] - one[outcome.target]
        rows.append((name, *said, outcome.name, *likely, signed(change, "+.3f")))
    headers = ("image", "says before", "says after", "target", "before", "after", "Δ")
    show_table(headers, rows, left_aligned=("image", "says before", "says after", "target"))
