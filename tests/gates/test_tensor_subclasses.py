"""Gates of networks that compute with subclasses of Tensor, with wrappers, and with objects that stand for tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from support.wrapper_tensor import Wrapper
from torch import Tensor, nn
from torch.utils._pytree import tree_map
from torchvision import tv_tensors

import se_viz


class Subclass(Tensor):
    """A subclass without code."""


class Standing:
    """An object that is no tensor, and that torch functions take."""

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_function__(cls, func: Any, _types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = tree_map(lambda one: one.held if isinstance(one, Standing) else one, (args, kwargs or {}))
        return Standing(func(*given[0], **given[1]))


def plain(value: Any) -> Tensor:
    return value.held if isinstance(value, Wrapper | Standing) else value.as_subclass(Tensor)


KINDS: dict[str, Callable[[Tensor], Any]] = {
    "subclass": lambda tensor: tensor.as_subclass(Subclass),
    "image": tv_tensors.Image,
    "wrapper": Wrapper,
    "object": Standing,
}


class Network(nn.Module):
    def __init__(self, change_u: Callable[[Tensor], Any], change_s: Callable[[Tensor], Any]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.fc1, self.fc2 = nn.Conv2d(3, 8, 3, padding=1), nn.Linear(8, 4), nn.Linear(4, 8)
        self.head, self.change_u, self.change_s = nn.Linear(8, 5), change_u, change_s

    def maps(self, x: Tensor) -> Tensor:
        return torch.relu(self.stem(x))

    def weights(self, u: Tensor) -> Tensor:
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(u.mean((2, 3))))))

    def logits(self, x: Tensor) -> Tensor:
        return self.head(x.mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        u = self.maps(x)
        s = self.change_s(self.weights(u)[:, :, None, None])  # nothing else refers to s as it was before
        return self.logits(plain(torch.mul(self.change_u(u), s)))


@pytest.mark.parametrize("of_s", [False, True])
@pytest.mark.parametrize("of_u", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_gate_of_another_kind_of_tensor_is_read_and_nothing_is_left_out(kind: str, of_u: bool, of_s: bool) -> None:
    if not of_u and not of_s:
        pytest.skip("plain tensors")
    network = Network(KINDS[kind] if of_u else lambda u: u, KINDS[kind] if of_s else lambda s: s).eval()
    finding = se_viz.survey(network, 32)
    (gate,) = finding.gates
    assert (gate.squeeze, gate.gate_function, finding.notes, finding.passed) == ("avg", "sigmoid", (), ())
    images = torch.rand(3, 3, 24, 24)
    read = se_viz.capture(network, images, maps=[gate.name])
    with torch.no_grad():
        u = network.maps(images)
        s = network.weights(u)
        product = u * s[:, :, None, None]
        wanted = {"s": s, "z": u.mean((2, 3)), "u": u, "x": product}
        logits, edited = network.logits(product), network.logits(0.5 * u)
    for name, value in wanted.items():
        np.testing.assert_allclose(getattr(read[gate.name], name), value.numpy(), atol=1e-6)
    np.testing.assert_allclose(read.logits, logits.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        se_viz.capture(network, images, edits={gate.name: 0.5}).logits, edited.numpy(), atol=1e-6
    )


def test_logits_in_a_wrapper_are_read() -> None:
    network = Network(lambda u: u, lambda s: s).eval()
    bare = se_viz.capture(network, images := torch.rand(2, 3, 24, 24)).logits
    network.register_forward_hook(lambda _module, _args, output: Wrapper(output))
    np.testing.assert_array_equal(se_viz.capture(network, images).logits, bare)
