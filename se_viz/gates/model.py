"""A model to look into: a network with its gates, its preprocessing and the names of its classes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import torch
from PIL import Image
from torch import Tensor, nn

from se_viz.data.images import Picture
from se_viz.data.preprocess import Preprocess
from se_viz.gates.find import find_gates
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.trace import placement
from se_viz.zoo import catalogue
from se_viz.zoo.checkpoint import read_network
from se_viz.zoo.device import Precision, number_type, resolve
from se_viz.zoo.download import Asked, Report
from se_viz.zoo.errors import WeightsRefused
from se_viz.zoo.sketch import LARGEST
from se_viz.zoo.state import Source

Images: TypeAlias = Tensor | Image.Image | Picture | Iterable[Image.Image | Picture]


class Model:
    """A network whose gates are found and whose hooks are attached, in eval mode, until ``close``.

    Attributes:
        name: what ``load`` was given, for instance "demo/r16".
        network: the ``torch.nn.Module``.
        preprocess: image → input, as the network was measured.
        classes: names of the logits; empty where they are not known.
        about: one line on where the network comes from and how good it is.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        preprocess: Preprocess,
        classes: tuple[str, ...] = (),
        about: str = "",
    ) -> None:
        self.name = name
        self.network = network
        self.preprocess = preprocess
        self.classes = classes
        self.about = about
        self.instrument = Instrument(network, find_gates(network, preprocess.crop))
        self._held = ExitStack()
        self._held.enter_context(self.instrument.attached())

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates in execution order."""
        return self.instrument.gates

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return placement(self.network)[0]

    def inputs(self, images: Images) -> Tensor:
        """Pictures or RGB images → float32 (N, 3, H, W); a tensor is taken to be preprocessed."""
        if isinstance(images, Tensor):
            return images
        listed = [images] if isinstance(images, Image.Image | Picture) else list(images)
        return self.preprocess(image.image if isinstance(image, Picture) else image for image in listed)

    def close(self) -> None:
        """Take the hooks off the network and give it back its mode."""
        self._held.close()


def load(
    name: str,
    device: str = "auto",
    precision: Precision = "fp32",
    *,
    report: Report | None = None,
    cancelled: Asked | None = None,
) -> Model:
    """Load a model by name, ready for ``capture``; pretrained weights are fetched once and kept.

    Args:
        name: "demo/r16", "timm/seresnet50.ra2_in1k", "torchvision/regnet_y_400mf"; ``se_viz.zoo.catalogue.names()``
            lists all.
        device: "auto" (CUDA, else Apple's MPS, else CPU), "cpu", "cuda", "cuda:1", "mps".
        precision: what the network computes in; readings are float32 whichever it is.
        report: called with a ``Progress`` after every piece of a download.
        cancelled: asked before every piece; True ends the download.

    Raises:
        UnknownModel: no model of that name; the message names those that come close.
        WeightsRefused: the weights are not the ones the card names, or do not fit.
        DownloadFailed: the weights cannot be fetched; the message says why and what to do.
        Cancelled: ``cancelled`` returned True.
        DeviceMissing: the machine has no such device.
    """
    place, dtype = resolve(device), number_type(precision)
    network = catalogue.build(name, report, cancelled)
    return Model(name, network.module.to(place, dtype), network.preprocess, network.classes, network.about)


def load_checkpoint(
    source: str | Source,
    architecture: str | Callable[..., nn.Module],
    *,
    arguments: Mapping[str, object] | None = None,
    classes: Sequence[str] = (),
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    size: int | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    name: str = "",
    largest: int = LARGEST,
) -> Model:
    """Load a network of your own, ready for ``capture``: an architecture and a file with its weights.

    Nothing in the file is run: it is safetensors, or a state dict of ``torch.save`` with nothing but tensors in it.

    Args:
        source: the file, its content, or a file that is open.
        architecture: of timm or torchvision, for instance "timm/seresnet50", or a function that returns the network;
            ``se_viz.zoo.catalogue.architectures()`` lists those of the libraries.
        arguments: keyword arguments of the architecture; the number of classes is read from the file.
        classes: names of the logits, see ``zoo.classes.read_classes`` for a file of them.
        mean, std: per RGB channel, of values in 0–1; those of the architecture's default weights if not given.
        size: side of the network's input, pixels, 16 to 1024; likewise.
        device, precision: as for ``load``.
        name: of the model, and of the file in messages; the file's own if not given.
        largest: parameters that a named architecture may have; the file may have 4 bytes for each.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file or the architecture is too large; the file is broken, not what its name says, or asks
            for code to be run; or it does not fit the architecture, and the message lists what is missing, unexpected
            or of another shape; or there are not as many names of classes as logits.
        ValueError: a number is out of its range.
        DeviceMissing: the machine has no such device.
        InstrumentError: the network has no gate that can be read, see ``find_gates``.
    """
    place, dtype = resolve(device), number_type(precision)
    file = Path(source) if isinstance(source, str) else source
    network = read_network(
        file,
        architecture,
        arguments=arguments,
        classes=classes,
        mean=mean,
        std=std,
        size=size,
        name=name,
        largest=largest,
    )
    named = name or (file.name if isinstance(file, Path) else "checkpoint")
    model = Model(named, network.module.to(place, dtype), network.preprocess, network.classes, network.about)
    if model.classes:
        with torch.inference_mode():
            logits = model.network(torch.zeros((1, 3, *model.preprocess.crop), dtype=dtype, device=place))
        # What gives no logits is told so at its first capture.
        if isinstance(logits, Tensor) and logits.ndim == 2 and logits.shape[1] != len(model.classes):
            raise WeightsRefused(f"There are {len(model.classes)} names of classes and {logits.shape[1]} logits.")
    return model
