"""Grad-CAM of U and X̃ of a gate: the places in an image on which a logit depends.

Grad-CAM (Selvaraju et al. 2017) of maps A (C, H, W) is Σ_c mean_hw(∂f/∂A_c) · A_c, an (H, W) map. The maps of
U and of X̃ = s · U beside each other show what the gate changes. The derivative with respect to U also goes through s.
"""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from se_viz.device.memory import is_out_of_memory, raise_if_full
from se_viz.gates.capture_buffer import CaptureBuffer
from se_viz.gates.channel_products import is_multiplication
from se_viz.gates.edited_product import made_by, maps_of, wide
from se_viz.gates.errors import InstrumentError, NotFiniteValues, NotReadable
from se_viz.gates.forward_pass import refusals_told
from se_viz.gates.gate import ProductTap
from se_viz.gates.instrument import Instrument
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.trace import first_tensor, placement
from se_viz.interventions.cam_maps import MapsOfPass
from se_viz.interventions.gradients import asking_for_gradients, without_checkpointing
from se_viz.interventions.logit_targets import Target, targets_among
from se_viz.interventions.suffix import instrument_and_inputs, private_network
from se_viz.model.model import Images, Model
from se_viz.types import Args, Classes, Float32s, Function, Int64s, Kwargs
from se_viz.weights.tensor_kinds import table_of

_INSTEAD = 'Attribution with the method "exact" needs no gradients.'
_BATCH = 8  # images whose whole pass is kept for its gradients


@dataclass(frozen=True, slots=True, eq=False)
class ClassActivation:
    """Class-activation maps of U and X̃ of one gate, for one logit of N images.

    Attributes:
        gate: name of the gate.
        targets: the logit of each image (N,).
        u: map of U (N, H, W), signed: positive places support the class, as far as the gradient shows.
        x: map of X̃ (N, H, W).
    """

    gate: str
    targets: Int64s
    u: Float32s
    x: Float32s

    @property
    def not_finite(self) -> str:
        """A sentence on maps that have NaN or infinite values; empty if all are finite."""
        lost = {name: ~np.isfinite(maps).all((1, 2)) for name, maps in (("U", self.u), ("X̃", self.x))}
        named = [f"{name} of {int(images.sum())}" for name, images in lost.items() if images.any()]
        if not named:
            return ""
        return (
            f"The class-activation maps of {self.gate} have NaN or infinite values ({' and '.join(named)} of "
            f"{len(self.u)} images): the maps, the logit or its gradient overflow in the network. "
            "`capture(…).not_finite` says where values stop being finite."
        )


def cam(
    network: Model | nn.Module, images: Images, gate: str, target: Target = None, *, batch: int = _BATCH
) -> ClassActivation:
    """Return class-activation maps of a gate's U and X̃: ``cam(model, images, "SE_5_2", "tench")``.

    They equal those of captum's ``LayerGradCam`` for the gate's module (X̃) and for its input (U), without ReLU. They
    exist for gates that are not modules, too. Where maps are NaN or infinite, a ``NotFiniteValues`` warning says so
    (``ClassActivation.not_finite``).

    Args:
        network, images, gate: as for ``suffix``.
        target: class by name or number, for all images or one for each (default: the predicted class).
        batch: number of images whose pass is kept at once.

    Raises:
        KeyError: there is no such gate, or no such class.
        InputRefused: the images cannot be read as images.
        InstrumentError: the network cannot be read or copied, returns no logits, or lets no gradient through.
        DeviceFull: the device has no room for a batch.
    """
    instrument, inputs = instrument_and_inputs(network, images)
    found = instrument.gate(gate)
    if batch < 1:
        raise ValueError(f"batch must be a whole number of images, 1 or more, not {batch!r}.")
    device, dtype = placement(instrument.network)
    with instrument.attached():
        private = private_network(instrument.network)
    targets: Tensor | None = None
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    with torch.inference_mode(False), torch.enable_grad(), raise_if_full(device, f"{batch} images with gradients"):
        for start in range(0, len(inputs), batch):
            taken = MapsOfPass(found)
            # In place, a network could not write over a leaf that asks for gradients.
            leaf = inputs[start : start + batch].to(device, dtype, copy=True).requires_grad_()
            with _watching(private, taken), without_checkpointing():
                output = _run(private, leaf, gate)
            logits = _logits(output, len(leaf), type(instrument.network).__name__)
            if taken.u is None or taken.x is None:
                raise NotReadable(
                    f"{gate} did not run for these images: the network goes another way for them, or where gradients "
                    "are computed."
                )
            if target is not None and targets is None:
                targets = targets_among(logits.new_empty(len(inputs), logits.shape[1]), network, target)
            chosen = (
                targets_among(logits, network, None) if targets is None else targets[start : start + batch].to(device)
            )
            with asking_for_gradients(gate, _INSTEAD):
                logits.gather(1, chosen[:, None]).sum().backward()
            parts.append((chosen, taken.u.activation(found), taken.x.activation(found)))
    targeted, u, x = (torch.cat(values).cpu().numpy() for values in zip(*parts, strict=True))
    made = ClassActivation(gate, targeted, u, x)
    if said := made.not_finite:
        warnings.warn(said, NotFiniteValues, stacklevel=2)
    return made


