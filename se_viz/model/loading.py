"""Loading a model by name, or an architecture with the weights of a file."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from se_viz.device.devices import Precision, reproducible, resolve, to_dtype
from se_viz.device.memory import DeviceFull, raise_if_full
from se_viz.gates.find import survey
from se_viz.gates.gate import Gate
from se_viz.gates.trace import REJECTIONS
from se_viz.model.fast_copy import make_fast_copy
from se_viz.model.model import Model
from se_viz.weights.download import Report, ShouldCancel
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.head import Head, HeadKind, NoPredictions, fit_output
from se_viz.weights.meta_model import LARGEST
from se_viz.weights.state_dict import CheckpointFile
from se_viz.zoo import registry as catalogue
from se_viz.zoo.checkpoint import read_network
from se_viz.zoo.device_room import check_memory


def load(
    name: str,
    device: str = "auto",
    precision: Precision = "fp32",
    *,
    head: Head | HeadKind | None = None,
    fast: bool = True,
    report: Report | None = None,
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
