"""Gates whose multiplication cannot be read, beside one that can: each is reported as left out."""

import re
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._higher_order_ops.while_loop import while_loop

import se_viz
from se_viz.gates.errors import NoGateFound, NotReadable
from se_viz.gates.other_products import ALIKE, AXES, FIVE_AXES, PER_BATCH, PER_IMAGE, SHARED
from se_viz.gates.other_products import PER_BRANCH as ADDED

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
    torch._foreach_mul_([s.clone(), made], [s, s])
    return made


def exponential(u: Tensor, s: Tensor) -> Tensor:
    return torch.exp(u.log() + s.log())


def flat(u: Tensor) -> Tensor:
    return u.reshape(1, -1, *u.shape[2:])


def transposed(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    weight, bias = s.reshape(-1, 1, 1, 1), s.flatten()
    return nn.functional.conv_transpose2d(flat(u), weight, bias, groups=s.numel()).view_as(u)


def branches(u: Tensor, s: Tensor, x: Tensor) -> Tensor:
    both = torch.cat([s, 1 - s], 2).squeeze(3)
    return torch.einsum("nck,nkchw->nchw", both, torch.stack([u, x], 1))


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
    "lerp from the shortcut": lambda u, s, x: torch.lerp(x, u, s),
    "foreach_lerp": lambda u, s, x: torch._foreach_lerp([x], [u], [s])[0],
    "baddbmm": lambda u, s, x: torch.baddbmm(x.flatten(2), torch.diag_embed(s.flatten(1)), u.flatten(2)).view_as(u),
    "conv_transpose2d": transposed,
    "group_norm": lambda u, s, _x: nn.functional.group_norm(flat(u), s.numel(), s.flatten()).view_as(u),
    "einsum of branches": branches,
    "NumPy": lambda u, s, _x: torch.from_numpy(u.numpy() * s.numpy()),
    "vmap of channels": lambda u, s, _x: torch.vmap(torch.mul, in_dims=1, out_dims=1)(u, s),
    "setitem": by_channel,
    "exp": lambda u, s, _x: exponential(u.abs(), s),
    "prod": lambda u, s, _x: torch.stack([u, s.expand_as(u)]).prod(0),
    "prelu": lambda u, s, _x: -nn.functional.prelu(flat(-u.abs()), s.flatten()).view_as(u),
    "batch_norm": normalised,
    "(mul)": lambda u, s, _x: torch.view_as_real(torch.complex(u, torch.zeros_like(u)) * s)[..., 0],
    "a script": scripted(),
    "permute": lambda u, s, _x: (u.permute(2, 3, 0, 1).contiguous() * s[..., 0, 0]).permute(2, 3, 0, 1),
    "transpose": lambda u, s, _x: (u.transpose(1, 2) * s.transpose(1, 2)).transpose(1, 2),
    "view": lambda u, s, _x: (u.flatten(0, 1) * s.flatten(0, 1)).view(u.shape),
    "reshape": lambda u, s, _x: (u.flatten(2).permute(2, 0, 1) * s[..., 0, 0]).permute(1, 2, 0).reshape(u.shape),
}
# What the sentence says of ways that it does not name.
UNSEEN = "calls of torch functions are not seen"
SAID = {
    "lerp from the shortcut": "(lerp)",
    "foreach_lerp": "(lerp)",
    "einsum of branches": "of each branch and adds them up in one call",
    "NumPy": UNSEEN,
    "vmap of channels": UNSEEN,
}
READ: dict[str, Scale] = {
    "product": lambda u, s, _x: u * s,
    "with U added": lambda u, s, _x: u + u * s,
    "without": lambda u, s, _x: u - u * (1 - s),
    "with a shortcut": lambda u, s, x: torch.addcmul(x, u, s),
    "divided and added": lambda u, s, x: torch.addcdiv(x, u, 1 / s),
    "one of a list": lambda u, s, _x: torch._foreach_mul([s, u], [s, s])[1],
    "one of a list, in place": several_in_place,
    "one of a list, added": lambda u, s, x: torch._foreach_addcmul([x], [u], [s])[0],
    "under vmap": lambda u, s, _x: torch.vmap(torch.mul)(u, s),
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
    assert SAID.get(way, way) in note
    with pytest.warns(se_viz.PartlyFound, match="Left out: 2"):
        se_viz.find_gates(network(READ["product"], UNREAD[way]), 32)


@pytest.mark.parametrize("way", UNREAD)
def test_alone(way: str) -> None:
    said = re.escape(SAID.get(way, way))
    with pytest.raises(NoGateFound, match=f"1: its code multiplies maps by one factor per channel.*{said}"):
        se_viz.find_gates(network(UNREAD[way]), 32)


@pytest.mark.parametrize("way", READ)
def test_what_is_read_is_not_said_to_be_left_out(way: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        finding = se_viz.survey(network(READ[way]), 32)
    assert len(finding.gates) == 1
    assert finding.notes == ()


SCALARS: dict[str, tuple[Scale, str]] = {
    "one number": (lambda u, s, _x: u * s.mean(1, keepdim=True), PER_IMAGE),
    "one number, einsum": (lambda u, s, _x: torch.einsum("nchw,n->nchw", u, s[:, 0, 0, 0]), PER_IMAGE),
    "branches": (lambda u, s, x: s[:, :1] * u + s[:, 1:2] * x, PER_IMAGE),
    "branches, stacked": (lambda u, s, x: (torch.stack([u, x], 1) * s[:, :2, None]).sum(1), FIVE_AXES),
    "branches, einsum": (lambda u, s, x: torch.einsum("nk,nkchw->nchw", s[:, :2, 0, 0], torch.stack([u, x], 1)), ADDED),
    "branches, first": (lambda u, s, x: torch.einsum("kn,knchw->nchw", s[:, :2, 0, 0].T, torch.stack([u, x])), ADDED),
    "branches, matmul": (
        lambda u, s, x: (s[:, :2, 0].mT @ torch.stack([u, x], 1).flatten(2)).view_as(u),
        ADDED,
    ),
    "branches, channels": (
        lambda u, s, x: (torch.stack([u, x, u]) * torch.stack([s, 1 - s, s]).softmax(0)).sum(0),
        AXES,
    ),
    "groups": (lambda u, s, _x: (u.unflatten(1, (2, 8)) * s[:, :2, None]).flatten(1, 2), FIVE_AXES),
    "volumes": (lambda u, s, _x: (torch.stack([u, u], 2) * s[:, :, None]).mean(2), FIVE_AXES),
    "the mean of the batch": (lambda u, s, _x: u * s.mean(0, keepdim=True), PER_BATCH),
    "one map": (lambda u, s, _x: u[:, :1] * s, ALIKE),
    "one map, expanded": (lambda u, s, _x: u[:, :1].expand_as(u) * s, ALIKE),
    "learned maps": (lambda u, s, _x: torch.linspace(-1, 1, u[:1].numel()).view_as(u[:1]) * s, SHARED),
    "groups, expanded": (
        lambda u, s, _x: (
            u.unflatten(1, (4, 4)) * s.unflatten(1, (4, 4)).expand(-1, -1, -1, *u.shape[2:]).exp()
        ).flatten(1, 2),
        AXES,
    ),
    "channels on three axes": (
        lambda u, s, _x: (u.unflatten(1, (2, 4, 2)) * s.unflatten(1, (2, 4, 2))).flatten(1, 3),
        AXES,
    ),
    "channels first": (lambda u, s, _x: (u.transpose(0, 1) * s.transpose(0, 1)).transpose(0, 1), AXES),
    "tokens": (lambda u, s, _x: (u.flatten(2).mT * s.flatten(2).mT).mT.view(u.shape), AXES),
    "pixels first": (lambda u, s, _x: (u.permute(2, 3, 0, 1) * s[..., 0, 0]).permute(2, 3, 0, 1), AXES),
}


@pytest.mark.parametrize("way", SCALARS)
def test_a_multiplication_that_is_no_gate_is_listed_with_its_reason(way: str) -> None:
    scale, reason = SCALARS[way]
    finding = se_viz.survey(network(READ["product"], scale), 32)
    assert len(finding.gates) == 1
    assert {(item.path, item.reason) for item in finding.passed} == {("2", reason)}
    assert bool(finding.notes) == (reason in (FIVE_AXES, AXES))


def weighted_squeeze(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    """Add numbers computed from a mean over pixels that weighs them; nothing is multiplied by a factor per channel."""
    small = nn.functional.adaptive_avg_pool2d(u, 2).flatten(2)
    return u + (small @ small.mean(1, keepdim=True).softmax(2).mT)[..., None] * 0.1


def test_a_squeeze_that_weighs_pixels_is_no_sum_of_branches() -> None:
    finding = se_viz.survey(network(READ["product"], weighted_squeeze), 32)
    assert finding.passed == ()
    assert finding.notes == ()


def reordered(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    return (u * s)[u.mean((1, 2, 3)).argsort()]


@pytest.mark.parametrize("change", [reordered, lambda u, s, _x: (u * s).flip(0), lambda u, s, _x: (u * s).roll(1, 0)])
def test_images_in_another_order_are_told(change: Scale) -> None:
    (note,) = se_viz.survey(network(READ["product"], change), 32).notes
    assert note.startswith("The code of 2 puts the images of a batch into another order")
    assert se_viz.survey(network(READ["product"], lambda u, s, _x: (u * s).flip(3)[:, :, ::1]), 32).notes == ()


class Forced(nn.Module):
    """A block that multiplies by a given s where there is one."""

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.block, self.s = Block(16, self.times), None
        self.scale = scale

    def times(self, u: Tensor, s: Tensor, x: Tensor) -> Tensor:
        return self.scale(u, s if self.s is None else torch.full_like(s, self.s), x)

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x)


@pytest.mark.parametrize("way", [way for way in READ if way not in ("with U added", "without")])
def test_an_edit_of_what_is_read_is_what_another_s_would_give(way: str) -> None:
    network_ = network(READ["product"])
    network_[1] = Forced(READ[way]).eval()
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    (gate,) = se_viz.capture(network_, images).gates
    edited = se_viz.capture(network_, images, maps=[gate], edits={gate: 0.25})
    network_[1].s = 0.25
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(edited.logits), network_(images))
    torch.testing.assert_close(torch.from_numpy(edited[gate].x), torch.from_numpy(edited[gate].u) * 0.25)


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


def in_a_loop(u: Tensor, s: Tensor, _x: Tensor) -> Tensor:
    return while_loop(lambda i, _u: i < 1, lambda i, u: (i + 1, u * s), (torch.tensor(0), u))[1]


CONTROLLED: dict[str, Scale] = {
    "cond": lambda u, s, _x: torch.cond(u.sum() > -1e9, torch.mul, torch.add, (u, s)),
    "while_loop": in_a_loop,
}


@pytest.mark.slow
@pytest.mark.parametrize("operator", CONTROLLED)
def test_an_operator_that_calls_functions_is_told_and_read_where_torch_does_not_compile_it(operator: str) -> None:
    images = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with pytest.raises(NotReadable, match=rf"calls `{operator}`, which torch compiles .*set_stance\(\"force_eager\"\)"):
        se_viz.capture(network(CONTROLLED[operator]), images)
    with torch.compiler.set_stance("force_eager"):
        read = se_viz.capture(network(CONTROLLED[operator], READ["product"]), images)
    wanted = se_viz.capture(network(READ["product"], READ["product"]), images)
    for one, other in zip(read, wanted, strict=True):
        assert (one.s == other.s).all()
        assert (one.z == other.z).all()
    assert (read.logits == wanted.logits).all()


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
        "its convolution has a separate kernel for each image, which is not a factor per channel",
    )
