"""The command that attributes an output to the channels of a gate."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Verbose, fail, unwarned
from se_viz.cli.edit_values import EditOption, parse_value
from se_viz.cli.image_options import Focus, ImageOptions, Profiles, TargetOption, names_of, say
from se_viz.cli.options import ChosenNetwork
from se_viz.cli.output_options import OutputOptions
from se_viz.wording import signed

if TYPE_CHECKING:
    from se_viz.interventions.baseline import Weights
    from se_viz.model.model import Model
    from se_viz.profiles.class_profiles import ClassProfiles
    from se_viz.reports.report import Report

_BASELINE = EditOption(
    ("number", "mean", "mean of CLASS"),
    "Shuffled, '0.5 s', other and places are not taken, because a baseline is the same for all images and is that of "
    "--gate.",
    places="none",
    name="--baseline",
)


def attribute(
    *,
    images: ImageOptions,
    network: ChosenNetwork,
    gate: Annotated[
        str, typer.Option(help="Gate to whose channels the output is attributed (default: the last).")
    ] = "",
    target: TargetOption = "",
    method: Annotated[
        Literal[
            "integrated gradients",
            "gradient × change",
            "gradient x change",
            "exact",
            "shapley sampling",
            "layer-conductance",
        ],
        typer.Option(
            help="Method of the attribution; exact sets one channel at a time to the baseline, and layer-conductance "
            "moves the image, not s, from the mean colour."
        ),
    ] = "integrated gradients",
    baseline: Annotated[str, typer.Option(help=f"Weights that s is compared with. {_BASELINE.help}")] = "mean",
    curves: Annotated[
        bool,
        typer.Option(
            "--faithfulness",
            help="Also change the channels one after another in several orders, with random orders as the control.",
        ),
    ] = False,
    top: Annotated[int, typer.Option(help="Number of channels in the printed table.", min=1)] = 20,
    focus: Focus = 1,
    profiles: Profiles = None,
    output: OutputOptions,
    verbose: Verbose = False,
) -> None:
    """Attribute an output of the network to the channels of a gate, and print those with the largest attribution."""
    from functools import partial

    from se_viz import attribute as attributed
    from se_viz import capture, faithfulness, open_profiles, predict
    from se_viz.figures.export import CannotDraw
    from se_viz.interventions.gate_effects import gate_effects, gate_means, outputs_of
    from se_viz.reports.intervention import Channels, intervention_report
    from se_viz.reports.subject_facts import about_model
    from se_viz.reports.target_output import outcome_of
    from se_viz.reports.uniform_weights import uniform_weights

    shown = images.read(trusted=network.trusted, verbose=verbose)
    try:
        loaded = network.load_chosen()
        given = open_profiles(profiles, loaded) if profiles else None
        names = names_of(shown, focus)
        chosen = gate or loaded.gates[-1].name
        with unwarned():
            before = capture(loaded, shown)
        predictions = predict(loaded, before)
        if predictions.fitted is None:
            raise ValueError(predictions.missing)
        outputs = outputs_of(before)
        targets = [outcome_of(predictions.fitted, row, target or None).target for row in outputs]
        base, in_words = _baseline(loaded, chosen, baseline, given)
        if method == "gradient x change":  # as it is typed on most keyboards
            method = "gradient × change"
        moves_image = method == "layer-conductance"
        if moves_image and not isinstance(base, str) and not curves:
            raise ValueError(
                "layer-conductance starts at an image of the mean colour: --baseline is only for its curves, with "
                "--faithfulness."
            )
        starts = "mean" if moves_image else base
        found = attributed(loaded, shown, chosen, targets, method, baseline=starts, profiles=given)
        image = [shown[focus - 1]]
        with unwarned():
            gate_capture = capture(loaded, image, maps=[chosen])[chosen]
            effects = gate_effects(loaded, image, profiles=given)
        means = gate_means(loaded, given)
        about = partial(
            faithfulness,
            *(loaded, image, chosen),
            target=targets[focus - 1],
            method=method,
            baseline=base,
            profiles=given,
        )
        channels = Channels(
            found,
            tuple(names),
            focus - 1,
            gate_capture,
            means[chosen] if means else None,
            in_words,
            about if curves else None,
        )
        outcome = outcome_of(predictions.fitted, outputs[focus - 1], targets[focus - 1])
        notes = uniform_weights(before, focus - 1)
        report = intervention_report(outcome, effects, names[focus - 1], gate=chosen, channels=channels, notes=notes)
        report = about_model(report, loaded, names)
        output.write(report)
    except (ValueError, KeyError, CannotDraw, ImportError, OSError) as error:
        raise fail(error, in_place_of_mean="give --baseline 1") from error
    _show_channels(report, chosen, names[focus - 1], top)
    say(report, names, focus, loaded)
    output.say(report)


def _baseline(model: "Model", gate: str, text: str, profiles: "ClassProfiles | None") -> "tuple[Weights, str]":
    """Return the baseline of a gate, and the same in words."""
    from se_viz.interventions.baseline import mean_weights
    from se_viz.interventions.edits import MeanOf

    value = parse_value(text, _BASELINE)
    if isinstance(value, MeanOf):
        return mean_weights(model, gate, profiles, value.name), f"the mean of s over {value.name}"
    if value == "mean":
        return "mean", "the mean of s"
    number = float(value)  # type: ignore[arg-type]  # as the option takes nothing else
    return number, signed(number, "g")


def _show_channels(report: "Report", gate: str, image: str, top: int) -> None:
    from se_viz.cli.table import show_table

    table = report.tables[f"channels_{gate}"]
    rows = [
        (
            str(row["channel"]),
            signed(row["attribution"], "+.4f"),
            signed(row["s"], ".3f"),
            "–" if row["mean"] != row["mean"] else signed(row["mean"], ".3f"),
            signed(row["baseline"], ".3f"),
        )
        for row in table[table["image"] == image].head(top).to_dict("records")
    ]
    show_table(("channel", "attribution", "s", "mean of s", "baseline"), rows)
