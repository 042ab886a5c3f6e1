"""The options and messages that the commands about images share."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from se_viz.cli.common import fail, warn
from se_viz.cli.options import SplitOption

if TYPE_CHECKING:
    from se_viz.data.images import InputImage
    from se_viz.model.model import Model
    from se_viz.reports.report import Report

TargetOption = Annotated[
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


@dataclass(frozen=True)
class ImageOptions:
    """The options that name images."""

    images: Annotated[list[Path] | None, typer.Argument(help="Image files, folders or ZIP archives.")] = None
    sample: Annotated[list[str] | None, typer.Option(help="Name of a sample image; may be repeated.")] = None
    split: SplitOption = None

    def read(self, *, trusted: bool, verbose: bool) -> "list[InputImage]":
        """Return the images, files first; print what is left out."""
        from se_viz import read_paths, sample

        intake = read_paths(self.images or [], trusted=trusted, split=self.split)
        said = [sentence for choice in intake.splits for sentence in choice.sentences()]
        if self.split is not None and intake.images and not said:
            said = [f"--split {self.split} was ignored: these images are not in folders such as train/ and val/."]
        warn([*said, *intake.refusals], verbose=verbose)
        try:
            shown = [*intake.images, *map(sample, self.sample or [])]
        except (ValueError, KeyError) as error:
            raise fail(error) from error
        if not shown:
            missing = "None of these images can be read" if self.images else "There is no image"
            raise typer.BadParameter(f"{missing}: name image files, folders or ZIP archives, or add --sample cat.")
        return shown


def names_of(images: "Sequence[InputImage]", focus: int) -> list[str]:
    """Return distinct names of the images; raise if there is no image with the number ``focus``."""
    from se_viz.data.file_kinds import apart

    if focus > len(images):
        raise ValueError(f"There is no image {focus} for --focus: the number of images is {len(images)}.")
    return apart(image.name for image in images)


def say(report: "Report", names: list[str], focus: int, model: "Model", *, last_first: bool = False) -> None:
    """Print the sentences of a report on one of the images.

    Args:
        report: the report.
        names: names of the images.
        focus: number of the image that the report is about.
        model: the network, whose notes are printed.
        last_first: print the last sentence of the report, which answers what was asked, before the others.
    """
    if len(names) > 1:
        typer.echo(f"Image {focus}, {names[focus - 1]}:")
    said = (report.text[-1], *report.text[:-1]) if last_first else report.text
    for sentence in (*said, *report.notes, *model.notes):
        typer.echo(sentence)
