"""Attributions of a logit to channels, against captum called by hand, edits one at a time, and their own sums."""

import copy
from functools import partial

import numpy as np
import pytest
import torch
from captum.attr import FeatureAblation, InputXGradient, IntegratedGradients, LayerConductance, ShapleyValueSampling
from support.odd_networks.cases import CASES
from support.odd_networks.gates import SIDE
from support.quick import exhaustive
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import se_viz
from se_viz.gates.errors import NotAnImageModel, NotReadable
from se_viz.gates.find import find_gates
from se_viz.gates.se_unit import SEGate
from se_viz.interventions.attribution import METHODS, attribute, attribute_suffix
from se_viz.interventions.baseline import mean_weights
from se_viz.interventions.capture import capture
from se_viz.interventions.faithfulness import ORDERS, faithfulness
from se_viz.interventions.suffix import suffix


@pytest.fixture(scope="module")
def images():
    return [se_viz.sample("cat"), se_viz.sample("temple")]


@pytest.mark.slow
@pytest.mark.parametrize("baseline", [1.0, 0.0, "mean"])
def test_methods_are_captums(demo, images, baseline):
    function = suffix(demo, images, "SE_5_2")
    base = torch.as_tensor(mean_weights(demo, "SE_5_2") if baseline == "mean" else np.full(768, baseline)).float()
    lines = base.expand(2, -1)
    target = torch.tensor([3, 7])
    by_hand = {
        "integrated gradients": IntegratedGradients(function).attribute(function.s, lines, target=target, n_steps=50),
        "exact": FeatureAblation(function).attribute(function.s, lines, target=target, perturbations_per_eval=64),
        "gradient × change": InputXGradient(lambda d: function(lines + d)).attribute(
            (function.s - lines).requires_grad_(), target=target
        ),
    }
    for method, expected in by_hand.items():
        found = attribute(demo, images, "SE_5_2", [3, 7], method, baseline=baseline)
        np.testing.assert_allclose(found.values, expected.detach(), atol=2e-5)
        np.testing.assert_array_equal(found.targets, [3, 7])


class Largest(TorchDispatchMode):
    """The number of elements of the largest tensor that is made."""

    elements = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        self.elements = max(
            [self.elements, *(one.numel() for one in tree_leaves(made) if isinstance(one, torch.Tensor))]
        )
        return made


@pytest.mark.slow
@pytest.mark.parametrize("method", ["exact", "shapley sampling"])
def test_many_images_take_the_memory_of_one_and_get_the_same_values(demo, method):
    shown = torch.from_numpy(np.random.default_rng(0).normal(size=(6, 3, 32, 32)).astype(np.float32))
    function = suffix(demo, shown, "SE_4_1")
    count, channels = function.s.shape
    with Largest() as largest:
        found = attribute_suffix(function, torch.full((6,), 3), torch.ones(function.s.shape[1]), method, samples=1)
    assert largest.elements < 3 * channels * channels
    s, lines = function.s, torch.ones(count, channels)
    with torch.no_grad():
        if method == "exact":
            rows = torch.where(torch.eye(channels, dtype=torch.bool), lines[:, None], s[:, None])
            expected = (function(s)[:, None] - function(rows))[..., 3]
        else:
            order = torch.randperm(channels, generator=torch.Generator().manual_seed(0))
            known = order.argsort()[None, :] < torch.arange(channels + 1)[:, None]
            along = function(torch.where(known, s[:, None], lines[:, None]))[..., 3].double()
            expected = torch.empty(count, channels, dtype=torch.float64)
            expected[:, order] = along.diff(dim=1)
    np.testing.assert_allclose(found.values, expected, atol=1e-6)


@pytest.mark.slow
def test_shapley_values_are_near_captums_and_add_up(demo, images):
    image = demo.inputs(images[0])[:, :, 32:64, 32:64]  # small, as there are thousands of passes
    function = suffix(demo, image, "SE_2_1")
    found = attribute(demo, image, "SE_2_1", 3, "shapley sampling", baseline=1.0, samples=20)
    torch.manual_seed(0)
    with torch.no_grad():
        theirs = ShapleyValueSampling(function).attribute(
            function.s, 1.0, target=3, n_samples=4, perturbations_per_eval=32
        )
    assert np.corrcoef(found.values[0], theirs[0])[0, 1] > 0.9
    assert abs(found.completeness_error).max() < 1e-4
    again = attribute(demo, image, "SE_2_1", 3, "shapley sampling", baseline=1.0, samples=20)
    np.testing.assert_array_equal(again.values, found.values)


