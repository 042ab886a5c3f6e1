"""Loading a model by name, or an architecture with the weights of a file."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from se_viz.device.devices import Precision, resolve, set_deterministic, to_dtype
from se_viz.device.memory import DeviceFull, raise_if_full
from se_viz.gates.find import survey
from se_viz.gates.gate import Gate
from se_viz.gates.refusals import REJECTIONS
from se_viz.model.fast_copy import make_fast_copy
from se_viz.model.model import Model
from se_viz.types import ShouldCancel
from se_viz.weights.download import OnProgress
from se_viz.weights.errors import WeightsRefused
from se_viz.weights.head import Head, HeadKind, NoPredictions, fit_output
from se_viz.weights.meta_model import LARGEST
from se_viz.weights.state_dict import CheckpointFile
from se_viz.weights.weights_sha256 import Rounding, weights_sha256
from se_viz.zoo import registry
from se_viz.zoo.checkpoint import read_network
from se_viz.zoo.memory_check import check_memory


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
    """Load a model by name, ready for ``capture``; pretrained weights are downloaded once and kept in a cache.

    Args:
        name: for instance "demo/r16", "timm/seresnet50.ra2_in1k" or "torchvision/regnet_y_400mf";
            ``se_viz.zoo.registry.names()`` lists all names.
        device: "auto" (the machine's accelerator, otherwise the CPU), "cpu", "gpu" (an accelerator of any kind), or the
            name of a device: "cuda", "cuda:1", "xpu", "mps".
        precision: the precision in which the network computes; captures are always float32. On a CPU bf16 is faster if
            the processor has instructions for it, and fp16 is much slower almost everywhere.
        head: the meaning of the outputs, if it is not the one that the library or the card states: "classes", "binary",
            "labels", "number", "features", or a ``Head`` with a threshold.
        fast: on a CPU, run a copy of the network in which BatchNorm is folded into the convolutions and maps are in
            channels_last order, if it gives the same values to 1e-5, see ``make_fast_copy``. The copy takes the
            memory of the weights a second time; ``Model.network`` remains the network as published. False runs the
            network as published.
        report: called with a ``Progress`` after every piece of a download.
        cancelled: called before every piece; True ends the download.

    Raises:
        UnknownModel: no model has this name; the message suggests similar names.
        WeightsRefused: the weights are not the ones that the card names, or do not fit; or the head does not fit.
        DownloadFailed: the weights cannot be downloaded; the message says why and what to do.
        Cancelled: ``cancelled`` returned True.
        DeviceMissing: the machine has no such device.
        DeviceFull: the device, or the memory in which the network is built, has not enough space for it; if this can be
            predicted, nothing is downloaded.
    """
    place, dtype = resolve(device), to_dtype(precision)
    check_memory(name, place, dtype)
    model = _to_device(name, registry.build(name, report, cancelled), place, dtype, fast)
    if head is None:
        return model
    model.head = Head.of(head)
    return _tried_out(model, dtype)


def _to_device(name: str, network: registry.Network, place: torch.device, dtype: torch.dtype, fast: bool) -> Model:
    """Return the model of a network that is on the CPU in float32, moved to a device and a type."""
    set_deterministic(place)
    module, twin = network.module, None
    gates: tuple[Gate, ...] | None = None
    notes: tuple[str, ...] = ()
    if fast and place.type == "cpu":
        # In float32 also for other types, so that folded weights are rounded only once.
        finding = survey(module, network.preprocess.crop)
        gates, notes = finding.gates, finding.notes
        twin = make_fast_copy(module, gates, network.preprocess.crop)
    # Before the copy is converted, as it shares tensors with the network.
    published = None if dtype == torch.float32 else weights_sha256(module)
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
            rounding=Rounding(published, weights_sha256(module)) if published else None,
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
    """Load your network, ready for ``capture``: an architecture and a file with its weights.

    No code in the file is run: it must be safetensors, or a state dict of ``torch.save`` that contains only tensors. A
    child process with limits on memory and time reads it.

    Args:
        source: the path of the file, its content, or an open file.
        architecture: an architecture of timm or torchvision, for instance "timm/seresnet50", or a function that returns
            the network; ``se_viz.zoo.registry.architectures()`` lists the architectures of both libraries.
        arguments: keyword arguments of the architecture; the number of classes is read from the file.
        classes: names of the logits; ``weights.class_names.read_classes`` reads them from a file. A binary head takes
            two names (for no and for yes) or one (for yes); the name of a number may end with its unit.
        head: the meaning of the outputs: "classes" (softmax), "binary" (one logit for yes), "labels" (each is true or
            false), "number", "features" (nothing is predicted), or a ``Head`` with a threshold. By default, two or more
            outputs are taken as classes, and a single output is shown as a number.
        mean, std: mean and standard deviation of each RGB channel, for values in 0–1; default: those of the
            architecture's default weights.
        size: side of the network's input in pixels, 16 to 1024; default: that of the architecture's default weights.
        device, precision, fast: as for ``load``.
        name: name of the model, and of the file in messages; default: the name of the file.
        largest: maximum number of parameters of a named architecture; the file may have 4 bytes for each.
        trusted: read the file in this process, without limits and without the one or two seconds that a child process
            takes to start. Use it only for files from a source you trust; no code in the file is run in either case.
        cancelled: called while the file is read; True ends the reading.

    Raises:
        UnknownModel: there is no such architecture.
        WeightsRefused: the file or the architecture is too large; the file is broken, has another format than its name
            says, or asks for code to be run; it does not fit the architecture (the message lists the entries that are
            missing, unexpected or of another shape); or the class names or the head are for another number of logits.
        Cancelled: ``cancelled`` returned True.
        ValueError: a number is out of range.
        DeviceMissing: the machine has no such device.
        DeviceFull: the device has not enough memory for the network.
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
    with suppress(NoPredictions):  # the page and the commands say that there are no predictions
        fit_output(model.head, output, 1, model.classes, type(model.network).__name__)
