"""Folding of BatchNorm into the convolution before it, in a copy of a network; the network itself is not changed.

In eval mode BatchNorm multiplies each channel by γ/√(σ²+ε) and adds a constant, so the convolution before it can do
both. This is valid only if the BatchNorm takes the whole output of the convolution and nothing else uses this output.
Names and order of modules do not show that. One forward pass does: it counts every operation on the output of a
convolution.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakTensorKeyDictionary

from se_viz.gates.clone import clone_sharing_weights
from se_viz.gates.trace import watched
from se_viz.types import Args, Classes, Function, Kwargs

# Subclasses may convolve differently (for instance with standardised weights), so the exact classes are listed.
_CONVOLUTIONS = ("torch.nn.modules.conv.Conv2d", "timm.layers.conv2d_same.Conv2dSame")
_NORMS = ("torch.nn.modules.batchnorm.BatchNorm2d", "timm.layers.norm_act.BatchNormAct2d")
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True, slots=True)
class Pair:
    """Paths of a convolution and of the BatchNorm that may be folded into it."""

    convolution: str
    norm: str


@dataclass(slots=True)
class _Output:
    """The use of a convolution's output: how many operations took it, and the BatchNorm that took it first."""

    convolution: nn.Conv2d
    uses: int = 0
    norm: nn.BatchNorm2d | None = None


@dataclass(slots=True)
class BatchNormTrace:
    """The uses of convolution outputs in a forward pass; complete at its end."""

    _network: nn.Module
    _outputs: list[_Output] = field(default_factory=list)
    _norms: list[nn.Module] = field(default_factory=list)

    def pairs(self) -> tuple[Pair, ...]:
        """Return the pairs in which both modules ran once and only the BatchNorm took the convolution's output."""
        paths = {module: path for path, module in self._network.named_modules()}
        ran = [output.convolution for output in self._outputs]
        return tuple(
            Pair(paths[output.convolution], paths[output.norm])
            for output in self._outputs
            if output.norm is not None
            and output.uses == 1
            and ran.count(output.convolution) == 1
            and self._norms.count(output.norm) == 1
            and output.norm.num_features == output.convolution.out_channels
        )


class CountUses(TorchDispatchMode):
    """A counter of the operations that take the tensors of a table, including operations outside modules."""

    def __init__(self, known: WeakTensorKeyDictionary) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._known = known

    def __torch_dispatch__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        """Run an operation and count it for each tensor that it takes."""
        taken = {id(value): value for value in tree_iter((args, kwargs)) if isinstance(value, Tensor)}
        for value in taken.values():
            output = self._known.get(value)
            if output is not None:
                output.uses += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def trace_bn_pairs(network: nn.Module, besides: Collection[str]) -> Iterator[BatchNormTrace]:
    """Watch the forward pass that this thread makes inside the block, and give the trace of it.

    Args:
        network: the network, in eval mode.
        besides: paths of modules whose parts are not folded.
    """
    seen = BatchNormTrace(network)
    # Weak references, so that no feature map lives longer than in a pass that is not watched.
    known = WeakTensorKeyDictionary()
    parts = {
        module
        for path, module in network.named_modules()
        if (is_convolution(module) or is_norm(module)) and not has_hooks(module) and not _inside(path, besides)
    }

    def before(module: nn.Module, value: object) -> None:
        if not isinstance(module, nn.BatchNorm2d):
            return
        seen._norms.append(module)
        output = known.get(value) if isinstance(value, Tensor) else None
        if output is not None and not output.uses:
            output.norm = module

    def after(module: nn.Module, value: object) -> None:
        if isinstance(module, nn.Conv2d) and isinstance(value, Tensor):
            seen._outputs.append(_Output(module))
            known[value] = seen._outputs[-1]

    with watched(parts, before, after), CountUses(known):
        yield seen


def fold_batchnorm(network: nn.Module, pairs: Collection[Pair]) -> nn.Module:
    """Return a copy in which each pair is one convolution; the activation of the BatchNorm takes its place.

    The copy shares all other weights with the network.

    Args:
        network: the network in eval mode; the copy is in eval mode, too.
        pairs: the pairs to fold, from ``BatchNormTrace.pairs``.
    """
    twin = clone_sharing_weights(network)
    in_place_of: dict[nn.Module, nn.Module] = {}
    with torch.no_grad():
        for pair in pairs:
            norm = cast("nn.BatchNorm2d", twin.get_submodule(pair.norm))
            _fold(cast("nn.Conv2d", twin.get_submodule(pair.convolution)), norm)
            in_place_of[norm] = _what_remains(norm)
    for parent in twin.modules():
        # named_children would name a shared module only once.
        for name, child in parent._modules.items():
            if child in in_place_of:
                setattr(parent, name, in_place_of[child])
    return twin


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    # In double precision, so that the products are rounded only once.
    mean, variance = (cast("Tensor", value).double() for value in (norm.running_mean, norm.running_var))
    scale, shift = (None if value is None else value.double() for value in (norm.weight, norm.bias))
    before = None if convolution.bias is None else convolution.bias.double()
    weight, bias = fuse_conv_bn_weights(
        convolution.weight.double(), before, mean, variance, norm.eps, bn_w=scale, bn_b=shift
    )
    convolution.bias = nn.Parameter(bias.to(convolution.weight), requires_grad=False)
    convolution.weight = nn.Parameter(weight.to(convolution.weight), requires_grad=False)


def _what_remains(norm: nn.Module) -> nn.Module:
    """Return the parts of timm's BatchNormAct2d that come after the BatchNorm; an identity for other classes."""
    parts = [part for part in (getattr(norm, "drop", None), getattr(norm, "act", None)) if part is not None]
    needed = [part for part in parts if not isinstance(part, nn.Identity)]
    left = needed[0] if len(needed) == 1 else nn.Sequential(*needed) if needed else nn.Identity()
    return left.eval()


def _is(module: nn.Module, classes: tuple[str, ...]) -> bool:
    return f"{type(module).__module__}.{type(module).__qualname__}" in classes


def is_convolution(module: nn.Module) -> bool:
    """Return whether a module convolves as torch does, each output channel by its weights."""
    return _is(module, _CONVOLUTIONS)


def is_norm(module: nn.Module) -> bool:
    """Return whether a module normalises by statistics that no image changes."""
    return _is(module, _NORMS) and module.running_mean is not None and not module.training


def has_hooks(module: nn.Module) -> bool:
    """Return whether a module has hooks (weight norm, hooks of other code that must see the same) or a set method."""
    return any(getattr(module, table, None) for table in _HOOKS) or "forward" in vars(module)


def _inside(path: str, places: Collection[str]) -> bool:
    return any(path == place or path.startswith(f"{place}.") for place in places)
