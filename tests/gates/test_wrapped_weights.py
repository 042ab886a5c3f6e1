"""Gates of networks whose weights are tensors of a subclass: wrappers, quantised weights, DTensor, parametrizations."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from support.odd_networks.calls import Beside
from support.odd_networks.gates import SE, told
from support.odd_networks.inline import Inline
from support.wrapper_tensor import Wrapper
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._pytree import tree_map

import se_viz
from se_viz.gates.errors import NotAnImageModel, NotReadable


class OfTwo(Wrapper):
    """A wrapper that holds two tensors of its shape."""

    def __init__(self, held: Tensor) -> None:
        self.held, self.zero_points = held, torch.zeros_like(held)


class OfWrapper(Wrapper):
    """A wrapper that holds a wrapper."""

    def __init__(self, held: Tensor) -> None:
        self.held = held if isinstance(held, Wrapper) else Wrapper(held)


class Hidden(Wrapper):
    """A wrapper whose tensor is no attribute."""

    def __init__(self, held: Tensor) -> None:
        self._get = lambda: held

    @property
    def held(self) -> Tensor:  # type: ignore[override]
        return self._get()


class Mute(Hidden):
    """A wrapper that does not give its numbers."""

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.copy_.default:
            return args[0]
        return super().__torch_dispatch__(func, types, args, kwargs)


class NoArray(Tensor):
    """A subclass that does not become an array."""

    def numpy(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("no array")


class Int8(Tensor):
    """Weights in 8 bits with one scale, which become floats in each operation."""

    @staticmethod
    def __new__(cls, codes: Tensor, scale: Tensor) -> "Int8":
        return Tensor._make_wrapper_subclass(cls, codes.shape, dtype=scale.dtype)

    def __init__(self, codes: Tensor, scale: Tensor) -> None:
        self.codes, self.scale = codes, scale

    @classmethod
    def of(cls, weight: Tensor) -> "Int8":
        scale = weight.abs().amax() / 127
        return cls(torch.round(weight / scale).to(torch.int8), scale)

    @classmethod
    def __torch_dispatch__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return cls(args[0].codes, args[0].scale)
        given = tree_map(lambda one: one.codes * one.scale if isinstance(one, Int8) else one, (args, kwargs or {}))
        return func(*given[0], **given[1])


class Int8Linear(Int8):
    """Weights in 8 bits that only linear layers take."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is functional.linear:
            return functional.linear(args[0], args[1].codes * args[1].scale, *args[2:])
        return super().__torch_function__(func, types, args, kwargs or {})

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.detach.default, torch.ops.aten.alias.default):
            return super().__torch_dispatch__(func, types, args, kwargs)
        raise NotImplementedError(f"no {func}")


def network() -> nn.Module:
    torch.manual_seed(0)
    whole = Beside(Inline()).eval()
    whole.body.append(SE())
    return whole.eval()


def change(whole: nn.Module, make: Callable[[Tensor], Tensor], which: type[nn.Module] | tuple = nn.Module) -> nn.Module:
    for module in whole.modules():
        for name, weight in list(module._parameters.items()):
            if isinstance(module, which) and weight is not None and (which is nn.Module or name == "weight"):
                module._parameters[name] = nn.Parameter(make(weight.data), requires_grad=False)
    return whole


def plain(value: Tensor) -> np.ndarray:
    while isinstance(value, Wrapper):
        value = value.held
    with torch._C.DisableTorchFunction():
        return value.detach().as_subclass(Tensor).numpy()


def assert_read(whole: nn.Module) -> None:
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    with told() as events, torch.no_grad():
        output = whole(images)
    gates = [gate.name for gate in se_viz.find_gates(whole)]
    read = se_viz.capture(whole, images, maps=gates)
    assert len(read) == len(events) == 3
    for one, event in zip(read, events, strict=True):
        np.testing.assert_allclose(one.s, plain(event.s), atol=1e-6)
        np.testing.assert_allclose(one.z, plain(event.z[0]), atol=1e-6)
        np.testing.assert_array_equal(one.u, plain(event.u))
        np.testing.assert_allclose(one.x, plain(event.x), atol=1e-6)
    np.testing.assert_allclose(read.logits, plain(output), atol=1e-6)
    for gate in gates:
        edited = se_viz.capture(whole, images, edits={gate: 0.5})
        np.testing.assert_array_equal(edited[gate].s_applied, np.full_like(edited[gate].s, 0.5))
        assert np.abs(edited.logits - read.logits).max() > 0


