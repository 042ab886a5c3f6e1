"""The command that reads z and s for images."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from se_viz.cli.common import Verbose, fail, unwarned
from se_viz.cli.image_options import Focus, ImageOptions, Profiles, names_of, say
from se_viz.cli.options import ChosenNetwork
from se_viz.cli.output_options import Folder, OutputOptions

if TYPE_CHECKING:
    from se_viz.analysis.predictions import ImagePredictions, Predictions
    from se_viz.weights.head import Head


@dataclass(frozen=True)
class CaptureOutput(OutputOptions):
    """The options of the files of ``inspect``."""

    out: Folder = Path("capture")


def inspect(
    *,
    images: ImageOptions,
    network: ChosenNetwork,
    maps: Annotated[
        list[str] | None, typer.Option(help="Gate whose U, X̃ and figures are also written; may be repeated.")
    ] = None,
    focus: Focus = 1,
    order: Annotated[
        Literal["index", "mean", "variance", "similarity"],
        typer.Option(
            help="Order of the channels in the heatmaps: as in the network, by the mean of s, by its variance between "
            "the images, or similar channels side by side."
        ),
    ] = "variance",
    channels: Annotated[
        Literal["highest s", "lowest s", "largest change"],
        typer.Option(help="Criterion for the channels whose maps are drawn."),
    ] = "largest change",
    profiles: Profiles = None,
    output: CaptureOutput,
    verbose: Verbose = False,
) -> None:
    """Read z and s of every gate for some images, and write tables, the health and heatmaps of each gate, and maps."""
    from se_viz import capture, open_profiles
    from se_viz.analysis.predictions import predict
    from se_viz.figures.export import CannotDraw
    from se_viz.figures.row_thumbnails import row_thumbnail
    from se_viz.interventions.gate_effects import gate_means
    from se_viz.reports.inspection import inspection_report
    from se_viz.reports.subject_facts import about_model

    shown = images.read(trusted=network.trusted, verbose=verbose)
    try:
        loaded = network.load_chosen()
        names = names_of(shown, focus)
        with unwarned():
            captured = capture(loaded, shown, maps)
        predictions = predict(loaded, captured, 3, images=shown)
        composed = inspection_report(
            captured,
            predictions,
            names,
            focus - 1,
            order=order,
            gates=maps or (),
            channels=channels,
            cut=lambda index: loaded.preprocess.center_crop(shown[index].rgb),
            choice="--head",
            means=gate_means(loaded, open_profiles(profiles, loaded) if profiles else None),
            thumbnails=[row_thumbnail(image.rgb) for image in shown],
        )
        composed = about_model(composed, loaded, names)
        output.write(composed)
    except (ValueError, KeyError, CannotDraw, OSError) as error:
        raise fail(error) from error
    _show_predictions(predictions, names)
    say(composed, names, focus, loaded)
    output.say(composed)


def _show_predictions(predictions: "Predictions", names: list[str]) -> None:
    """Print the prediction for each image; if nothing is predicted, the report says why."""
    from se_viz.cli.table import show_table

    if predictions.fitted is None:
        return
    head = predictions.fitted.head
    rows = [(name, _in_words(one, head)) for name, one in zip(names, predictions.images, strict=True)]
    show_table(("image", "prediction"), rows, left_aligned=("image", "prediction"))


def _in_words(prediction: "ImagePredictions", head: "Head") -> str:
    """Return the prediction for an image: the most probable classes, the labels that hold, or the numbers."""
    if not prediction.shown:
        return prediction.sentence
    if head.kind in ("binary", "labels"):
        return prediction.said
    listed = ", ".join(f"{one.label} {one.amount}" for one in prediction.shown)
    if prediction.outside:
        return f"{listed} ({prediction.closest}, none of which the image shows)"
    return f"{listed} ({prediction.closest})" if prediction.closest else listed