@pytest.mark.slow
def test_exact_is_edits_one_at_a_time(demo, images):
    found = attribute(demo, images, "SE_4_2", "church", "exact", baseline=0.0)
    church = demo.classes.index("church")
    plain = capture(demo, images).logits[:, church]
    for channel in (0, 17, 383):
        edited = capture(demo, images, edits={"SE_4_2": {channel: 0.0}}).logits[:, church]
        np.testing.assert_allclose(found.values[:, channel], plain - edited, atol=1e-5)


@pytest.mark.slow
def test_integrated_gradients_add_up_to_the_change(demo, images):
    for gate in ("SE_2_1", "SE_5_2"):
        found = attribute(demo, images, gate, steps=100)
        assert abs(found.completeness_error).max() < 2e-2
        mean = {gate: mean_weights(demo, gate)}
        logits, edited = capture(demo, images).logits, capture(demo, images, edits=mean).logits
        at = np.arange(2), found.targets
        np.testing.assert_allclose(found.change, (logits - edited)[at], atol=1e-4)


def test_without_target_it_is_what_the_network_says(demo, images):
    found = attribute(demo, images, "SE_5_2", method="gradient × change")
    np.testing.assert_array_equal(found.targets, capture(demo, images).logits.argmax(1))


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"target": "dog"}, KeyError, "There is no class 'dog': choose one of tench"),
        ({"target": 10}, KeyError, "There is no logit 10: choose one of 0 to 9"),
        ({"target": [1, 2, 3]}, ValueError, "3 targets for 2 images"),
        ({"method": "saliency"}, ValueError, "method is one of integrated gradients"),
        ({"baseline": "median"}, ValueError, "not 'median'"),
        ({"baseline": np.ones(5)}, ValueError, r"has 768 numbers or one, not \(5,\)"),
        ({"baseline": float("nan")}, ValueError, "NaN"),
        ({"baseline": None}, ValueError, "not NoneType"),
        ({"target": ""}, KeyError, "There is no class '': choose one of tench"),
        ({"target": True}, TypeError, "the name or the number of a class, not True"),
        ({"target": 1.5}, TypeError, "not 1.5"),
        ({"target": [None]}, TypeError, "not None"),
        ({"steps": 0}, ValueError, "1 or more, not 0 and 25"),
        ({"samples": 0, "method": "shapley sampling"}, ValueError, "1 or more, not 50 and 0"),
        ({"steps": 1.5}, ValueError, "whole numbers, 1 or more, not 1.5 and 25"),
    ],
)
def test_what_cannot_be_is_refused(demo, images, arguments, error, said):
    with pytest.raises(error, match=said):
        attribute(demo, images, "SE_5_2", **arguments)


@pytest.mark.parametrize("target", [3, np.int64(3), torch.tensor(3), [3, 3], np.array([3, 3]), "church"])
def test_a_target_is_a_number_or_a_name_of_any_kind(demo, images, target):
    expected = demo.classes.index(target) if isinstance(target, str) else 3
    found = attribute(demo, images, "SE_5_2", target, "gradient × change")
    np.testing.assert_array_equal(found.targets, [expected] * 2)


@pytest.mark.parametrize("call", [suffix, attribute, faithfulness, partial(attribute, method="layer-conductance")])
def test_images_that_are_nan_or_none_get_a_sentence(demo, call):
    nan = torch.full((1, 3, 128, 128), float("nan"))
    with pytest.raises(NotReadable, match="NaN or infinite numbers for these images, so no effect can be measured"):
        call(demo, nan, "SE_5_2")
    for nothing in ([], nan[:0]):
        with pytest.raises(NotAnImageModel, match="with N ≥ 1"):
            call(demo, nothing, "SE_5_2")


@pytest.mark.parametrize("few", [{"points": 1}, {"repeats": 0}, {"points": 2.5}])
def test_curves_of_too_few_points_are_refused(demo, images, few):
    with pytest.raises(ValueError, match="points must be 2 or more and repeats 1 or more"):
        faithfulness(demo, images, "SE_5_2", **few)


