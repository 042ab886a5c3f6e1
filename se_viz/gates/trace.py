"""One forward pass that notes, for every module of a network, when it ran and at what size."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import chain, product
from threading import get_ident
from typing import TypeAlias

import torch
from torch import Tensor, fx, nn

from se_viz.gates.errors import NotAnImageModel, NotReadable
from se_viz.zoo.memory import is_out_of_memory

# What networks raise on an input that is not theirs.
REJECTIONS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)

IMAGES = 2

# Square sizes tried in turn where the network does not say what it takes: the usual one, Inception's, ViT hybrids'.
_SIDES = (224, 299, 256, 384, 128)

# Height and width, or the side of a square, pixels.
Size: TypeAlias = int | tuple[int, int]
Watcher: TypeAlias = Callable[[nn.Module, object], None]


@dataclass(frozen=True, slots=True)
class Step:
    """How a module first ran: its path, the shapes of its first input and its output; and how many times it ran."""

    path: str
    module: nn.Module
    input: torch.Size | None
    output: torch.Size | None
    times: int


@dataclass(frozen=True, slots=True)
class Trace:
    """Modules in the order in which they began to run, and the width of the images they ran on, pixels."""

    steps: tuple[Step, ...]
    width: int


def check_readable(network: nn.Module) -> None:
    """Raise NotReadable for a network whose modules no hook can reach."""
    if not isinstance(network, nn.Module):
        raise NotReadable(f"A torch.nn.Module is needed, not {type(network).__name__}.")
    for path, module in network.named_modules():
        what = f"Its part {path}" if path else "This network"
        if isinstance(module, torch.jit.ScriptModule):
            raise NotReadable(f"{what} is scripted (TorchScript), so its gates cannot be read: load the Python model.")
        if isinstance(module, fx.GraphModule):
            raise NotReadable(f"{what} is a graph (torch.fx or export) without the modules it was made of: load those.")
        # OptimizedModule keeps the original; Module.compile() sets a compiled call in place.
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None) is not None:
            raise NotReadable(f"{what} is compiled, so its gates cannot be read: pass the model before torch.compile.")


def placement(network: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating-point type of a network's first weights."""
    for tensor in chain(network.parameters(), network.buffers()):
        if tensor.is_floating_point():
            return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


def image_channels(network: nn.Module) -> int:
    """Channels of the images a network takes: its first convolution's, unless those may have been made of three.

    A convolution that stands behind a space-to-depth takes 12, 27 or 48.
    """
    convolution = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    return convolution.in_channels if convolution and convolution.in_channels % 3 else 3


@contextmanager
def watched(modules: Iterable[nn.Module], before: Watcher, after: Watcher) -> Iterator[None]:
    """Inside the block, whenever this thread runs one of the modules, call ``before`` and ``after``.

    ``before`` is given the module and its first argument, ``after`` the module and its output. Other threads may be
    running the same modules, and are none of the watcher's business.
    """
    thread = get_ident()

    def enter(module: nn.Module, args: tuple[object, ...]) -> None:
        if get_ident() == thread:
            before(module, args[0] if args else None)

    def leave(module: nn.Module, _args: tuple[object, ...], output: object) -> None:
        if get_ident() == thread:
            after(module, output)

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(enter).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        yield


def trace(network: nn.Module, size: Size | None = None) -> Trace:
    """Run ``network`` (in eval mode) on two images of noise and note what ran.

    Args:
        network: takes (N, 3, H, W), or as many channels as its first convolution.
        size: of the images; None tries what the network states, then the usual squares.

    Raises:
        NotAnImageModel: it fails on images of every size tried; the message quotes the first failure.
    """
    device, dtype = placement(network)
    convolution = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    # Not the convolution's first: it may stand behind a space-to-depth that makes 48 channels of 3.
    channels = dict.fromkeys([3, convolution.in_channels] if convolution else [3])
    sizes: list[Size] = [size] if size else list(dict.fromkeys([*_stated_side(network), *_SIDES]))
    failure: Exception | None = None
    for tried, count in product(sizes, channels):
        height, width = (tried, tried) if isinstance(tried, int) else tried
        images = torch.rand((IMAGES, count, height, width), generator=torch.Generator().manual_seed(0))
        try:
            return Trace(_record(network, images.to(device, dtype)), width)
        except REJECTIONS as error:
            if is_out_of_memory(error):
                raise
            failure = failure or error
    raise NotAnImageModel(
        f"{type(network).__name__} takes no batch of images (N, 3, H, W) of size "
        f"{' or '.join(str(tried) for tried in sizes)}: {failure}"
    ) from failure


def _stated_side(network: nn.Module) -> list[int]:
    """The networks of timm state their input; others do not."""
    stated = getattr(network, "pretrained_cfg", None)
    size = stated.get("input_size") if isinstance(stated, dict) else None
    return [int(size[-1])] if size else []


def _record(network: nn.Module, images: Tensor) -> tuple[Step, ...]:
    inputs: dict[nn.Module, torch.Size | None] = {}
    outputs: dict[nn.Module, torch.Size | None] = {}
    times: dict[nn.Module, int] = {}

    def before(module: nn.Module, value: object) -> None:
        inputs.setdefault(module, _shape(value))
        times[module] = times.get(module, 0) + 1

    def after(module: nn.Module, value: object) -> None:
        outputs.setdefault(module, _shape(value))

    paths = {module: path for path, module in network.named_modules()}
    with watched(paths, before, after), torch.inference_mode():
        network(images)
    return tuple(Step(paths[m], m, shape, outputs.get(m), times[m]) for m, shape in inputs.items())


def _shape(value: object) -> torch.Size | None:
    return value.shape if isinstance(value, Tensor) else None
