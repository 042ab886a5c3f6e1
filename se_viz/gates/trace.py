"""A trace of one forward pass: which modules run, at what sizes, and which torch functions they call."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from threading import get_ident
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.call_graph import CallGraph
from se_viz.gates.errors import NotAnImageModel
from se_viz.gates.findings import Event
from se_viz.gates.refusals import REJECTIONS, refuse_compiled
from se_viz.gates.transforms import unmapped
from se_viz.gates.values import Call, Clock, Frame, Value

# Number of images of noise in a search.
IMAGES = 2

# Sides of squares, tried in turn if the network states no input size: the usual one, Inception's, ViT hybrids', and
# those of small images, as of CIFAR.
_SIDES = (224, 299, 256, 384, 128, 64, 32)

# Height and width, or the side of a square, in pixels.
Size: TypeAlias = int | tuple[int, int]
Placement: TypeAlias = tuple[torch.device, torch.dtype]
Watcher: TypeAlias = Callable[[nn.Module, object], None]


@dataclass(frozen=True, slots=True)
class ModuleRun:
    """A run of a module in a forward pass.

    Attributes:
        path, module: the path of the module and the module itself.
        number: how many times the module had run before in the pass.
        began: the time at which the run began, on the clock of the pass.
        frames: the runs that contain this one, the outermost first.
        input, output: shapes of the first argument and of the returned value, if these are tensors.
        takes, gives: what is known of these two values.
        thread: whether the module ran in another thread than the network itself.
    """

    path: str
    module: nn.Module
    number: int
    began: int
    frames: tuple[Frame, ...]
    input: torch.Size | None
    output: torch.Size | None
    takes: Value | None = None
    gives: Value | None = None
    thread: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """The record of a forward pass.

    Attributes:
        runs: the runs of all modules, in the order in which they began.
        width: width of the images in pixels.
        calls: the calls of torch functions, in order.
        events: the calls that multiplied maps by one factor per channel.
        others: the runs that contained calls that multiplied maps by other numbers computed from the images, with the
            reason why they are no gates.
        unread: the cases in which maps equal other maps times a factor per channel, but the computation cannot be read:
            the runs that contained it, and the name of the call ("" if no call was seen).
        kernels: convolutions whose weights were computed from the images.
        reordered: the runs that contained calls that put the images, or their maps, into another order.
        quantized: whether there were quantised maps.
        copies: classes of modules that ran as copies made in the pass, as data parallelism makes them.
        images: shape of the images, (2, channels, H, W).
        output: the output of the network.
    """

    runs: tuple[ModuleRun, ...]
    width: int
    calls: tuple[Call, ...] = ()
    events: tuple[Event, ...] = ()
    others: tuple[tuple[tuple[Frame, ...], str], ...] = ()
    unread: tuple[tuple[tuple[Frame, ...], str], ...] = ()
    kernels: tuple[Call, ...] = ()
    reordered: tuple[tuple[Frame, ...], ...] = ()
    quantized: bool = False
    copies: tuple[str, ...] = ()
    images: tuple[int, ...] = ()
    output: object = field(default=None, repr=False)

    @property
    def steps(self) -> tuple[ModuleRun, ...]:
        """The first run of each module."""
        return tuple(run for run in self.runs if run.number == 0)


def placement(network: nn.Module) -> Placement:
    """Return device and floating-point type of a network's first weights."""
    # Module by module, because ``parameters()`` uses three nested generators, too slow for every capture.
    for kind in ("_parameters", "_buffers"):
        for module in network.modules():
            for tensor in getattr(module, kind).values():
                if tensor is not None and tensor.is_floating_point():
                    return tensor.device, tensor.dtype
    return torch.device("cpu"), torch.float32


def image_channels(network: nn.Module) -> int:
    """Return the number of channels of a network's images: that of its first convolution, or 3 for a multiple of 3.

    A convolution after a space-to-depth operation takes 12, 27 or 48 channels made from 3.
    """
    convolution = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    return convolution.in_channels if convolution and convolution.in_channels % 3 else 3


def first_tensor(args: tuple[object, ...], kwargs: Mapping[str, object]) -> Any:  # noqa: ANN401 - of any type
    """Return the first tensor among the arguments of a call; the first argument if there is no tensor."""
    if args and isinstance(args[0], Tensor):  # the case of nearly all calls, kept fast because every gate passes here
        return args[0]
    given = (*args, *kwargs.values())
    return next((value for value in given if isinstance(value, Tensor)), given[0] if given else None)


