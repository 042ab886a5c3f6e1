"""Options and messages that the commands share."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from se_viz.data.left_out_summary import FEW, summing_up
from se_viz.gates.errors import NotFiniteValues

Data = Annotated[Path, typer.Option(help="Imagenette: its tar file, or its folder with train/ and val/.", exists=True)]
Device = Annotated[str, typer.Option(help="Device: auto, cpu, gpu, or a name such as cuda, cuda:1, xpu, mps.")]
Verbose = Annotated[
    bool,
    typer.Option("--verbose", help="Name every file that is left out; by default many files are summed up by reason."),
]


def warn(sentences: Sequence[str], *, verbose: bool) -> None:
    """Print sentences on what was left out: each one if they are few or ``verbose``, otherwise a summary."""
    if verbose or len(sentences) <= FEW:
        for sentence in sentences:
            typer.secho(sentence, err=True, fg="yellow")
        return
    typer.secho(f"{summing_up(sentences)} --verbose lists all of them.", err=True, fg="yellow")


@contextmanager
def unwarned() -> Iterator[None]:
    """Suppress Python's warning of numbers that are not finite, which a command prints as a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotFiniteValues)
        yield


def fail(error: Exception, in_place_of_mean: str = "") -> typer.Exit:
    """Print an error, and return the exit to raise.

    Args:
        error: the error.
        in_place_of_mean: advice for a network whose mean of s is unknown, such as "give --baseline 1".
    """
    said = str(error.args[0] if type(error) is KeyError else error)  # a bare KeyError shows its message in quotes
    if in_place_of_mean:
        from se_viz.interventions.baseline import NoMean

        if isinstance(error, NoMean):
            from se_viz.reports.unknown_mean import unknown_mean

            said = unknown_mean(error, "shell", f", or {in_place_of_mean}")
    typer.secho(said, err=True, fg="red")
    return typer.Exit(1)


def stopped(what_stays: str) -> typer.Exit:
    """Print that the command was interrupted, and how it goes on, and return the exit to raise."""
    typer.secho(f"Stopped. {what_stays}", err=True, fg="yellow")
    return typer.Exit(130)  # 128 + SIGINT, as shells report it