LAYERS = {"all": nn.Module, "FC": nn.Linear, "convolutions": nn.Conv2d}
SOME = [pytest.param(layers, marks=[] if layers == "FC" else [pytest.mark.slow]) for layers in LAYERS]


@pytest.mark.parametrize("layers", SOME)
@pytest.mark.parametrize("kind", [Wrapper, OfTwo, OfWrapper, Hidden])
def test_wrapped_weights(kind: type[Wrapper], layers: str) -> None:
    assert_read(change(network(), kind, LAYERS[layers]))


@pytest.mark.parametrize("layers", SOME)
def test_subclass_without_an_array(layers: str) -> None:
    assert_read(change(network(), lambda weight: weight.as_subclass(NoArray), LAYERS[layers]))


@pytest.mark.parametrize(("kind", "layers"), [(Int8, "all"), (Int8, "FC"), (Int8Linear, "FC")])
def test_quantised_weights(kind: type[Int8], layers: str) -> None:
    assert_read(change(network(), kind.of, LAYERS[layers]))


def test_weights_that_do_not_give_their_numbers_are_told() -> None:
    with pytest.raises(NotReadable, match=r"tensors of the class Mute, whose numbers cannot be read: give Mute a"):
        se_viz.capture(change(network(), Mute), torch.rand(2, 3, 32, 32))


def test_weights_that_the_network_itself_cannot_use_are_told_as_its_error() -> None:
    whole = change(network(), Int8Linear.of)
    with pytest.raises(NotImplementedError), torch.no_grad():
        whole(torch.rand(2, 3, 32, 32))
    with pytest.raises(NotAnImageModel, match="no aten"):
        se_viz.capture(whole, torch.rand(2, 3, 32, 32))


def test_buffers_as_weights() -> None:
    whole = network()
    for module in whole.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None:
                del module._parameters[name]
                module.register_buffer(name, nn.Buffer(weight.data))
    assert_read(whole)


def test_parametrizations() -> None:
    whole = network()
    for module in list(whole.modules()):
        if isinstance(module, nn.Linear):
            nn.utils.parametrizations.weight_norm(module)
        elif isinstance(module, nn.Conv2d):
            nn.utils.parametrizations.spectral_norm(module)
    assert_read(whole.eval())


@pytest.fixture
def mesh() -> Iterator[Any]:
    distributed = pytest.importorskip("torch.distributed")
    if not distributed.is_available() or distributed.is_initialized():
        pytest.skip("no group of one process")
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    try:
        yield distributed.device_mesh.init_device_mesh("cpu", (1,))
    finally:
        distributed.destroy_process_group()


@pytest.mark.slow
def test_dtensor(mesh: Any) -> None:
    from torch.distributed.tensor import DTensor, Replicate, distribute_module

    whole = distribute_module(
        network(),
        mesh,
        input_fn=lambda _module, args, on: tuple(DTensor.from_local(one, on, [Replicate()]) for one in args),
    )
    images = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    wanted = se_viz.capture(network(), images)
    read = se_viz.capture(whole, images)
    for one, other in zip(read, wanted, strict=True):
        np.testing.assert_allclose(one.s, other.s, atol=1e-6)
        np.testing.assert_allclose(one.z, other.z, atol=1e-6)
    np.testing.assert_allclose(read.logits, wanted.logits, atol=1e-6)
    for gate in read.gates:
        np.testing.assert_allclose(
            se_viz.capture(whole, images, edits={gate: 0.5}).logits,
            se_viz.capture(network(), images, edits={gate: 0.5}).logits,
            atol=1e-6,
        )
