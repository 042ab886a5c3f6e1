"""A model to look into: a network with its gates, its preprocessing and the names of its classes."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from se_viz import former_names
from se_viz.data.given import Image, InputRefused, one_by_one
from se_viz.data.preprocess import Preprocess
from se_viz.device.devices import Precision, precision_of
from se_viz.gates.find import survey
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.trace import placement
from se_viz.weights.head import Head, HeadKind

Images: TypeAlias = Image | Iterable[Image]


@former_names.with_former_fields
class Model:
    """A network whose gates are found and whose hooks are attached, in eval mode, until ``close``.

    Attributes:
        name: what ``load`` was given, for instance "demo/r16".
        network: the ``torch.nn.Module`` as it was published. Where ``load`` made a faster one that reads the same, it
            is that one which runs, ``instrument.network``, and a change to this one does not show in readings.
        preprocess: image → input, as the network was measured.
        classes: names of the logits; empty where they are not known.
        about: one line on where the network comes from and how good it is.
        head: what the outputs mean; None where nobody has said, and ``weights.head.fit`` says what is assumed.
        notes: a sentence for each kind of gate that is there and cannot be read, see ``find.survey``.

    Its gates may be given if they are known, and a ``make_fast_copy`` that is to be read in place of the network.
    """

    def __init__(
        self,
        name: str,
        network: nn.Module,
        preprocess: Preprocess,
        classes: tuple[str, ...] = (),
        about: str = "",
        *,
        gates: tuple[Gate, ...] | None = None,
        notes: tuple[str, ...] = (),
        twin: nn.Module | None = None,
        head: Head | HeadKind | None = None,
    ) -> None:
        self.name = name
        self.network = network
        self.preprocess = preprocess
        self.classes = classes
        self.about = about
        self.head = Head.of(head)
        if gates is None:
            finding = survey(network, preprocess.crop)
            gates, notes = finding.gates, finding.notes
        self.notes = notes
        self.instrument = Instrument(network if twin is None else twin, gates)
        self._held = ExitStack()
        self._held.enter_context(self.instrument.attached())

    @property
    def gates(self) -> tuple[Gate, ...]:
        """The gates in execution order."""
        return self.instrument.gates

    def gate(self, name: str) -> Gate:
        """One gate by its name, for instance "SE_4_2".

        Raises:
            KeyError: no gate has this name; the message lists those there are.
        """
        for gate in self.gates:
            if gate.name == name:
                return gate
        raise KeyError(f"No gate {name!r}; there are {', '.join(gate.name for gate in self.gates)}")

    @property
    def device(self) -> torch.device:
        """Where the network's weights are."""
        return placement(self.network)[0]

    @property
    def key(self) -> str:
        """What sets its readings apart from those of another: name, device and precision."""
        return f"{self.name} {self.device} {self.precision}"

    @property
    def precision(self) -> Precision:
        """What the network computes in."""
        return precision_of(placement(self.network)[1])

    @contextmanager
    def reference(self) -> Iterator["Model"]:
        """Inside the block, a model that reads the network as it was published: for numbers that are kept.

        Of a model that runs no other it is the model itself.
        """
        if self.instrument.network is self.network:
            yield self
            return
        plain = Model(
            self.name,
            self.network,
            self.preprocess,
            self.classes,
            self.about,
            gates=self.gates,
            notes=self.notes,
            head=self.head,
        )
        try:
            yield plain
        finally:
            plain.close()

    def inputs(self, images: Images) -> Tensor:
        """Return images as float32 (N, 3, H, W), preprocessed; a tensor of floats is taken to be so, and returned.

        Args:
            images: one image or several: what ``read_paths`` and ``sample`` give; PIL images of any mode, taken as a
                file of them would be (RGB over white, upright); NumPy arrays of one image, (H, W) or (H, W, channels),
                or of N of them, uint8, uint16 or floats in 0–1; uint8 tensors (channels, H, W) or (N, channels, H, W).
                One channel is grey, 3 are RGB, 4 RGBA. Or a tensor of floats (N, 3, H, W) that is preprocessed already.

        Raises:
            InputRefused: something else, or an array whose layout or range may be read in several ways.
        """
        if isinstance(images, Tensor) and images.is_floating_point():
            if images.ndim == 4 and images.shape[1] != 3 and images.shape[-1] == 3:
                raise InputRefused(
                    f"A tensor of shape {tuple(images.shape)} has its channels last: give (N, 3, H, W), "
                    "images.permute(0, 3, 1, 2)."
                )
            return images
        return self.preprocess(one_by_one(images))

    def with_head(self, head: Head | HeadKind | None) -> "Model":
        """Return the same model with outputs of another meaning; hooks are shared, so ``close`` of one closes both."""
        other = copy.copy(self)
        other.head = Head.of(head)
        return other

    def close(self) -> None:
        """Take the hooks off the network and give it back its mode."""
        self._held.close()