def _run(network: nn.Module, images: Tensor, gate: str) -> object:
    """Return the output of a private network, with gradients.

    Raises:
        NotAnImageModel: the network rejects the images, with or without gradients.
        NotReadable: it runs without gradients only.
    """
    try:
        return network(images.clone())
    except InstrumentError:
        raise
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
        with torch.no_grad(), refusals_told(network, images):
            network(images.detach().clone())
        with asking_for_gradients(gate, _INSTEAD):
            raise


def _logits(output: object, images: int, network: str) -> Tensor:
    table = table_of(output)
    if table is None or table.is_complex() or table.ndim != 2 or len(table) != images:
        raise NotReadable(
            f"{network} returns no logits (N, K), so there is no logit to explain. Wrap it in a module that returns "
            "the numbers of interest."
        )
    if not table.requires_grad:
        raise NotReadable(f"{network} computes its logits without gradients, so no map can be made of them.")
    return table


@contextmanager
def _watching(network: nn.Module, maps: MapsOfPass) -> Iterator[None]:
    """Record U and X̃ in the pass of a private network inside the block."""
    gate = maps.gate
    if gate.product is not None:
        # The inner mode comes second, when s has been read of the same call.
        mode = _Product(maps, gate.product)
        instrument = Instrument(network, (gate,))
        with mode, instrument.capturing(frozenset((gate.name,))) as mode.sink:
            yield
        return
    runs = 0

    def enter(_module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if runs == gate.run:
            maps.take(first_tensor(args, kwargs))

    def leave(_module: nn.Module, _args: object, output: object) -> None:
        nonlocal runs
        if runs == gate.run:
            maps.give(output)
        runs += 1

    unit = network.get_submodule(gate.path)
    with ExitStack() as stack:
        stack.callback(unit.register_forward_pre_hook(enter, with_kwargs=True).remove)
        stack.callback(unit.register_forward_hook(leave).remove)
        yield


class _Product(TorchFunctionMode):
    """A mode that records the maps that the call multiplying U by s takes and returns."""

    sink: CaptureBuffer

    def __init__(self, maps: MapsOfPass, product: ProductTap) -> None:
        super().__init__()
        self._maps, self._product = maps, product

    def __torch_function__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run a function, and record U and X̃ if it is the call of the gate."""
        kwargs, maps = kwargs or {}, self._maps
        s = self.sink.kept.get((maps.gate.name, "s")) if func is self._product.call.function else None
        if s is None or maps.u is not None:
            return func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            u = maps_of(self._product, args, kwargs)
            maps.take(u)
        result = func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            x = made_by(self._product, args, result)
            maps.give(x)
            if x is not None and any(x is given for given in tree_leaves((args, kwargs))):
                maps.in_place(of_u=x is u)
            if maps.x is not None and maps.u is not None and not is_multiplication(func):
                # With an addition in the same call X̃ never exists by itself; the gradient by the sum is that by X̃.
                maps.x.value = maps.u.value * wide(s.detach(), maps.gate.layout)
        return result
