"""What the commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[Path, typer.Option(help="Imagenette: a tar file, or a folder with train/ and val/.", exists=True)]
Device = Annotated[str, typer.Option(help="auto, cpu, gpu; or one by its name: cuda, cuda:1, xpu, mps.")]


def fail(error: Exception) -> typer.Exit:
    """Say what is wrong, and how the process is to end."""
    # A bare KeyError shows its message in quotes.
    typer.secho(str(error.args[0] if type(error) is KeyError else error), err=True, fg="red")
    return typer.Exit(1)


def counted(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"