def test_s_is_not_the_importance_and_integrated_gradients_are(demo, images):
    """The finding that the project shows: rank correlation with the exact effect."""

    def ranks(values):
        return np.argsort(np.argsort(values))

    exact = attribute(demo, images[:1], "SE_5_2", method="exact").values[0]
    gradients = attribute(demo, images[:1], "SE_5_2").values[0]
    s = capture(demo, images[:1])["SE_5_2"].s[0]
    assert np.corrcoef(ranks(gradients), ranks(exact))[0, 1] > 0.99
    assert abs(np.corrcoef(ranks(s), ranks(exact))[0, 1]) < 0.5


@pytest.mark.slow
def test_all_methods_run_in_half_precision(images):
    model = se_viz.load("demo/r16", device="cpu", precision="bf16")
    for method in METHODS:
        if method != "shapley sampling":
            assert np.isfinite(attribute(model, images[:1], "SE_5_2", method=method).values).all()
    model.close()


def test_curves_begin_and_end_at_the_baseline_and_at_s(demo, images):
    found = faithfulness(demo, images, "SE_5_2", points=9)
    assert tuple(found.curves) == ORDERS
    plain = capture(demo, images).logits
    mean = capture(demo, images, edits={"SE_5_2": "mean"}).logits
    at = np.arange(2), found.targets
    assert found.channels.tolist() == [0, 96, 192, 288, 384, 480, 576, 672, 768]
    for curves in found.curves.values():
        np.testing.assert_allclose(curves.insertion[:, 0], mean[at], atol=1e-4)
        np.testing.assert_allclose(curves.insertion[:, -1], plain[at], atol=1e-4)
        np.testing.assert_allclose(curves.deletion[:, 0], plain[at], atol=1e-4)
        np.testing.assert_allclose(curves.deletion[:, -1], mean[at], atol=1e-4)


def test_an_order_by_contribution_beats_random_orders_and_s_does_not_by_as_much(demo, images):
    found = faithfulness(demo, images, "SE_5_2")
    insertion, deletion = found.spread
    assert (found.insertion_area("attribution") > found.insertion_area("random") + 3 * insertion).all()
    assert (found.deletion_area("attribution") < found.deletion_area("random") - 3 * deletion).all()
    assert (found.insertion_area("s") < found.insertion_area("attribution")).all()


def test_a_point_of_a_curve_is_an_edit(demo, images):
    found = faithfulness(demo, images[:1], "SE_5_2", ["s"], points=3, baseline=1.0)
    s = capture(demo, images[:1])["SE_5_2"].s[0]
    first = np.argsort(-s, kind="stable")[:384]
    edited = capture(demo, images[:1], edits={"SE_5_2": {int(channel): 1.0 for channel in first}})
    np.testing.assert_allclose(found.curves["s"].deletion[0, 1], edited.logits[0, found.targets[0]], atol=1e-4)


@pytest.mark.parametrize("orders", [["attribution"], ["s"]])
def test_an_unknown_method_is_refused_by_all(demo, images, orders):
    for call in (partial(faithfulness, orders=orders), attribute):
        with pytest.raises(ValueError, match=r"method is one of integrated gradients, .*not 'integrated-gradients'"):
            call(demo, images[:1], "SE_5_2", method="integrated-gradients")


def test_an_order_that_is_no_list_is_refused(demo, images):
    with pytest.raises(TypeError, match=r"orders are a list, .* not the text 'random'"):
        faithfulness(demo, images[:1], "SE_5_2", "random")


def test_an_unknown_order_is_refused(demo, images):
    with pytest.raises(ValueError, match="orders are attribution, s,"):
        faithfulness(demo, images, "SE_5_2", ["gradient"])


