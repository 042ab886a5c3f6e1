"""The commands that train and measure the demo models."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from se_viz.cli.common import Data, Device, fail
from se_viz.cli.output_options import TableFile, write_table
from se_viz.wording import signed


def train(
    data: Data,
    r: Annotated[int, typer.Option(help="Reduction ratio; 0 makes a network without SE.")] = 16,
    squeeze: Annotated[Literal["avg", "max"], typer.Option(help="Squeeze operator.")] = "avg",
    gate: Annotated[Literal["sigmoid", "relu", "tanh"], typer.Option(help="Gate function.")] = "sigmoid",
    integration: Annotated[
        Literal["standard", "pre", "post", "identity"], typer.Option(help="Position of the gate in its block.")
    ] = "standard",
    stages: Annotated[str, typer.Option(help="Stages with gates, as digits of 2345.", metavar="DIGITS")] = "2345",
    bias: Annotated[bool, typer.Option(help="Add biases to the two FC layers.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    device: Device = "auto",
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the weights and the card (default: that of your networks, which the page shows; "
            "with --family: pretrained)."
        ),
    ] = None,
    work: Annotated[Path, typer.Option(help="Folder for the state of an unfinished training.")] = Path(".training"),
    epochs: Annotated[int | None, typer.Option(help="Number of epochs (default: that of the recipe).", min=1)] = None,
    family: Annotated[
        bool, typer.Option("--family", help="Train all shipped networks in turn, skipping finished ones.")
    ] = False,
) -> None:
    """Train a demo network on Imagenette; an interrupted training is continued.

    The page and the command `family` compare networks in the folder SE_VIZ_NETWORKS (default
    ~/.cache/se-viz/networks) with the shipped ones.
    """
    from dataclasses import replace

    from se_viz.demo.build import make
    from se_viz.demo.planned_training import is_finished
    from se_viz.demo.recipe import Recipe
    from se_viz.demo.seresnet import SEResNetConfig
    from se_viz.demo.user_networks import folder as users_folder
    from se_viz.demo.variants import VARIANTS, Variant
    from se_viz.device.devices import resolve

    try:
        if not set(stages) <= set("2345") or sorted(set(stages)) != list(stages):
            raise ValueError(f"--stages takes digits of 2345 in order, each at most once, not {stages!r}.")
        config = SEResNetConfig(
            r=r or None,
            squeeze=squeeze,
            gate=gate,
            integration=integration,
            gated_stages=tuple(map(int, stages)),
            bias=bias,
        )
        if not config.gated and config != SEResNetConfig(r=None):
            raise ValueError(
                "Without gates, --r and the choices of the gate would be ignored: --r 0 alone makes a network without "
                "SE."
            )
        recipe = Recipe() if epochs is None else replace(Recipe(), epochs=epochs)
        base = out or (Path("pretrained") if family else users_folder())
        for member in VARIANTS if family else (Variant(config, seed),):
            folder = base / member.folder
            path = folder / f"{member.name}.json"
            if (family and path.exists()) or is_finished(path, recipe):
                typer.echo(f"{member.name} is finished already{'' if family else f': {path}'}")
                continue
            card = make(
                member.config, data, out=folder, work=work, seed=member.seed, recipe=recipe, device=resolve(device)
            )
            typer.echo(
                f"{folder / card.name}.safetensors: {card.bytes / 1e6:.1f} MB, {card.accuracy.top1:.2%} top-1 "
                f"({card.accuracy.low:.1%}–{card.accuracy.high:.1%}), {card.seconds / 60:.0f} min"
            )
    except (ValueError, OSError) as error:
        raise fail(error) from error


def responses(
    data: Annotated[
        Path | None, typer.Option(help="Imagenette: measure the responses again and write them.", exists=True)
    ] = None,
    device: Device = "auto",
    out: Annotated[Path | None, typer.Option(help="File to read or write (default: the shipped file).")] = None,
    yours: Annotated[
        bool, typer.Option("--yours", help="Measure or print your networks, and r = 16 to compare them with.")
    ] = False,
    table: TableFile = None,
) -> None:
    """Print the responses of every gate of the demo models to the validation set: spread, saturation, rank of s."""
    from se_viz.analysis.demo_responses import Responses, bundled_path, of_user
    from se_viz.cli.table import show_table
    from se_viz.disk.sole_writer import sole_writer
    from se_viz.figures.provenance import Provenance
    from se_viz.reports.demo_responses import responses_table

    path = out or (of_user() if yours else bundled_path())
    try:
        if data:
            with sole_writer(path):
                _measure(data, path, device, yours=yours)
        elif yours and not out and not path.is_file():
            raise ValueError(
                "Your networks have not been measured: add --data with the path of Imagenette to measure them."
            )
        if not path.is_file():
            raise ValueError(
                f"There is no file of responses at {path}: add --data with the path of Imagenette to make it."
            )
        measured = Responses.read(path)
        numbers = responses_table(measured)
        write_table(table, numbers, Provenance(images=f"Imagenette, val, {measured.images:,} images"))
    except (ValueError, OSError) as error:
        raise fail(error) from error
    typer.echo(f"{measured.images} images")
    show_table(
        ("model", "gate", "C", "mean s", "spread", "near 0", "near 1", "rank"),
        [
            (
                row["model"],
                row["gate"],
                str(row["C"]),
                signed(row["mean"], ".3f"),
                f"{row['spread']:.3f}",
                f"{row['near_0']:.1%}",
                f"{row['near_1']:.1%}",
                f"{row['rank']:.1f}",
            )
            for row in numbers.to_dict("records")
        ],
        left_aligned=("model", "gate"),
    )


def _measure(data: Path, path: Path, device: str, *, yours: bool) -> None:
    from tqdm import tqdm

    from se_viz.analysis.demo_responses import Responses, measure
    from se_viz.data import imagenette
    from se_viz.demo import pretrained as demo
    from se_viz.demo import user_networks
    from se_viz.demo.recipe import PREPROCESS
    from se_viz.device.devices import resolve

    stored = [(demo.card("r16"), demo.folder()), *user_networks.stored()] if yours else demo.stored()
    gated = [(card, folder) for card, folder in stored if card.network.gated]
    validation = imagenette.load(data, "val", PREPROCESS.pixels)
    older = Responses.read(path) if path.is_file() and not yours else None
    measured = measure(tqdm(gated, desc="networks", disable=None), validation, resolve(device))
    if older:
        measured = measured.keeping(older, {card.name: card.sha256 for card in demo.cards()})
    measured.write(path)


def verify(
    data: Data,
    root: Annotated[
        Path | None, typer.Option(help="Folder of weights and cards (default: the shipped folder).")
    ] = None,
    device: Device = "auto",
    add_answers: Annotated[
        bool,
        typer.Option(
            "--add-answers", help="Write the right and wrong answers into cards of older versions, which lack them."
        ),
    ] = False,
) -> None:
    """Classify the validation images with every demo model again, and compare the answers with its card, by image.

    Processors round differently, which can change a close prediction, so one image in a thousand may differ.
    """
    from se_viz.data import imagenette
    from se_viz.demo import pretrained as demo
    from se_viz.demo.recipe import PREPROCESS
    from se_viz.demo.verify import verify
    from se_viz.device.devices import resolve

    wrong = 0
    try:
        stored = demo.stored(root)
        if not stored:
            raise ValueError(
                f"{root or demo.folder()} has no weights with a card, NAME.safetensors and NAME.json, so nothing was "
                f"verified. Networks of other seeds than 0 are in its folder {demo.SEEDS}."
            )
        validation = imagenette.load(data, "val", PREPROCESS.pixels)
        for card, folder in stored:
            verified = verify(card, validation, folder, resolve(device))
            wrong += not verified.agrees
            typer.echo(str(verified))
            if add_answers and card.right is None:
                verified.completed.write(folder / f"{card.name}.json")
                typer.echo(f"{folder / card.name}.json: the answers to {verified.right.images:,} images are added.")
    except (ValueError, OSError) as error:
        raise fail(error) from error
    raise typer.Exit(1 if wrong else 0)
