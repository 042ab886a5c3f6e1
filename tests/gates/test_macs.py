from math import prod

import pytest
import timm
import torch
import torchvision
from support.quick import exhaustive
from torch import nn
from torch.nn import functional as nnf
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from se_viz.analysis.cost import cost
from se_viz.demo import evaluate as measure
from se_viz.gates.macs import RULE, counting, not_counted

X = torch.rand(1, 4, 10, 10)
HEADS = torch.rand(2, 3, 16, 8)
TOKENS = torch.rand(2, 16, 12)
ATTENTION = 2 * 3 * 16 * 16 * 8 * 2
# Projections to queries, keys, values and of what comes of them, and the two products.
SELF_ATTENTION = 2 * (4 * 16 * 12 * 12 + 2 * 16 * 16 * 12)
ENCODER = SELF_ATTENTION + 2 * 2 * 16 * 12 * 20


def _quantised_convolution():
    layer = torch.ao.nn.quantized.Conv2d(4, 6, 3, padding=1, groups=2)
    layer(torch.quantize_per_tensor(X, 0.1, 0, torch.quint8))


CALLS = {
    "attention": (lambda: nnf.scaled_dot_product_attention(HEADS, HEADS, HEADS), ATTENTION),
    "attention in bf16": (lambda: nnf.scaled_dot_product_attention(*[HEADS.bfloat16()] * 3), ATTENTION),
    "attention with a bias": (
        lambda: nnf.scaled_dot_product_attention(HEADS, HEADS, HEADS, attn_mask=torch.zeros(16, 16)),
        ATTENTION,
    ),
    "causal attention": (lambda: nnf.scaled_dot_product_attention(HEADS, HEADS, HEADS, is_causal=True), ATTENTION),
    "attention across": (
        lambda: nnf.scaled_dot_product_attention(HEADS[:, :, :5], HEADS, HEADS),
        2 * 3 * 5 * 16 * 8 * 2,
    ),
    "attention by hand": (lambda: (HEADS @ HEADS.mT).softmax(-1) @ HEADS, ATTENTION),
    "attention by einsum": (
        lambda: torch.einsum("bhls,bhsd->bhld", torch.einsum("bhld,bhsd->bhls", HEADS, HEADS), HEADS),
        ATTENTION,
    ),
    "multi-head attention": (
        lambda: nn.MultiheadAttention(12, 3, batch_first=True).eval()(TOKENS, TOKENS, TOKENS, need_weights=False),
        SELF_ATTENTION,
    ),
    "multi-head attention with weights": (
        lambda: nn.MultiheadAttention(12, 3, batch_first=True).eval()(TOKENS, TOKENS, TOKENS),
        SELF_ATTENTION,
    ),
    "multi-head attention in training": (
        lambda: nn.MultiheadAttention(12, 3, batch_first=True).train()(TOKENS, TOKENS, TOKENS),
        SELF_ATTENTION,
    ),
    "encoder layer": (lambda: nn.TransformerEncoderLayer(12, 3, 20, batch_first=True).eval()(TOKENS), ENCODER),
    "encoder layer in training": (
        lambda: nn.TransformerEncoderLayer(12, 3, 20, batch_first=True).train()(TOKENS),
        ENCODER,
    ),
    "convolution": (lambda: nnf.conv2d(X, torch.rand(6, 2, 3, 3), padding=1, groups=2), 600 * 18),
    "transposed convolution": (lambda: nnf.conv_transpose2d(X, torch.rand(4, 5, 2, 2), stride=2), 100 * 4 * 5 * 4),
    "convolution in time": (lambda: torch.conv_tbc(torch.rand(9, 2, 4), torch.rand(3, 4, 5), torch.zeros(5)), 840),
    "deformable convolution": (
        lambda: torchvision.ops.deform_conv2d(X, torch.zeros(1, 18, 10, 10), torch.rand(6, 4, 3, 3), padding=1),
        600 * 36,
    ),
    "FC": (lambda: nnf.linear(TOKENS, torch.rand(7, 12), torch.rand(7)), 2 * 16 * 12 * 7),
    "FC of one vector": (lambda: nnf.linear(torch.rand(12), torch.rand(7, 12)), 84),
    "matrix times vector": (lambda: torch.rand(7, 12) @ torch.rand(12), 84),
    "matrix times vector, added": (lambda: torch.addmv(torch.rand(7), torch.rand(7, 12), torch.rand(12)), 84),
    "vector times vector": (lambda: torch.rand(12) @ torch.rand(12), 12),
    "products of matrices in place": (lambda: torch.rand(5, 5).addmm_(torch.rand(5, 3), torch.rand(3, 5)), 75),
    "summed products": (lambda: torch.addbmm(torch.rand(4, 6), torch.rand(3, 4, 5), torch.rand(3, 5, 6)), 360),
    "added products": (lambda: torch.baddbmm(torch.rand(3, 4, 6), torch.rand(3, 4, 5), torch.rand(3, 5, 6)), 360),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5)(torch.rand(2, 3), torch.rand(2, 4)), 2 * (3 * 4 * 5 + 4 * 5)),
    "LSTM": (lambda: nn.LSTM(12, 6, batch_first=True)(TOKENS), 2 * 16 * 4 * 6 * (12 + 6)),
    "LSTM both ways": (lambda: nn.LSTM(12, 6, bidirectional=True)(TOKENS), 2 * 2 * 16 * 4 * 6 * (12 + 6)),
    "GRU": (lambda: nn.GRU(12, 6, batch_first=True)(TOKENS), 2 * 16 * 3 * 6 * (12 + 6)),
    "int8 FC": (lambda: torch.ao.nn.quantized.dynamic.Linear(12, 7)(TOKENS), 2 * 16 * 12 * 7),
    "int8 convolution": (_quantised_convolution, 600 * 18),
    "elementwise": (lambda: (X * X.mean((2, 3), keepdim=True).sigmoid()).relu().sum(), 0),
    "pooling and resizing": (lambda: nnf.interpolate(nnf.avg_pool2d(X, 2), scale_factor=2, mode="bilinear"), 0),
    "pooling of regions": (lambda: torchvision.ops.roi_align(X, [torch.tensor([[0.0, 0, 5, 5]])], 3), 0),
}


