"""The command that lists the demo models, and compares them in one design choice, with a network beside them."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Device, fail, unwarned, warn
from se_viz.cli.image_options import ImageOptions
from se_viz.cli.options import CheckpointOptions, PrecisionOption
from se_viz.cli.output_options import OutputOptions

if TYPE_CHECKING:
    from se_viz.analysis.loaded_network import Measured
    from se_viz.data.images import InputImage
    from se_viz.demo.card import Card
    from se_viz.demo.design_choices import DesignChoice
    from se_viz.model.model import Model
    from se_viz.reports.report import Report


def family(
    *,
    images: ImageOptions,
    what: Annotated[
        Literal["reduction ratio r", "squeeze operator", "gate function", "gated stages", "place in the block"] | None,
        typer.Option(help="Design choice: only networks that differ in it are listed, with a conclusion."),
    ] = None,
    cost: Annotated[
        Literal["r", "parameters", "MACs"],
        typer.Option(help="Horizontal axis of the accuracy of different reduction ratios."),
    ] = "r",
    model: Annotated[
        str, typer.Option(help="Network to compare with the demo models, with --what; `models` lists the names.")
    ] = "",
    network: CheckpointOptions,
    profiles: Annotated[
        Path | None,
        typer.Option(
            help="Class profiles of this network that keep s of single images (`profile --images`), from which its "
            "gates are drawn, in place of images."
        ),
    ] = None,
    device: Device = "auto",
    precision: PrecisionOption = "fp32",
    output: OutputOptions,
) -> None:
    """List the demo models and yours: parameters, multiply-accumulates, accuracy with its interval, training time.

    With --what and --model or --checkpoint, compare another network with the models that differ in this choice: its
    cost, and the responses of its gates to the images.
    """
    from se_viz.cli.table import show_table
    from se_viz.demo.design_choices import DESIGN_CHOICES
    from se_viz.demo.user_networks import user_networks
    from se_viz.figures.export import CannotDraw
    from se_viz.reports.design_choices import design_report, family_cards, in_order

    beside = bool(model or network.checkpoint)
    _check(what, model, network, images, profiles, output)
    cards, yours = family_cards(), user_networks()
    both = in_order([*cards, *yours.cards])
    choice = next((choice for choice in DESIGN_CHOICES if choice.title == what), None)
    _list(both, choice)
    if not choice:
        warn(yours.notes, verbose=True)
        return
    try:
        composed = design_report(choice, cards, cost=cost, yours=yours)
        if beside:
            loaded = network.load(model, device, precision)
            shown = images.read(trusted=network.trusted, verbose=False) if images.images or images.sample else []
            name = network.checkpoint.name if network.checkpoint else loaded.name
            composed = _beside(composed, choice, both, loaded, name, _measured(loaded, shown, profiles))
        output.write(composed)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    typer.echo(f"\nBeside the paper's Table {choice.table} (ImageNet):")
    rows = [tuple(map(_cell, row)) for row in composed.tables["beside_paper"].itertuples(index=False)]
    show_table(tuple(composed.tables["beside_paper"].columns), rows, left_aligned=(choice.title,))
    typer.echo()
    for sentence in (*composed.text, composed.how_measured, *composed.notes):
        typer.echo(sentence)
    output.say(composed)


def _check(
    what: str | None,
    model: str,
    network: CheckpointOptions,
    images: ImageOptions,
    profiles: Path | None,
    output: OutputOptions,
) -> None:
    """Raise if options need another one that is not there."""
    network.check()
    if (output.out or output.report) and not what:
        raise typer.BadParameter("--out and --report are about one choice: name it with --what.")
    beside = bool(model or network.checkpoint)
    if beside and not what:
        raise typer.BadParameter("A network is compared in one choice: name it with --what.")
    if model and network.checkpoint:
        raise typer.BadParameter("--model and --checkpoint each name a network: use one of them.")
    if model.startswith("demo/"):
        raise typer.BadParameter(f"{model} is a demo model, which the command lists anyway: name another network.")
    if not beside and (images.images or images.sample or profiles):
        raise typer.BadParameter(
            "Images and --profiles are for a network beside the demo models: name it with --model."
        )
    if profiles and (images.images or images.sample):
        raise typer.BadParameter("The gates are drawn from images or from --profiles: use one of them.")


def _measured(model: "Model", images: "Sequence[InputImage]", profiles: Path | None) -> "Measured | None":
    """Return the responses of the gates to the images of class profiles, or to these images; None without either."""
    from se_viz import capture, open_profiles
    from se_viz.analysis.loaded_network import from_capture, from_profiles

    if profiles:
        measured = from_profiles(open_profiles(profiles, model))
        if measured is None:
            raise ValueError(f"{profiles} has no s of single images: make it with `profile --images`.")
        return measured
    if not images:
        return None
    with unwarned():
        return from_capture(capture(model, images))


def _beside(
    design: "Report",
    choice: "DesignChoice",
    cards: "Sequence[Card]",
    model: "Model",
    name: str,
    measured: "Measured | None",
) -> "Report":
    """Return the report with a network beside the demo models, as the page has it."""
    from se_viz.analysis.loaded_network import LoadedNetwork, cost_of
    from se_viz.reports.loaded_network import loaded_report, with_loaded

    gates = tuple(gate.name for gate in model.gates)
    network = LoadedNetwork(name, gates, model.preprocess.crop[0], cost_of(model), measured)
    return with_loaded(design, loaded_report(choice, cards, network), name, model)


def _list(cards: "Sequence[Card]", choice: "DesignChoice | None") -> None:
    """Print a row for each model, or for each that differs in a choice."""
    from se_viz.cli.table import show_table
    from se_viz.demo.design_choices import variants_of

    show_table(
        ("model", "parameters", "MMACs", "top-1", "95% interval", "seconds"),
        [
            (
                card.name,
                f"{card.params:,}",
                f"{card.macs / 1e6:.1f}",
                f"{card.accuracy.top1:.2%}",
                f"{card.accuracy.low:.1%} – {card.accuracy.high:.1%}",
                f"{card.seconds:,.0f}",
            )
            for card in (variants_of(choice, cards, seed=None) if choice else cards)
        ],
        left_aligned=("model",),
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if isnan(value) else f"{value:.2f}"
    return str(value)
