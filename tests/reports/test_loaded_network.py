"""A network that is no demo model in the report beside the demo models."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from se_viz.analysis.cost import cost
from se_viz.analysis.demo_responses import response
from se_viz.analysis.health import health
from se_viz.analysis.loaded_network import LoadedNetwork, cost_of, from_capture, from_profiles
from se_viz.demo import pretrained
from se_viz.demo.design_choices import RATIO
from se_viz.interventions.capture import capture
from se_viz.reports.loaded_network import loaded_report

NAME = "my <b>newts</b>.pth"


@pytest.fixture(scope="module")
def network(model, captured):
    """The demo architecture with random weights, with gates that have other names."""
    measured = from_capture(captured)
    gates = {f"gate {place}": one for place, one in enumerate(list(measured.gates.values())[:3])}
    return LoadedNetwork(NAME, tuple(gates), 128, cost_of(model), replace(measured, gates=gates))


def test_its_line_is_at_the_relative_depth_of_its_gates_and_has_its_numbers(network, captured):
    report = loaded_report(RATIO, pretrained.cards(), network)
    chart = report.charts["spread_by_gate"]
    own = next(line for line in chart.figure.data if "newts" in line.name)
    assert own.name == "my &lt;b&gt;newts&lt;/b&gt;.pth"
    assert list(own.x) == [0, 0.5, 1]
    assert list(own.customdata) == ["gate 0", "gate 1", "gate 2"]
    spreads = [health(gate.s).spread for gate in list(captured)[:3]]
    np.testing.assert_allclose(own.y, spreads, rtol=1e-3)
    standard = next(line for line in chart.figure.data if line.name == "r = 16")
    assert list(standard.customdata)[::7] == ["SE_2_1", "SE_5_2"]
    assert list(standard.x)[::7] == [0, 1]
    assert "different gates" in chart.how_to_read
    similar = report.charts["cka_by_gate"].figure.data
    assert not any("newts" in line.name for line in similar)


def test_gates_of_the_same_names_keep_the_names_on_the_axis(model, captured):
    gates = tuple(gate.name for gate in model.gates)
    same = LoadedNetwork("same", gates, 128, cost_of(model), from_capture(captured))
    (own,) = (
        line
        for line in loaded_report(RATIO, pretrained.cards(), same).charts["spread_by_gate"].figure.data
        if line.name == "same"
    )
    assert tuple(own.x) == gates


def test_it_says_what_is_measured_on_which_images_and_that_accuracy_is_not(network, model):
    said = loaded_report(RATIO, pretrained.cards(), network).text
    assert f"{NAME} has 3 gates, {sum(p.numel() for p in model.network.parameters()):,} parameters" in said[0]
    assert "accuracy is not measured here" in said[0]
    assert "are from the 5 chosen images; those of the demo models from 3,925 images" in said[1]
    assert "From 5 images the effective rank is at most 4." in said[1]
    table = loaded_report(RATIO, pretrained.cards(), network).tables["cost"]
    assert list(table.iloc[0]) == [NAME, *list(table.iloc[0])[1:4], "128 × 128", "not measured here"]
    assert list(table["gates"])[:3] == [3, 8, 8]
    assert table.set_index("network").loc["no SE", "gates"] == 0


def test_without_two_images_it_says_what_is_needed(network, model):
    said = loaded_report(RATIO, pretrained.cards(), replace(network, measured=None)).text
    assert "when two images or more are chosen" in said[1]
    assert from_capture(capture(model, torch.zeros(1, 3, 128, 128))) is None


def test_a_gate_that_is_not_finite_is_left_out_and_named(network):
    broken = replace(network.measured, left_out=("gate 2",), gates={"gate 0": network.measured.gates["gate 0"]})
    said = loaded_report(RATIO, pretrained.cards(), replace(network, measured=broken)).text
    assert said[-1] == "gate 2: some s is not finite, so it is not drawn."


def test_class_profiles_with_single_images_give_the_same_numbers(make_profiles):
    s = np.random.default_rng(0).random((7, 5), np.float32)
    weights, labels = {"SE_2_1": s, "SE_3_1": s**2}, [0, 0, 0, 1, 1, 1, 1]
    found = from_profiles(make_profiles(weights, labels, ("a", "b"), images=True))
    assert found.images == 7
    assert found.gates == {name: response(values) for name, values in weights.items()}
    assert from_profiles(make_profiles(weights, labels, ("a", "b"))) is None


def test_the_count_leaves_the_network_as_it_is(model):
    before = [dict(module._forward_hooks) for module in model.network.modules()]
    assert cost_of(model) == cost(model.network, 128)
    assert [dict(module._forward_hooks) for module in model.network.modules()] == before
