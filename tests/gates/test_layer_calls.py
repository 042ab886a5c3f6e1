"""The products of a layer add up to what the layer puts out."""

import numpy as np
import pytest
import torch
from torch import nn

from se_viz.gates.layer_calls import LayerCalls

LAYERS = {
    "1×1": (nn.Conv2d(6, 4, 1), (1, 6, 5, 7)),
    "padded": (nn.Conv2d(3, 4, 3, padding=1, bias=False), (1, 3, 5, 7)),
    "stride": (nn.Conv2d(3, 4, (3, 5), stride=(2, 3), padding=(1, 2)), (1, 3, 9, 11)),
    "dilated": (nn.Conv2d(3, 4, 3, padding=2, dilation=2), (1, 3, 8, 8)),
    "same": (nn.Conv2d(3, 4, (3, 5), padding="same", dilation=2), (1, 3, 6, 6)),
    "groups": (nn.Conv2d(6, 4, 3, padding=1, groups=2), (1, 6, 5, 5)),
    "depthwise": (nn.Conv2d(4, 4, 5, padding=2, groups=4), (1, 4, 6, 6)),
    "neighbours": (nn.Conv1d(1, 1, 3, padding=1, bias=False), (1, 1, 9)),
    "linear": (nn.Linear(6, 4), (1, 6)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_products_add_up_to_the_output_at_every_place(name):
    layer, shape = LAYERS[name]
    with torch.no_grad(), LayerCalls(maps=True) as made:
        output = layer(torch.randn(shape, generator=torch.Generator().manual_seed(0)))[0]
    (call,) = made.calls
    for at in np.ndindex(tuple(output.shape)):
        products = call.products(at[0], at[1:])
        assert products.sum == pytest.approx(float(output[at]), abs=2e-6)
        assert products.inputs.shape == products.weights.shape


def test_a_matrix_product_is_an_fc_layer():
    weight, z = torch.randn(6, 4), torch.randn(1, 6)
    with LayerCalls() as made:
        output = z @ weight
    assert [call.kind for call in made.calls] == ["linear"]
    assert made.calls[0].products(2).sum == pytest.approx(float(output[0, 2]), abs=1e-6)


def test_maps_are_recorded_only_where_they_are_asked_for_and_vectors_are_copied():
    layer, relu = nn.Conv2d(3, 3, 1), nn.ReLU(inplace=True)
    with torch.no_grad(), LayerCalls() as made:
        layer(torch.randn(1, 3, 8, 8))
        vector = layer(torch.randn(1, 3, 1, 1))
        before = vector.clone()
        relu(vector)
    (call,) = made.calls
    assert torch.equal(call.output, before[0])
