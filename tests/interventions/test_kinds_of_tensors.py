"""Networks that take, pass on or return sparse, nested and quantised tensors, against dense ones."""

import numpy as np
import pytest
import torch
from support.networks import SE, make_images
from torch import nn

import se_viz
from se_viz.gates.errors import NotAnImageModel, NotReadable

GATE = "SE_0_1"

# torch warns that these kinds of tensors may change.
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{begin}")
    for begin in ("The PyTorch API of nested tensors", "Sparse [A-Z]+ tensor support", "torch.quantize_per_tensor")
]


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Net(nn.Module):
    def __init__(self, end=lambda y: y, middle=()):
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.se, self.fc, self.end = nn.Conv2d(3, 8, 3, padding=1), SE(), nn.Linear(8, 4), end
        self.middle = nn.Sequential(*map(Function, middle))

    def forward(self, x):
        return self.end(self.fc(torch.relu(self.se(self.middle(self.stem(x)))).mean((2, 3))))


def quantised(y, step=0.05):
    return torch.quantize_per_tensor(y, step, 0, torch.qint8)


def by_channel(y):
    return torch.quantize_per_channel(y, torch.full((4,), 0.05), torch.zeros(4, dtype=torch.long), 1, torch.qint8)


def stepped(y):
    """Steps that differ between batches."""
    return torch.quantize_per_tensor(y, y.detach().abs().max().item() / 100, 0, torch.qint8)


TABLES = {
    "coo": torch.Tensor.to_sparse,
    "csr": torch.Tensor.to_sparse_csr,
    "csc": torch.Tensor.to_sparse_csc,
    "bsr": lambda y: y.to_sparse_bsr((1, 2)),
    "mkldnn": torch.Tensor.to_mkldnn,
    "quantised": quantised,
    "quantised by channel": by_channel,
    "quantised in other steps": stepped,
    "8 bits": lambda y: y.to(torch.float8_e4m3fn),
}


@pytest.fixture
def images():
    return make_images(3, 16)


@pytest.mark.parametrize("kind", TABLES)
def test_a_table_of_another_kind_is_a_table(images, kind):
    network, reference = Net(TABLES[kind]).eval(), Net().eval()
    rounding = 0.2 if kind == "8 bits" else 0.03
    expected = se_viz.capture(reference, images, edits={GATE: 0.5}).logits
    read = se_viz.capture(network, images)
    assert read.output.layout == TABLES[kind](torch.ones(1, 4)).layout
    for capture in (read, se_viz.capture(network, images, batch=2)):
        np.testing.assert_allclose(capture.logits, se_viz.capture(reference, images).logits, atol=rounding)
    np.testing.assert_allclose(se_viz.capture(network, images, edits={GATE: 0.5}).logits, expected, atol=rounding)
    function = se_viz.suffix(network, images, GATE)
    np.testing.assert_allclose(function(torch.full((3, 8), 0.5)), expected, atol=rounding)
    frozen = se_viz.freeze(network, {GATE: 0.5}).network(images).detach()
    dense = frozen.dequantize() if frozen.is_quantized else frozen.to_dense().float()
    np.testing.assert_allclose(dense, expected, atol=rounding)
    if "quantised" in kind or kind == "8 bits":
        return
    attributed = [se_viz.attribute(one, images, GATE, 1, baseline=1.0).values for one in (network, reference)]
    np.testing.assert_allclose(*attributed, atol=1e-6)
    maps = [se_viz.cam(one, images, GATE, 1).x for one in (network, reference)]
    np.testing.assert_allclose(*maps, atol=1e-6)


def test_gradients_of_quantised_logits_are_told(images):
    with pytest.raises(NotReadable, match='The method "exact" needs no gradients'):
        se_viz.attribute(Net(quantised).eval(), images, GATE, 1, baseline=1.0)
    assert se_viz.attribute(Net(quantised).eval(), images, GATE, 1, method="exact", baseline=0.0).values.any()


