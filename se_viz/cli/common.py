"""What the commands share."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from se_viz.data.summing_up import FEW, summing_up
from se_viz.gates.errors import NotFiniteValues

Data = Annotated[Path, typer.Option(help="Imagenette: a tar file, or a folder with train/ and val/.", exists=True)]
Device = Annotated[str, typer.Option(help="auto, cpu, gpu; or one by its name: cuda, cuda:1, xpu, mps.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Name every file that is left out; otherwise many are summed up by reason.")
]


def warn(sentences: Sequence[str], *, verbose: bool) -> None:
    """Say what was left out: one by one where the sentences are few or all are wanted, else summed up."""
    if verbose or len(sentences) <= FEW:
        for sentence in sentences:
            typer.secho(sentence, err=True, fg="yellow")
        return
    typer.secho(f"{summing_up(sentences)} --verbose names them all.", err=True, fg="yellow")


@contextmanager
def unwarned() -> Iterator[None]:
    """Inside the block, keep Python's warning of numbers that are not finite, which a command prints as a sentence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotFiniteValues)
        yield


def fail(error: Exception) -> typer.Exit:
    """Say what is wrong, and how the process is to end."""
    # A bare KeyError shows its message in quotes.
    typer.secho(str(error.args[0] if type(error) is KeyError else error), err=True, fg="red")
    return typer.Exit(1)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
