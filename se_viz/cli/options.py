"""The options that choose a network, and the loading of that network."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from se_viz.model.model import Model
    from se_viz.weights.download import Progress
    from se_viz.weights.head import Head, HeadKind

ModelName = Annotated[str, typer.Option(help="Name of the model; `models` lists them.")]
Precision = Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="Precision of the computation.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="File with your weights, safetensors or a torch state dict, used instead of a named model."),
]
Arch = Annotated[
    str,
    typer.Option(
        help="Architecture of the checkpoint: timm/NAME, torchvision/NAME, or package.module:function, "
        "which is imported."
    ),
]
Arg = Annotated[
    list[str] | None,
    typer.Option(
        help="Argument of the architecture, KEY=VALUE with a value in JSON; may be repeated. For an architecture of "
        "timm or torchvision the number of classes is read from the checkpoint. For a function, pass its argument for "
        "the number of classes here, for instance --arg num_classes=3."
    ),
]
Classes = Annotated[
    Path | None,
    typer.Option(
        help="File with the names of the classes, labels or numbers, one per line or as JSON. For --head binary two "
        "names: no, yes."
    ),
]
Three = tuple[float, float, float]
Mean = Annotated[Three | None, typer.Option(help="Mean of the training images by channel, R G B in 0–1.")]
Std = Annotated[Three | None, typer.Option(help="Standard deviation of the training images by channel, R G B in 0–1.")]
HeadOption = Annotated[
    Literal["classes", "binary", "labels", "number", "features"] | None,
    typer.Option(
        "--head",
        help="Meaning of the network's outputs: classes (softmax), binary (one logit of yes), labels (independent "
        "labels), number, or features (no predictions). By default two or more outputs are classes, and one output is "
        "a number.",
    ),
]
Threshold = Annotated[
    float | None,
    typer.Option(
        help="Probability at or above which a binary head says yes, and a label holds.",
        show_default="0.5",
        min=0,
        max=1,
    ),
]
Trusted = Annotated[
    bool,
    typer.Option(
        "--trusted",
        help="Trust the checkpoint and the images: read them in this process, without a child process and its limits "
        "of time and memory. No code in the files is run.",
    ),
]
Size = Annotated[int | None, typer.Option(help="Side of the network's input in pixels.")]


def load_network(
    model: str,
    device: str,
    precision: Literal["fp32", "bf16", "fp16"],
    checkpoint: Path | None,
    *,
    head: "HeadKind | None" = None,
    threshold: float | None = None,
    fast: bool = True,
    **description: Any,  # noqa: ANN401 - see _architecture
) -> "Model":
    """Return a model by its name, with a progress bar for its download, or the model of a checkpoint."""
    from tqdm import tqdm

    from se_viz import load, load_checkpoint

    chosen_head = _head(head, threshold)
    if checkpoint is not None:
        loaded = load_checkpoint(
            checkpoint, **_architecture(**description), head=chosen_head, device=device, precision=precision, fast=fast
        )
        # The notes say which tensors of the file were used or left out.
        notes = loaded.about.partition(f" with the weights of {checkpoint.name}")[2].removeprefix(". ")
        if notes:
            typer.secho(f"{notes}.", err=True, fg="yellow")
        return loaded
    if any(value for name, value in description.items() if name != "trusted"):  # --trusted also applies to images
        raise typer.BadParameter("--arch and its options need a --checkpoint.")
    with tqdm(desc=model, unit="B", unit_scale=True, disable=None, delay=0.5) as bar:

        def show(progress: "Progress") -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        try:
            return load(model, device, precision, head=chosen_head, fast=fast, report=show)
        except KeyboardInterrupt:
            bar.close()
            typer.secho("Stopped. The same command downloads the rest.", err=True, fg="yellow")
            raise typer.Exit(130) from None


def _head(kind: "HeadKind | None", threshold: float | None) -> "Head | None":
    from se_viz import Head

    if kind is None:
        if threshold is not None:
            raise typer.BadParameter("--threshold needs --head binary or --head labels.")
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
        raise typer.BadParameter(f"--arg must be KEY=VALUE, not {text!r}.") from error


def _imported(place: str) -> Callable[..., Any]:
    import sys
    from importlib import import_module

    module, _, name = place.partition(":")
    sys.path.insert(0, "")  # Code in the current folder can be imported, as with `python -m`.
    try:
        function = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise typer.BadParameter(f"{place} cannot be imported: {error}.") from error
    finally:
        sys.path.remove("")
    if not callable(function):
        raise typer.BadParameter(f"{place} is not a function.")
    return function  # type: ignore[no-any-return]