@pytest.mark.slow
@pytest.mark.parametrize("gate", [*exhaustive("SE_2_1"), "SE_5_2"])
def test_layer_conductance_is_captums(demo, images, gate):
    network, inputs = copy.deepcopy(demo.network).eval(), demo.inputs(images)
    unit = network.get_submodule(demo.gate(gate).path)
    theirs = LayerConductance(network, unit.gate).attribute(inputs, 0, target=torch.tensor([3, 7]), n_steps=40)
    found = attribute(demo, images, gate, [3, 7], "layer-conductance", steps=40)
    np.testing.assert_allclose(found.values, theirs.detach(), atol=2e-5)
    plain, grey = capture(demo, inputs), capture(demo, torch.zeros_like(inputs[:1]))
    np.testing.assert_allclose(found.s, plain[gate].s, atol=1e-6)
    np.testing.assert_allclose(found.baseline, grey[gate].s[0], atol=1e-6)
    change = plain.logits[[0, 1], [3, 7]] - grey.logits[0, [3, 7]]
    np.testing.assert_allclose(found.change, change, atol=1e-4)


@pytest.mark.slow
def test_layer_conductance_of_many_images_is_that_of_each(demo):
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 3, 128, 128)).astype(np.float32))
    found = attribute(demo, images, "SE_5_2", method="layer-conductance", steps=10)
    alone = attribute(demo, images[8:], "SE_5_2", method="layer-conductance", steps=10)
    np.testing.assert_allclose(found.values[8:], alone.values, atol=1e-5)


def test_layer_conductance_goes_through_s_alone():
    """Where U is the same for all images, all of the change goes through s, and the contributions add up to it."""

    class OnlyS(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.stem, self.gate, self.head = nn.Conv2d(3, 8, 3, 2), SEGate(8, 2), nn.Linear(8, 5)

        def forward(self, x):
            return self.head(torch.tanh(self.gate(self.stem(x)).mean((2, 3))))

    network = OnlyS().eval()
    images = torch.from_numpy(np.random.default_rng(1).normal(2, 1, size=(2, 3, 32, 32)).astype(np.float32))
    nn.init.zeros_(network.stem.weight[:, :, 0, 0].detach())
    found = attribute(network, images, "SE_1_1", 1, "layer-conductance", steps=200)
    whole = LayerConductance(network, network.gate).attribute(images, 0, target=1, n_steps=200).sum((1, 2, 3))
    np.testing.assert_allclose(whole.detach(), found.change, atol=1e-2)  # of X̃, which is all of it
    assert (abs(found.completeness_error) > 1e-3).all()  # of s alone


def test_layer_conductance_of_gates_that_share_a_gate_function():
    network = CASES["shared: default argument"].make().eval()
    own = copy.deepcopy(network)
    gates = find_gates(network)
    assert len(gates) > 1
    assert gates[0].scoped
    for gate in gates:
        unit = own.get_submodule(gate.path)
        unit.set_submodule(gate.s_tap.path, nn.Sigmoid())
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 3, SIDE, SIDE)).astype(np.float32))
    for gate in gates:
        part = own.get_submodule(gate.path).get_submodule(gate.s_tap.path)
        theirs = LayerConductance(own, part).attribute(images, 0, target=1, n_steps=20)
        found = attribute(network, images, gate.name, 1, "layer-conductance", steps=20)
        np.testing.assert_allclose(found.values, theirs.detach().flatten(1), atol=1e-6)
        assert abs(found.values).max() > 1e-4


@pytest.mark.slow
def test_curves_take_the_order_of_layer_conductance_and_a_baseline_of_s(demo, images):
    image, settings = images[:1], {"target": 0, "baseline": 1.0, "points": 5}
    curves = faithfulness(demo, image, "SE_5_2", ["attribution"], method="layer-conductance", **settings)
    order = attribute(demo, image, "SE_5_2", 0, "layer-conductance").values[0].argsort()[::-1]
    most = dict.fromkeys(order[: curves.channels[1]].tolist(), 1.0)
    expected = capture(demo, image, edits={"SE_5_2": most}).logits[0, 0]
    np.testing.assert_allclose(curves.curves["attribution"].deletion[0, 1], expected, atol=1e-4)


def test_says_where_layer_conductance_cannot_be(demo, images):
    with pytest.raises(ValueError, match="takes no baseline of s"):
        attribute(demo, images, "SE_5_2", method="layer-conductance", baseline=1.0)
    for name, said in (
        ("inline: CBAM", "the code of the block computes that of SE_1_1"),
        ("shared: one gate in two blocks", "runs 2 times in a pass"),
    ):
        network = CASES[name].make().eval()
        with pytest.raises(NotReadable, match=said):
            attribute(network, torch.rand(1, 3, SIDE, SIDE), "SE_1_1", method="layer-conductance")
