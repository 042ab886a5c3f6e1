"""The walk-through has the numbers of capture, and each of its steps leads to the next."""

import numpy as np
import pytest
import torch

import se_viz
from se_viz.analysis.walk import most_changed, walk
from se_viz.data.preprocess import Preprocess
from se_viz.gates.gate_functions import GATE_FUNCTIONS
from se_viz.model.model import Model
from se_viz.zoo import timm_source

SMALL = Preprocess((64, 64), 64)


def randomly(name):
    """A network of timm with random weights, in which no batch norm is 0."""
    torch.manual_seed(0)
    network = timm_source.create(name).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.5, 0.5)
    return Model(name, network, SMALL)


def check(model, gate, channel):
    image = se_viz.sample("cat")
    made = walk(model, image, gate, channel)
    gate_capture = se_viz.capture(model, image, maps=[made.gate.name])[made.gate.name]
    c = made.channel
    assert made.z == gate_capture.z[0, c]
    assert made.s == gate_capture.s[0, c]
    np.testing.assert_array_equal(made.u, gate_capture.u[0, c])
    np.testing.assert_array_equal(made.x_tilde, gate_capture.x[0, c])
    assert made.s * made.u == pytest.approx(made.x_tilde, abs=1e-5)
    logit = torch.tensor(made.excitation_bias + sum(term.product for term in made.excitation_terms()))
    assert float(logit) == pytest.approx(made.logit, abs=1e-4)
    assert float(GATE_FUNCTIONS[made.gate.gate_function].apply(logit)) == pytest.approx(made.s, abs=2e-5)
    if made.convolution is not None:
        row, column = made.brightest
        assert sum(term.product for term in made.pixel_terms(row, column)) + made.products(row, column).bias == (
            pytest.approx(float(made.convolved[row, column]), rel=1e-4, abs=1e-4)
        )
        assert made.values.before[-1].output[c] == pytest.approx(made.u, abs=2e-4)
    return made


@pytest.mark.slow
@pytest.mark.parametrize(("gate", "channel"), [("SE_2_1", None), ("SE_3_1", 5), ("SE_5_2", 450)])
def test_a_demo_model_is_followed_from_x_to_the_output(demo, gate, channel):
    made = check(demo, gate, channel)
    assert made.z == pytest.approx(float(made.u.mean(dtype=np.float64)), abs=1e-5)
    assert made.h.shape == (made.gate.bottleneck,)
    addition, relu = made.values.after
    assert made.x_tilde + addition.added[made.channel] == pytest.approx(addition.output[made.channel], abs=1e-4)
    assert np.maximum(addition.output, 0) == pytest.approx(relu.output)
    assert relu.output == pytest.approx(made.values.output)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["demo/r16-max", "demo/r16-tanh", "demo/r16-relu", "demo/r16-pre"])
def test_other_squeezes_gate_functions_and_places_are_followed(name):
    made = check(se_viz.load(name, "cpu"), "SE_3_1", None)
    if name == "demo/r16-max":
        assert made.z == pytest.approx(float(made.u.max()), abs=1e-5)
    assert (made.convolution is None) == (name == "demo/r16-pre")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("legacy_seresnet50", "bottleneck"),
        ("ecaresnet26t", "neighbours"),
        ("mobilenetv3_small_100", "bottleneck"),
        ("ese_vovnet19b_dw", "one layer"),
    ],
)
def test_networks_of_timm_are_followed(name, kind):
    model = randomly(name)
    made = check(model, model.gates[0].name, 1)
    assert made.values.layers.kind == kind
    assert made.gate.gate_function == ("sigmoid" if "resnet" in name else "hard-sigmoid")


def test_the_default_channel_is_the_one_that_changes_most(demo):
    made = walk(demo, se_viz.sample("cat"))
    assert made.gate.name == "SE_2_1"
    change = np.linalg.norm((made.gate_capture.u - made.gate_capture.x)[0].reshape(made.gate.channels, -1), axis=1)
    assert made.channel == most_changed(made.gate_capture) == change.argmax()


def test_products_with_padding_are_left_out(demo):
    model = randomly("test_efficientnet")
    made = walk(model, se_viz.sample("cat"), model.gates[0].name, 0)
    assert len(made.pixel_terms(0, 0)) == 4  # a depthwise 3 × 3 kernel in a corner
    assert made.products(0, 0).weights.size == 9


def test_mistakes_are_said(demo):
    cat = se_viz.sample("cat")
    with pytest.raises(ValueError, match="SE_2_1 has no channel 96: its channels are 0 to 95"):
        walk(demo, cat, "SE_2_1", 96)
    with pytest.raises(KeyError, match="There is no gate 'SE_9_9'"):
        walk(demo, cat, "SE_9_9")
    with pytest.raises(ValueError, match="One image is followed at a time, not 2"):
        walk(demo, [cat, cat])
    with pytest.raises(ValueError, match=r"no pixel 99,0: rows are 0 to 31"):
        walk(demo, cat, "SE_2_1", 0).products(99, 0)