def rows(layout):
    return lambda y: torch.nested.nested_tensor([row[: 1 + at] for at, row in enumerate(y)], layout=layout)


@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
@pytest.mark.parametrize("inside", [False, True])
def test_nested_outputs_are_kept_and_no_logits(images, layout, inside):
    def end(y):
        return {"table": y, "rows": rows(layout)(y)} if inside else rows(layout)(y)

    network = Net(end).eval()
    for batch in (32, 2):
        read = se_viz.capture(network, images, batch=batch)
        found = read.output["rows"] if inside else read.output
        assert found.is_nested
        assert read.logits is None
        assert not read.not_finite
        assert [len(part) for part in found.unbind()] == ([1, 2, 3] if batch == 32 else [1, 2, 1])
    with pytest.raises(NotReadable, match="returns no logits"):
        se_viz.suffix(network, images, GATE)
    assert se_viz.freeze(network, {GATE: 0.5}).gates[0].name == GATE


def test_nan_in_a_sparse_output_is_told(images):
    network = Net(lambda y: (y * float("nan")).to_sparse()).eval()
    with pytest.warns(se_viz.NotFiniteValues, match="The network returned NaN"):
        se_viz.capture(network, images)


PASSED_ON = {
    "sparse": (torch.Tensor.to_sparse, torch.Tensor.to_dense),
    "quantised": (lambda x: torch.quantize_per_tensor(x, 0.01, 0, torch.qint32), torch.dequantize),
    "nested": (
        lambda x: torch.nested.nested_tensor(list(x)),
        lambda x: torch.nested.to_padded_tensor(x, 0.0),
    ),
    "inference": (torch.inference_mode()(lambda x: x * 1), lambda x: x * 1),
}


@pytest.mark.parametrize("kind", PASSED_ON)
def test_what_comes_before_the_gate_may_be_of_any_kind(images, kind):
    network, reference = Net(middle=PASSED_ON[kind]).eval(), Net().eval()
    rounding = 0.02 if kind == "quantised" else 1e-6
    np.testing.assert_allclose(
        se_viz.capture(network, images)[GATE].s, se_viz.capture(reference, images)[GATE].s, atol=rounding
    )
    s = torch.rand(3, 2, 8)
    expected = se_viz.suffix(reference, images, GATE)(s)
    np.testing.assert_allclose(se_viz.suffix(network, images, GATE)(s), expected, atol=rounding)


KINDS = {
    "sparse": (torch.Tensor.to_sparse, r"images\.to_dense\(\)"),
    "nested": (lambda x: torch.nested.nested_tensor(list(x)), "equal in size"),
    "quantised": (quantised, "dequantize|unknown range"),
    "meta": (lambda x: x.to("meta"), "give their numbers"),
    "whole numbers": (torch.Tensor.byte, "floats, not"),
    "one image": (lambda x: x[0], "must be"),
    "other channels": (lambda x: x[:, :2], "does not take images of shape"),
    "no height": (lambda x: x[:, :, :0], "does not take images of shape"),
}
CALLS = {
    "capture": se_viz.capture,
    "edits": lambda network, images: se_viz.capture(network, images, edits={GATE: 0.5}),
    "suffix": lambda network, images: se_viz.suffix(network, images, GATE),
    "cam": lambda network, images: se_viz.cam(network, images, GATE),
    "conductance": lambda network, images: se_viz.attribute(network, images, GATE, method="layer-conductance"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", CALLS)
def test_images_of_another_kind_are_refused_with_what_to_give(images, kind, call):
    change, said = KINDS[kind]
    with pytest.raises(NotAnImageModel, match=said):
        CALLS[call](Net().eval(), change(images))


@pytest.mark.parametrize("call", CALLS)
def test_images_made_in_inference_mode_are_read(call):
    network = Net().eval()
    with torch.inference_mode():
        CALLS[call](network, make_images(2, 16))
