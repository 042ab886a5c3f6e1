"""A model to look into: a network with its gates, its preprocessing and the names of its classes."""

from collections.abc import Iterable
from contextlib import ExitStack
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
from se_viz.zoo.device import resolve

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


def load(name: str, device: str = "auto") -> Model:
    """Load a model by name, ready for ``capture``.

    Args:
        name: "demo/r16"; ``se_viz.zoo.catalogue.names()`` lists all.
        device: "auto" (CUDA, else Apple's MPS, else CPU), "cpu", "cuda", "cuda:1", "mps".

    Raises:
        UnknownModel: no model of that name; the message lists what there is.
        WeightsRefused: the weights are not the ones the card names.
        DeviceMissing: the machine has no such device.
    """
    place = resolve(device)
    network = catalogue.build(name)
    return Model(name, network.module.to(place), network.preprocess, network.classes, network.about)
