"""A model to look into: a network with its gates, its preprocessing and the names of its classes."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from se_viz.data.given import Image, InputRefused, one_by_one
from se_viz.data.preprocess import Preprocess
from se_viz.device.devices import Precision, precision_of, reproducible, resolve, to_dtype
from se_viz.device.memory import DeviceFull, raise_if_full
from se_viz.gates.find import survey
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.trace import REJECTIONS, placement
from se_viz.model.fast_copy import make_fast_copy
from se_viz.weights.download import OnProgress, ShouldCancel
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.head import Head, HeadKind, NoPredictions, fit_output
from se_viz.weights.meta_model import LARGEST
from se_viz.weights.state_dict import CheckpointFile
from se_viz.zoo import registry as catalogue
from se_viz.zoo.checkpoint import read_network
from se_viz.zoo.device_room import check_memory

Images: TypeAlias = Image | Iterable[Image]


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
    def as_published(self) -> Iterator["Model"]:
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


def load(
    name: str,
    device: str = "auto",
    precision: Precision = "fp32",
    *,
    head: Head | HeadKind | None = None,
    fast: bool = True,
    report: OnProgress | None = None,
    cancelled: ShouldCancel | None = None,
) -> Model:
    """Load a model by name, ready for ``capture``; pretrained weights are fetched once and kept.

    Args:
        name: "demo/r16", "timm/seresnet50.ra2_in1k", "torchvision/regnet_y_400mf"; ``se_viz.zoo.registry.names()``
            lists all.
        device: "auto" (the machine's accelerator, else the CPU), "cpu", "gpu" (an accelerator of any kind), or one by
            its name: "cuda", "cuda:1", "xpu", "mps".
        precision: what the network computes in; readings are float32 whichever it is. On a CPU bf16 is faster where the
            processor multiplies it, and fp16 much slower almost everywhere.
        head: what the outputs mean, where it is not what the library or the card says: "classes", "binary", "labels",
            "number", "features", or a ``Head`` with a threshold.
        fast: on a CPU, run a copy of the network in which BatchNorm is folded into the convolutions and maps lie in
            channels_last order, if that reads the same to 1e-5, see ``make_fast_copy``. It takes the memory of the
            weights once more; ``Model.network`` remains the network as it was published. False runs that one.
        report: called with a ``Progress`` after every piece of a download.
        cancelled: asked before every piece; True ends the download.

    Raises:
        UnknownModel: no model of that name; the message names those that come close.
        WeightsRefused: the weights are not the ones the card names, or do not fit; or the head does not fit.
        DownloadFailed: the weights cannot be fetched; the message says why and what to do.
        Cancelled: ``cancelled`` returned True.
        DeviceMissing: the machine has no such device.
        DeviceFull: the device has no room for the network, or the memory in which it is built; where that can be
            foreseen, nothing is fetched.
    """
    place, dtype = resolve(device), to_dtype(precision)
    check_memory(name, place, dtype)
    model = _to_device(name, catalogue.build(name, report, cancelled), place, dtype, fast)
    if head is None:
        return model
    model.head = Head.of(head)
    return _tried_out(model, dtype)


def _to_device(name: str, network: catalogue.Network, place: torch.device, dtype: torch.dtype, fast: bool) -> Model:
    """The model of a network that lies on the CPU in float32."""
    reproducible(place)
    module, twin = network.module, None
    gates: tuple[Gate, ...] | None = None
    notes: tuple[str, ...] = ()
    if fast and place.type == "cpu":
        # In float32 also for other types, so that what is folded is rounded once.
        finding = survey(module, network.preprocess.crop)
        gates, notes = finding.gates, finding.notes
        twin = make_fast_copy(module, gates, network.preprocess.crop)
    with raise_if_full(place, name):
        if twin is not None:
            twin.to(place, dtype)
        module = module.to(place, dtype)
        return Model(
            name,
            module,
            network.preprocess,
            network.classes,
            network.about,
            gates=gates,
            notes=notes,
            twin=twin,
            head=network.head,
        )


def load_checkpoint(
    source: str | CheckpointFile,
    architecture: str | Callable[..., nn.Module],
    *,
    arguments: Mapping[str, object] | None = None,
    classes: Sequence[str] = (),
    head: Head | HeadKind | None = None,
    mean: tuple[float, float, float] | None = None,
    std: tuple[float, float, float] | None = None,
    size: int | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    fast: bool = True,
    name: str = "",
    largest: int = LARGEST,
    trusted: bool = False,
    cancelled: ShouldCancel | None = None,
) -> Model:
    """Load a network of your own, ready for ``capture``: an architecture and a file with its weights.

    Nothing in the file is run: it is safetensors, or a state dict of ``torch.save`` with nothing but tensors in it. A
    child process reads it, of whose memory and time there is an end.

    Args:
        source: the file, its content, or a file that is open.
        architecture: of timm or torchvision, for instance "timm/seresnet50", or a function that returns the network;
            ``se_viz.zoo.registry.architectures()`` lists those of the libraries.
        arguments: keyword arguments of the architecture; the number of classes is read from the file.
        classes: names of the logits, see ``weights.class_names.read_classes`` for a file of them. A binary head takes
            two (of no and of yes) or one (of yes); the name of a number may end with its unit.
        head: what the outputs mean: "classes" (softmax), "binary" (one logit of yes), "labels" (each holds or not),
            "number", "features" (nothing is predicted), or a ``Head`` with a threshold. If not given, two outputs and
            more are assumed to be classes, and one is shown as the number it is.
        mean, std: per RGB channel, of values in 0–1; those of the architecture's default weights if not given.
        size: side of the network's input, pixels, 16 to 1024; likewise.
        device, precision, fast: as for ``load``.
        name: of the model, and of the file in messages; the file's own if not given.
        largest: parameters that a named architecture may have; the file may have 4 bytes for each.
        trusted: read the file in this process, for a file of your own: without the second or two that a child process
            takes to start, and without limits. Nothing in it is run for that.
        cancelled: asked while the file is read; True ends that.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file or the architecture is too large; the file is broken, not what its name says, or asks
            for code to be run; or it does not fit the architecture, and the message lists what is missing, unexpected
            or of another shape; or the names of classes or the head are for another number of logits.
        Cancelled: ``cancelled`` returned True.
        ValueError: a number is out of its range.
        DeviceMissing: the machine has no such device.
        DeviceFull: the device has no room for the network.
        InstrumentError: the network has no gate that can be read, see ``find_gates``.
    """
    place, dtype = resolve(device), to_dtype(precision)
    file = Path(source) if isinstance(source, str) else source
    network = read_network(
        file,
        architecture,
        arguments=arguments,
        classes=classes,
        head=Head.of(head),
        mean=mean,
        std=std,
        size=size,
        name=name,
        largest=largest,
        trusted=trusted,
        cancelled=cancelled,
    )
    named = name or (file.name if isinstance(file, Path) else "checkpoint")
    return _tried_out(_to_device(named, network, place, dtype, fast), dtype)


def _tried_out(model: Model, dtype: torch.dtype) -> Model:
    """Return the model; close it and raise WeightsRefused if it does not take images, or its head does not fit."""
    try:
        _check_forward(model, dtype)
    except (WeightsRefused, DeviceFull):
        model.close()
        raise
    return model


def _check_forward(model: Model, dtype: torch.dtype) -> None:
    height, width = model.preprocess.crop
    try:
        with torch.no_grad(), raise_if_full(model.device, "one image"):
            output = model.network(torch.zeros((1, 3, height, width), dtype=dtype, device=model.device))
    except DeviceFull:
        raise
    except REJECTIONS as error:
        raise WeightsRefused(
            f"{model.name} does not take images of 3 channels and {height} × {width} pixels: {error}"
        ) from error
    with suppress(NoPredictions):  # What is predicted by none is said where predictions would stand.
        fit_output(model.head, output, 1, model.classes, type(model.network).__name__)
