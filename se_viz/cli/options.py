"""The options by which commands are told which network to read, and loading it."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from se_viz.model.model import Model
    from se_viz.weights.download import Progress
    from se_viz.weights.head import Head, HeadKind

Number = Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="What the network computes in.")]
Checkpoint = Annotated[
    Path | None, typer.Option(help="Your own weights, safetensors or a state dict of torch, in place of MODEL.")
]
Arch = Annotated[
    str,
    typer.Option(
        help="Their architecture: timm/NAME, torchvision/NAME, or package.module:function, which is imported."
    ),
]
Arg = Annotated[
    list[str] | None,
    typer.Option(
        help="An argument of the architecture, KEY=VALUE (JSON); may be repeated. The number of classes is the file's."
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(help="Names of their classes, labels or numbers: one a line, or JSON. Of --head binary two: no, yes."),
]
Three = tuple[float, float, float]
Mean = Annotated[Three | None, typer.Option(help="Mean of the images they were trained on, R G B in 0–1.")]
Std = Annotated[Three | None, typer.Option(help="Standard deviation, likewise.")]
HeadOption = Annotated[
    Literal["classes", "binary", "labels", "number", "features"] | None,
    typer.Option(
        "--head",
        help="What the network's outputs mean: classes (softmax), binary (one logit of yes), labels (each holds or "
        "not), number, features (nothing is predicted). If not given, two outputs and more are taken as classes, and "
        "one as a number.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Probability from which on a binary head says yes, and a label holds.", show_default="0.5", min=0, max=1
    ),
]
Trusted = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="The files are your own: the checkpoint and images are read in this process, without a child process and "
        "its limits of time and memory. Nothing in them is run for that.",
    ),
]
Size = Annotated[int | None, typer.Option(help="Side of their input, pixels.")]


def load_network(
    model: str,
    device: str,
    precision: Literal["fp32", "bf16", "fp16"],
    checkpoint: Path | None,
    *,
    head: "HeadKind | None" = None,
    threshold: float | None = None,
    fast: bool = True,
    **own: Any,  # noqa: ANN401 - see _architecture
) -> "Model":
    """A model by its name, with a bar while it is fetched; or one of the caller's own."""
    from tqdm import tqdm

    from se_viz import load, load_checkpoint

    meant = _head(head, threshold)
    if checkpoint is not None:
        loaded = load_checkpoint(
            checkpoint, **_architecture(**own), head=meant, device=device, precision=precision, fast=fast
        )
        # What was taken of the file and what was not, where there is something to say.
        notes = loaded.about.partition(f" with the weights of {checkpoint.name}")[2].removeprefix(". ")
        if notes:
            typer.secho(f"{notes}.", err=True, fg="yellow")
        return loaded
    if any(value for name, value in own.items() if name != "trusted"):  # This may be said of images alone.
        raise typer.BadParameter("--arch and what goes with it describe a --checkpoint, and none is given.")
    with tqdm(desc=model, unit="B", unit_scale=True, disable=None, delay=0.5) as bar:

        def show(progress: "Progress") -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        try:
            return load(model, device, precision, head=meant, fast=fast, report=show)
        except KeyboardInterrupt:
            bar.close()
            typer.secho("Stopped; the same command fetches what is missing.", err=True, fg="yellow")
            raise typer.Exit(130) from None


def _head(kind: "HeadKind | None", threshold: float | None) -> "Head | None":
    from se_viz import Head

    if kind is None:
        if threshold is not None:
            raise typer.BadParameter("--threshold goes with --head binary or --head labels.")
        return None
    return Head(kind) if threshold is None else Head(kind, threshold)


def _architecture(arch: str, arg: list[str] | None, classes: Path | None, **rest: object) -> dict[str, Any]:
    from se_viz.weights.class_names import read_classes

    if not arch:
        raise typer.BadParameter("A checkpoint needs --arch, for instance timm/seresnet50.")
    return {
        "architecture": _imported(arch) if ":" in arch else arch,
        "arguments": dict(_argument(pair) for pair in arg or []),
        "classes": read_classes(classes) if classes else (),
        **rest,
    }


def _argument(text: str) -> tuple[str, object]:
    from se_viz.zoo.architecture_arguments import pair

    try:
        return pair(text)
    except ValueError as error:
        raise typer.BadParameter(f"--arg is KEY=VALUE, not {text!r}.") from error


def _imported(place: str) -> Callable[..., Any]:
    import sys
    from importlib import import_module

    module, _, name = place.partition(":")
    sys.path.insert(0, "")  # As for `python -m`: code in the current folder is found, however this was started.
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise typer.BadParameter(f"{place} cannot be imported: {error}.") from error
    finally:
        sys.path.remove("")
    if not callable(function):
        raise typer.BadParameter(f"{place} is no function.")
    return function  # type: ignore[no-any-return]
