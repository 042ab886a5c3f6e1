"""Gates whose multiplication cannot be read, beside one that can: each is reported as left out."""

import re
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import se_viz
from se_viz.gates.errors import NoGateFound, NotReadable

Scale = Callable[[Tensor, Tensor, Tensor], Tensor]


def grouped(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    images, channels, height, width = u.shape
    flat = u.reshape(1, images * channels, height, width)
    return torch.conv2d(flat, s.reshape(-1, 1, 1, 1), groups=images * channels).view_as(u)


def by_channel(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    made = torch.zeros_like(u)
    for channel in range(u.shape[1]):
        made[:, channel] = u[:, channel] * s[:, channel]
    return made


def several_in_place(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    made = u.clone()
    torch._foreach_mul_([made, s.clone()], [s, s])
    return made


def exponential(u: Tensor, s: Tensor) -> Tensor:
    return torch.exp(u.log() + s.log())


def flat(u: Tensor) -> Tensor:
    return u.reshape(1, -1, *u.shape[2:])


def normalised(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    zeros, ones = torch.zeros(s.numel()), torch.ones(s.numel())
    return nn.functional.batch_norm(flat(u), zeros, ones, s.flatten(), eps=0.0).view_as(u)


def scripted() -> Scale:
    graph = torch.jit.CompilationUnit("def scale(u, s):\n  return u * s\n")
    return lambda u, s, _x: graph.scale(u, s)


UNREAD: dict[str, Scale] = {
    "lerp": lambda u, s, _x: torch.lerp(torch.zeros_like(u), u, s),
    "matmul": lambda u, s, _x: (torch.diag_embed(s.flatten(1)) @ u.flatten(2)).view_as(u),
    "einsum": lambda u, s, _x: torch.einsum("ncd,ndhw->nchw", torch.diag_embed(s.flatten(1)), u),
    "addcmul": lambda u, s, x: torch.addcmul(x, u, s, value=2),
    "stack": lambda u, s, _x: torch.stack([u[image] * s[image] for image in range(len(u))]),
    "conv2d": grouped,
    "_foreach_mul": lambda u, s, _x: torch._foreach_mul([s, u], [s, s])[1],
    "foreach_mul": several_in_place,
    "setitem": by_channel,
    "exp": lambda u, s, _x: exponential(u.abs(), s),
    "prod": lambda u, s, _x: torch.stack([u, s.expand_as(u)]).prod(0),
    "prelu": lambda u, s, _x: -nn.functional.prelu(flat(-u.abs()), s.flatten()).view_as(u),
    "batch_norm": normalised,
    "(mul)": lambda u, s, _x: torch.view_as_real(torch.complex(u, torch.zeros_like(u)) * s)[..., 0],
    "a script": scripted(),
}
READ: dict[str, Scale] = {
    "product": lambda u, s, _x: u * s,
    "with U added": lambda u, s, _x: u + u * s,
    "without": lambda u, s, _x: u - u * (1 - s),
    "with a shortcut": lambda u, s, x: torch.addcmul(x, u, s),
}


class Block(nn.Module):
    def __init__(self, channels: int, scale: Scale) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.squeeze, self.excite = nn.Linear(channels, channels // 2), nn.Linear(channels // 2, channels)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        u = torch.tanh(self.conv(x))
        s = torch.sigmoid(self.excite(torch.relu(self.squeeze(u.mean((2, 3))))))
        return torch.relu(x + self.scale(u, s[:, :, None, None], x))


def network(*scales: Scale) -> nn.Module:
    torch.manual_seed(0)
    blocks = [Block(16, scale) for scale in scales]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5)]
    return nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), *blocks, *head).eval()


@pytest.mark.parametrize("way", UNREAD)
def test_beside_a_gate_that_is_read(way: str) -> None:
    finding = se_viz.survey(network(READ["product"], UNREAD[way]), 32)
    assert len(finding.gates) == 1
    (note,) = finding.notes
    assert note.startswith("Left out: 2: its code multiplies maps by one factor per channel")
    assert way in note
    with pytest.warns(se_viz.PartlyFound, match="Left out: 2"):
        se_viz.find_gates(network(READ["product"], UNREAD[way]), 32)


@pytest.mark.parametrize("way", UNREAD)
def test_alone(way: str) -> None:
    with pytest.raises(NoGateFound, match=f"1: its code multiplies maps by one factor per channel.*{re.escape(way)}"):
        se_viz.find_gates(network(UNREAD[way]), 32)


@pytest.mark.parametrize("way", READ)
def test_what_is_read_is_not_said_to_be_left_out(way: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finding = se_viz.survey(network(READ[way]), 32)
    assert len(finding.gates) == 1
    assert finding.notes == ()


def test_hooks_of_others_that_multiply_before_a_gate_do_not_hide_it() -> None:
    blocks = network(READ["product"])
    block = next(module for module in blocks.modules() if isinstance(module, Block))
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        plain = blocks(images)
    block.register_forward_pre_hook(lambda _module, args: (args[0] * 3,))
    read = se_viz.capture(blocks, images)
    (gate,) = read.gates
    u = torch.tanh(block.conv(blocks[0](images) * 3)).mean((2, 3)).detach()
    torch.testing.assert_close(torch.from_numpy(read[gate].z), u)
    assert not torch.allclose(torch.from_numpy(read.logits), plain)


@pytest.mark.slow
def test_compiled_code_in_a_network_is_told_and_read_without_it() -> None:
    times = torch.compile(lambda u, s, _x: u * s, backend="eager")
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NotReadable, match=r'calls compiled code .*set_stance\("force_eager"\)'):
        se_viz.capture(network(times), images)
    with torch.compiler.set_stance("force_eager"):
        assert len(se_viz.capture(network(times), images).gates) == 1


class ToNested(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.nested.nested_tensor([one.flatten(1).T for one in x], layout=torch.jagged)


class FromNested(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([one.mean(0) for one in x.unbind()])


class NestedGate(nn.Module):
    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self.excite, self.whole = nn.Linear(16, 16), whole

    def forward(self, x: Tensor) -> Tensor:
        s = torch.sigmoid(self.excite(torch.stack([one.mean(0) for one in x.unbind()])))
        if self.whole:
            return x * s[:, None]
        return torch.nested.nested_tensor([u * w for u, w in zip(x.unbind(), s, strict=True)], layout=torch.jagged)


@pytest.mark.parametrize("whole", [True, False])
def test_nested_maps_in_a_sequence_and_their_gate_is_told(whole: bool) -> None:
    blocks = network(READ["product"])
    network_ = nn.Sequential(*blocks[:2], ToNested(), NestedGate(whole=whole), FromNested(), nn.Linear(16, 5)).eval()
    finding = se_viz.survey(network_, 32)
    assert len(finding.gates) == 1
    assert finding.notes == (
        "Left out: 3: its code multiplies maps by one factor per channel in a way that is not read (nested tensors).",
    )
    plain = nn.Sequential(*blocks[:2], ToNested(), nn.LayerNorm(16), nn.ReLU(), FromNested(), nn.Linear(16, 5)).eval()
    assert se_viz.survey(plain, 32).notes == ()


class Mixed(nn.Module):
    """A convolution whose kernel is a mixture that each image chooses (CondConv)."""

    def __init__(self) -> None:
        super().__init__()
        self.route, self.kernels = nn.Linear(16, 3), nn.Parameter(torch.randn(3, 16 * 16 * 9) / 12)

    def forward(self, x: Tensor) -> Tensor:
        kernels = torch.sigmoid(self.route(x.mean((2, 3)))) @ self.kernels
        made = torch.conv2d(flat(x), kernels.reshape(-1, 16, 3, 3), padding=1, groups=len(x))
        return made.view_as(x)


def test_a_kernel_for_each_image_is_listed_and_is_no_gate() -> None:
    torch.manual_seed(0)
    blocks = network(READ["product"])
    finding = se_viz.survey(nn.Sequential(*blocks[:2], Mixed(), *blocks[2:]).eval(), 32)
    assert (len(finding.gates), finding.notes) == (1, ())
    (passed,) = finding.passed
    assert (passed.path, passed.reason) == (
        "2",
        "its convolution has a separate kernel for each image, which is no factor per channel",
    )