@contextmanager
def watched(modules: Iterable[nn.Module], before: Watcher, after: Watcher) -> Iterator[None]:
    """Call ``before`` and ``after`` whenever this thread runs one of the modules inside the block.

    ``before`` gets the module and its first argument, ``after`` the module and its output. Runs in other threads are
    ignored.
    """
    thread = get_ident()

    def enter(module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        if get_ident() == thread:
            before(module, first_tensor(args, kwargs))

    def leave(module: nn.Module, _args: tuple[object, ...], output: object) -> None:
        if get_ident() == thread:
            after(module, output)

    with ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_pre_hook(enter, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        yield


def trace(network: nn.Module, size: Size | None = None, *, private: bool = False) -> Trace:
    """Run ``network`` (in eval mode) on two images of noise and return a record of the pass.

    Args:
        network: a network that takes (N, 3, H, W), or as many channels as its first convolution.
        size: size of the images; None tries the size that the network states, then the usual squares.
        private: whether no other thread uses the network, so that all runs belong to this pass.

    Raises:
        NotAnImageModel: the network fails on images of every size tried; the message quotes the first failure.
        NotReadable: it fails in code that is compiled as it runs.
    """
    device, dtype = placement(network)
    convolution = next((m for m in network.modules() if isinstance(m, nn.Conv2d)), None)
    # 3 is tried before the convolution's number, because a space-to-depth may make 48 channels from 3.
    channels = dict.fromkeys([3, convolution.in_channels] if convolution and convolution.in_channels else [3])
    sizes: list[Size] = [size] if size else list(dict.fromkeys([*_stated_side(network), *_SIDES]))
    failure: Exception | None = None
    for tried, count in product(sizes, channels):
        height, width = (tried, tried) if isinstance(tried, int) else tried
        try:
            return RunRecorder(network, noise(count, height, width).to(device, dtype), private=private).record(width)
        except REJECTIONS as error:
            if is_out_of_memory(error):
                raise
            failure = failure or error
    if failure is not None:
        refuse_compiled(network, failure)
    raise NotAnImageModel(
        f"{type(network).__name__} takes no batch of images (N, 3, H, W) of size "
        f"{' or '.join(str(tried) for tried in sizes)}: {failure}"
    ) from failure


def noise(channels: int, height: int, width: int) -> Tensor:
    """Return the two images of noise (2, channels, H, W) of a search."""
    images = torch.rand((IMAGES, channels, height, width), generator=torch.Generator().manual_seed(0))
    # With the same kind of noise in both images a deep network may compute the same z, and s would not differ.
    images[1] *= torch.linspace(0.1, 1.5, width)
    return images


class RunRecorder:
    """A recorder of all module runs of a network in one forward pass, and of the calls of torch functions."""

    def __init__(self, network: nn.Module, images: Tensor, *, private: bool) -> None:
        self._network = network
        self._images = images
        self._private = private
        self._thread = get_ident()
        self._paths = {module: path for path, module in network.named_modules()}
        names = {id(parameter): name for name, parameter in network.named_parameters()}
        self._clock = Clock()
        self._graph = CallGraph(images, names, self._clock)
        self._runs: list[ModuleRun] = []
        self._copies: list[str] = []
        self._times: dict[nn.Module, int] = {}
        # The current runs by thread, each with its position in the list of runs.
        self._open: dict[int, list[tuple[Frame, int]]] = {}

    def record(self, width: int) -> Trace:
        """Run the network once, and return the record."""
        with ExitStack() as stack:
            for module in self._paths:
                stack.callback(module.register_forward_pre_hook(self._enter, with_kwargs=True).remove)
                stack.callback(module.register_forward_hook(self._leave, always_call=True).remove)
            stack.enter_context(torch.no_grad())
            stack.enter_context(self._graph)
            output = self._network(self._images)
        graph = self._graph
        return Trace(
            tuple(self._runs),
            width,
            calls=tuple(graph.calls),
            events=tuple(graph.found.events),
            others=tuple(graph.found.others),
            unread=tuple(graph.found.unread),
            kernels=tuple(graph.found.kernels),
            reordered=tuple(graph.found.reordered),
            quantized=graph.found.quantized,
            copies=tuple(dict.fromkeys(self._copies)),
            images=self._images.shape,
            output=output,
        )

    def _enter(self, module: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        thread = get_ident()
        if not (self._private or thread == self._thread):
            return
        if module not in self._paths:  # a copy, which has the hooks of its original
            self._copies.append(type(module).__name__)
            return
        with torch._C.DisableTorchFunction():
            number = self._times.get(module, 0)
            self._times[module] = number + 1
            under_way = self._open.setdefault(thread, [])
            value = _seen(first_tensor(args, kwargs))
            run = ModuleRun(
                self._paths[module],
                module,
                number,
                self._clock.tick(),
                tuple(frame for frame, _ in under_way),
                _shape(value),
                None,
                self._graph.value(value),
                thread=thread != self._thread,
            )
            self._runs.append(run)
            under_way.append((Frame(run.path, number), len(self._runs) - 1))
            if thread == self._thread:
                self._graph.frames.append(Frame(run.path, number))

    def _leave(self, module: nn.Module, args: tuple[object, ...], output: object) -> None:
        under_way = self._open.get(get_ident())
        if not under_way or module not in self._paths or under_way[-1][0].path != self._paths[module]:
            return
        with torch._C.DisableTorchFunction():
            output = _seen(output)
            self._graph.check(output, _seen(args[0]) if args else None, tuple(frame for frame, _ in under_way))
            _, position = under_way.pop()
            if get_ident() == self._thread:
                self._graph.frames.pop()
            self._runs[position] = replace(self._runs[position], output=_shape(output), gives=self._graph.value(output))


def _stated_side(network: nn.Module) -> list[int]:
    """Return the input side that a network states, in a list; empty if it states none. Networks of timm state it."""
    stated = getattr(network, "pretrained_cfg", None)
    size = stated.get("input_size") if isinstance(stated, dict) else None
    return [int(size[-1])] if size else []


def _seen(value: object) -> object:
    """Return a tensor as it is outside of the transforms of ``torch.func``; other values unchanged."""
    return unmapped(value) if isinstance(value, Tensor) else value


def _shape(value: object) -> torch.Size | None:
    return value.shape if isinstance(value, Tensor) and not value.is_nested else None
