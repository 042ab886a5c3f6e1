"""A model: a network with its gates, its preprocessing and the names of its classes."""

import copy
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeAlias

import torch
from torch import Tensor, nn

from se_viz import former_names
from se_viz.data.preprocess import Preprocess
from se_viz.data.python_images import Image, InputRefused, one_by_one
from se_viz.device.devices import Precision, precision_of
from se_viz.gates.find import survey
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.refusals import require_images
from se_viz.gates.trace import placement
from se_viz.weights.head import Head, HeadKind
from se_viz.weights.tensor_kinds import kind_of
from se_viz.weights.weights_sha256 import Rounding, weights_sha256

Images: TypeAlias = Image | Iterable[Image]


@former_names.with_former_fields
class Model:
    """A network with its gates found and its hooks attached, in eval mode until ``close``.

    Args:
        gates, notes: its gates and notes, if they are known; by default, the gates are found.
        twin: a copy from ``make_fast_copy`` that is read in place of the network.
        rounding: the conversion of the network to half precision, if there was one.

    Attributes:
        name: the name given to ``load``, for instance "demo/r16".
        network: the ``torch.nn.Module`` as published. If ``load`` made a faster copy with the same values, that copy
            runs (``instrument.network``), and changes to this network do not show in captures.
        preprocess: the preprocessing of images, as in the evaluation of the network.
        classes: names of the logits; empty if they are not known.
        about: one line on the origin of the network and its accuracy.
        head: the meaning of the outputs; None if it was not stated, in which case ``weights.head.fit`` assumes one.
        notes: one sentence for each kind of gate that was seen but cannot be read, see ``find.survey``.
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
        rounding: Rounding | None = None,
    ) -> None:
        self.name = name
        self.network = network
        self.preprocess = preprocess
        self.classes = classes
        self.about = about
        self.head = Head.of(head)
        self._rounding = rounding
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
        """Return a gate by its name, for instance "SE_4_2".

        Raises:
            KeyError: no gate has this name; the message lists the names.
        """
        return self.instrument.gate(name)

    @property
    def device(self) -> torch.device:
        """The device of the network's weights."""
        return placement(self.network)[0]

    @property
    def key(self) -> str:
        """A key of name, device and precision that distinguishes its captures from those of other models."""
        return f"{self.name} {self.device} {self.precision}"

    @property
    def precision(self) -> Precision:
        """The precision in which the network computes."""
        return precision_of(placement(self.network)[1])

    def weights_sha256s(self) -> frozenset[str]:
        """Return the sha256 of the weights, and that of those which ``load`` rounded to half precision."""
        here = weights_sha256(self.network)
        if self._rounding is None or self._rounding.after != here:  # loaded as published, or changed since
            return frozenset((here,))
        return frozenset((here, self._rounding.before))

    @contextmanager
    def reference(self) -> Iterator["Model"]:
        """Give a model that reads the network as published, for numbers that are stored.

        This is the model itself if it does not run a faster copy.
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
            rounding=self._rounding,
        )
        try:
            yield plain
        finally:
            plain.close()

    def inputs(self, images: Images) -> Tensor:
        """Return images as preprocessed float32 (N, 3, H, W).

        A tensor of floats counts as preprocessed and is returned as it is.

        Args:
            images: one image or several: results of ``read_paths`` and ``sample``; PIL images of any mode, treated like
                files (RGB over white, upright); NumPy arrays of one image, (H, W) or (H, W, channels), or of N images,
                uint8, uint16 or floats in 0–1; uint8 tensors (channels, H, W) or (N, channels, H, W). One channel is
                grey, 2 are grey and alpha, 3 RGB, 4 RGBA. Alternatively a tensor of floats (N, 3, H, W) that is already
                preprocessed.

        Raises:
            InputRefused: ``images`` are something else, or an array whose layout or range is ambiguous.
        """
        if isinstance(images, Tensor) and images.is_floating_point() and not kind_of(images):
            if images.ndim == 4 and images.shape[1] != 3 and images.shape[-1] == 3:
                raise InputRefused(
                    f"A tensor of shape {tuple(images.shape)} has its channels last: give (N, 3, H, W), "
                    "images.permute(0, 3, 1, 2)."
                )
            return images
        if isinstance(images, Tensor) and kind_of(images):
            return require_images(images)  # which says what to give
        return self.preprocess(one_by_one(images))

    def with_head(self, head: Head | HeadKind | None) -> "Model":
        """Return the same model with another head; both share the hooks, so closing one closes both."""
        other = copy.copy(self)
        other.head = Head.of(head)
        return other

    def close(self) -> None:
        """Remove the hooks from the network and restore its mode."""
        self._held.close()
