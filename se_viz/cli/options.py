"""The options that choose a network, and the loading of that network."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from se_viz.cli.common import Device, stopped
from se_viz.wording import listed

if TYPE_CHECKING:
    from se_viz.model.model import Model
    from se_viz.weights.download import Progress
    from se_viz.weights.head import Head

ModelName = Annotated[str, typer.Option(help="Name of the model; `models` lists them.")]
PrecisionOption = Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="Precision of the computation.")]
LabelledImages = Annotated[
    Path,
    typer.Option(
        help="Folder of class folders, ZIP archive of them, list of path,label (CSV, TSV, TXT, Parquet), or tar files."
    ),
]
SplitOption = Annotated[
    str | None,
    typer.Option(
        help="Split to read if there are several, such as train/ and val/.",
        show_default="val, else test, else train",
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
Three = tuple[float, float, float]


@dataclass(frozen=True)
class CheckpointOptions:
    """The options of a checkpoint, which is used instead of a named model."""

    checkpoint: Annotated[
        Path | None,
        typer.Option(help="File with your weights, safetensors or a torch state dict, used instead of a named model."),
    ] = None
    arch: Annotated[
        str,
        typer.Option(
            help="Architecture of the checkpoint: timm/NAME, torchvision/NAME, or package.module:function, "
            "which is imported."
        ),
    ] = ""
    arg: Annotated[
        list[str] | None,
        typer.Option(
            help="Argument of the architecture, KEY=VALUE with a value in JSON; may be repeated. For an architecture "
            "of timm or torchvision the number of classes is read from the checkpoint. For a function, pass its "
            "argument for the number of classes here, for instance --arg num_classes=3."
        ),
    ] = None
    classes: Annotated[
        Path | None,
        typer.Option(
            help="File with the names of the classes, labels or numbers, one per line or as JSON. For --head binary "
            "two names: no, yes."
        ),
    ] = None
    mean: Annotated[Three | None, typer.Option(help="Mean of the training images by channel, R G B in 0–1.")] = None
    std: Annotated[
        Three | None, typer.Option(help="Standard deviation of the training images by channel, R G B in 0–1.")
    ] = None
    size: Annotated[int | None, typer.Option(help="Side of the network's input in pixels.")] = None
    trusted: Trusted = False

    def load(
        self, model: str, device: str, precision: Literal["fp32", "bf16", "fp16"] = "fp32", *, fast: bool = True
    ) -> "Model":
        """Return the model of the checkpoint; without a checkpoint the named model, with a bar for its download."""
        head = self._head()
        if self.checkpoint is not None:
            return self._load_checkpoint(self.checkpoint, device=device, precision=precision, head=head, fast=fast)
        self.check()
        return load_named(model, device, precision, head=head, fast=fast)

    def check(self) -> None:
        """Raise if there are options of a checkpoint, but no checkpoint."""
        settings = {name: getattr(self, name) for name in ("arch", "arg", "classes", "mean", "std", "size")}
        given = [f"--{name}" for name, value in settings.items() if value not in (None, "", [])]
        if self.checkpoint is None and given:
            raise typer.BadParameter(f"{listed(given)} {'needs' if len(given) == 1 else 'need'} a --checkpoint.")

    def _head(self) -> "Head | None":
        return None

    def _load_checkpoint(self, path: Path, **settings: Any) -> "Model":  # noqa: ANN401 - of load_checkpoint
        from se_viz import load_checkpoint
        from se_viz.weights.class_names import read_classes

        if not self.arch:
            raise typer.BadParameter("A checkpoint needs --arch, for instance timm/seresnet50.")
        loaded = load_checkpoint(
            path,
            _imported(self.arch) if ":" in self.arch else self.arch,
            arguments=dict(_argument(pair) for pair in self.arg or []),
            classes=read_classes(self.classes) if self.classes else (),
            mean=self.mean,
            std=self.std,
            size=self.size,
            trusted=self.trusted,
            **settings,
        )
        # The notes say which tensors of the file were used or left out.
        notes = loaded.about.partition(f" with the weights of {path.name}")[2].removeprefix(". ")
        if notes:
            typer.secho(f"{notes}.", err=True, fg="yellow")
        return loaded


@dataclass(frozen=True)
class NetworkOptions(CheckpointOptions):
    """The options of a checkpoint, and of the meaning of a network's outputs."""

    head: Annotated[
        Literal["classes", "binary", "labels", "number", "features"] | None,
        typer.Option(
            help="Meaning of the network's outputs: classes (softmax), binary (one logit of yes), labels (independent "
            "labels), number, or features (no predictions). By default two or more outputs are classes, and one "
            "output is a number.",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Probability at or above which a binary head says yes, and a label holds.",
            show_default="0.5",
            min=0,
            max=1,
        ),
    ] = None

    def _head(self) -> "Head | None":
        from se_viz import Head

        if self.head is None:
            if self.threshold is not None:
                raise typer.BadParameter("--threshold needs --head binary or --head labels.")
            return None
        return Head(self.head) if self.threshold is None else Head(self.head, self.threshold)


@dataclass(frozen=True)
class ModelOptions:
    """The options of a named model, and of the device and the precision."""

    model: ModelName = "demo/r16"
    device: Device = "auto"
    precision: PrecisionOption = "fp32"


@dataclass(frozen=True)
class ChosenNetwork(NetworkOptions, ModelOptions):
    """The options of the network of a command about images."""

    def load_chosen(self) -> "Model":
        """Return the network on its device."""
        return self.load(self.model, self.device, self.precision)


def load_named(
    model: str,
    device: str,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    *,
    head: "Head | None" = None,
    fast: bool = True,
) -> "Model":
    """Return a model by its name, with a progress bar for its download."""
    from tqdm import tqdm

    from se_viz import load

    with tqdm(desc=model, unit="B", unit_scale=True, disable=None, delay=0.5) as bar:

        def show(progress: "Progress") -> None:
            bar.total = progress.total
            bar.update(progress.done - bar.n)

        try:
            return load(model, device, precision, head=head, fast=fast, report=show)
        except KeyboardInterrupt:
            bar.close()
            raise stopped("The same command downloads the rest.") from None


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