@pytest.mark.parametrize("grad", [torch.inference_mode, torch.no_grad, torch.enable_grad])
@pytest.mark.parametrize(("call", "macs"), CALLS.values(), ids=list(CALLS))
@pytest.mark.filterwarnings("ignore")
def test_a_product_counts_the_same_however_it_is_called(call, macs, grad):
    with grad(), counting() as count:
        call()
    assert count.macs == macs
    assert count.left_out == {}


@pytest.mark.filterwarnings("ignore")
def test_tokens_that_are_padding_are_not_computed_and_not_counted():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(12, 4, 20, batch_first=True), 1).eval()
    padding = torch.arange(16) >= torch.tensor([[16], [10]])
    with torch.no_grad(), counting() as count:
        encoder(TOKENS, src_key_padding_mask=padding)
    assert count.macs == sum(4 * n * 144 + 2 * n * n * 12 + 2 * n * 240 for n in (16, 10))


@torch.library.custom_op("se_viz_tests::mix", mutates_args=())
def mix(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return x @ weight


class Foreign(nn.Module):
    def forward(self, x):
        return mix(x, torch.eye(10))


def test_what_is_not_counted_is_named():
    with counting() as count:
        Foreign()(X)
        Foreign()(X)
        torch.fft.rfft2(X)
        torch.cdist(torch.rand(40, 3), torch.rand(40, 3))
    assert count.left_out == {"se_viz_tests.mix": 2, "aten._fft_r2c": 1, "aten._euclidean_dist": 1}
    assert count.macs == 0
    said = not_counted(count.left_out)
    assert "se_viz_tests.mix (2 calls)" in said
    assert "aten._fft_r2c (1 call)" in said
    assert not_counted({}) == ""


@pytest.mark.slow
def test_the_cost_of_a_network_carries_what_is_not_counted():
    network = timm.create_model("seresnet18", pretrained=False).eval()
    alone = cost(network, 64)
    assert alone.left_out == {}
    network.layer4[1].act2 = nn.Sequential(Foreign(), network.layer4[1].act2)
    network.layer4[1].act2[0].forward = lambda x: mix(x, torch.eye(x.shape[-1]))
    assert cost(network, 64).left_out == {"se_viz_tests.mix": 1}
    assert cost(network, 64).macs == alone.macs


def _by_hand(network, images):
    """A count of multiply-accumulates from the shapes at function calls, in a mode that does not see operators."""
    found = 0

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            nonlocal found
            out = func(*args, **(kwargs or {}))
            name = func.__name__
            if name == "conv2d":
                found += out.numel() * prod(args[1].shape[1:])
            elif name in {"linear", "matmul", "__matmul__"}:
                found += out.numel() * args[0].shape[-1]
            elif name == "scaled_dot_product_attention":
                query, key, value = args[:3]
                found += query.numel() // query.shape[-1] * key.shape[-2] * (query.shape[-1] + value.shape[-1])
            return out

    with torch.no_grad(), Watch():
        network(images)
    return found


# With fused attention (coatnet, maxvit, fastvit), attention by hand (gcvit, botnet, halonet), and without.
@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        *("gcvit_xxtiny", "coatnet_nano_rw_224", "fastvit_mci0", "sehalonet33ts", "regnety_002"),
        *exhaustive("maxvit_nano_rw_256", "sebotnet33ts_256", "efficientnet_b0", "seresnext26d_32x4d"),
    ],
)
def test_networks_count_what_two_other_ways_count(name):
    network = timm.create_model(name, pretrained=False).eval()
    crop = network.pretrained_cfg["input_size"][1:]
    counted = measure.count_macs(network, crop)
    images = torch.zeros(1, 3, *crop)
    assert counted == _by_hand(network, images)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as unfused:
        network(images)
    assert counted == unfused.get_total_flops() // 2


@pytest.mark.slow
def test_the_papers_network_costs_what_it_did():
    counted = cost(timm.create_model("legacy_seresnet50", pretrained=False), 224)
    assert f"{counted.totals()[1] / 1e9:.3f}" == "3.858"
    assert f"{counted.macs / 1e9:.3f}" == "3.860"
    assert f"{counted.params / 1e6:.3f}" == "28.088"


def test_the_rule_says_what_it_counts_and_what_it_leaves_out():
    for word in ("convolutions", "FC", "attention", "fused or not", "Not counted", "elementwise", "pooling"):
        assert word in RULE
