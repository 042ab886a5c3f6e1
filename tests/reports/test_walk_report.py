"""The steps of the walk-through print the numbers of capture, and say honestly what a gate lacks."""

import base64
import json

import numpy as np
import pytest
import torch
from support import third_party_gates as written
from support.networks import Host, model

import se_viz
from se_viz.analysis.walk import Term, walk
from se_viz.data.preprocess import Preprocess
from se_viz.demo import pretrained
from se_viz.model.model import Model
from se_viz.reports.cost_beside_paper import cost_sentence, family_table, paper_cost_table, paper_table
from se_viz.reports.walk import walk_report
from se_viz.reports.walk_numbers import added, number
from se_viz.reports.walk_step import strength
from se_viz.reports.walk_steps import walk_steps
from se_viz.ui.widgets.walk_payload import walk_payload


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0.1181, "0.118"), (-12.34, "−12.3"), (1024.4, "1,024"), (0, "0"), (0.5, "0.500"), (0.0312, "0.031")),
        *((2.14e-5, "2.1·10⁻⁵"), (999.6, "1,000"), (9.996, "10.0"), (float("nan"), "NaN"), (-float("inf"), "−∞")),
    ],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text


def test_a_sum_prints_its_largest_products_and_the_rest():
    terms = [Term((0,), 2.0, 0.5), Term((1,), -1.0, 0.25), Term((2,), 3.0, -1.0), Term((3,), 1.0, 0.125)]
    total = sum(term.product for term in terms) + 0.5
    line = added(terms, 0.5, total, shown=2)
    assert line == "−1.00 · 3.00 + 0.500 · 2.00 − 0.125 (2 more products) + 0.500 (bias) = −1.62"


@pytest.mark.parametrize(
    ("s", "text"),
    [
        (0.571, "43% weaker"),
        (1.0, "practically unchanged"),
        (0.0, "0 everywhere"),
        (1.5, "50% stronger"),
        (-0.25, "negated and 75% weaker"),
    ],
)
def test_a_weight_is_said_in_words(s, text):
    assert strength(s) == text


@pytest.mark.slow
def test_every_step_prints_the_numbers_of_capture(demo):
    made = walk(demo, se_viz.sample("cat"), "SE_3_1", 5)
    gate_capture = se_viz.capture(demo, se_viz.sample("cat"), maps=["SE_3_1"])["SE_3_1"]
    steps = {step.key: "\n".join(step.arithmetic) for step in walk_steps(made, 3, 4)}
    assert list(steps) == ["image", "filter", "norm", "squeeze", "bottleneck", "excite", "scale", "add"]
    assert "48 × 1 × 1 = 48 weights" in steps["filter"]
    assert f"U_5 at row 3, column 4 = {number(gate_capture.u[0, 5, 3, 4])}" in steps["norm"]
    assert (
        f"z_5 = mean of 256 values = {number(gate_capture.u[0, 5].sum(dtype=np.float64))} / 256"
        f" = {number(gate_capture.z[0, 5])}" in steps["squeeze"]
    )
    assert f"s_5 = σ({number(made.logit)}) = {number(gate_capture.s[0, 5])}" in steps["excite"]
    assert f"X̃_5 = {number(gate_capture.s[0, 5])} · U_5: {strength(float(gate_capture.s[0, 5]))}" in steps["scale"]
    assert f" = {number(gate_capture.x[0, 5, 3, 4])}" in steps["scale"]
    assert "h = ReLU(W₁z) = (" in steps["bottleneck"]


def steps_of(gate, **size):
    torch.manual_seed(1)
    for module in gate.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # a fresh one is nearly the identity
            module.running_mean.uniform_(-1, 1)
    made = walk(model(Host(gate).eval(), **size), torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return {step.key: step for step in walk_steps(made)}


def test_other_gates_have_their_own_steps_or_an_honest_sentence():
    eca = steps_of(written.Eca())
    assert "bottleneck" not in eca
    assert "no FC layers and no bottleneck (ECA). A 1-D convolution with 3 weights" in eca["excite"].sentence
    cbam = steps_of(written.CbamChannel())
    assert "squeezes twice" in cbam["squeeze"].sentence
    assert "Its arithmetic is not shown, because no layer was seen" in cbam["excite"].sentence
    peak = steps_of(written.SELayer(torch.nn.AdaptiveMaxPool2d))
    assert "squeezes with the maximum" in peak["squeeze"].sentence
    assert "largest of 256 values, at row" in peak["squeeze"].arithmetic[0]
    batch = steps_of(written.OneSequential())
    assert "could not be named" in batch["bottleneck"].sentence
    assert (
        "Nothing follows the gate in this block" in eca["add"].sentence
        or "could not be followed" in eca["add"].sentence
    )


def test_a_fused_convolution_has_no_batch_norm_and_says_so():
    host = Host(written.SELayer()).eval()
    host.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2, padding=1))
    torch.manual_seed(1)
    made = walk(model(host), torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    steps = {step.key: step for step in walk_steps(made)}
    assert "No batch norm and no activation follows this convolution" in steps["norm"].sentence
    assert "(bias)" in steps["filter"].arithmetic[1]


def test_the_report_has_tables_charts_and_arrays(demo, tmp_path):
    made = walk(demo, se_viz.sample("cat"), "SE_5_2", 450)
    report = walk_report(made, "cat", 1, 3)
    assert report.sentences[0] == (
        f"For cat, **SE_5_2** squeezes the map of channel 450 to z = {number(made.z)} and gives it the weight "
        f"**s = {number(made.s)}**: the gate makes it {strength(made.s)}."
    )
    products = report.tables["products"]
    assert products["product"].sum() == pytest.approx(made.products(1, 3).sum, abs=1e-6)
    numbers = report.tables["numbers"].set_index("number")
    assert numbers.loc["s_450", "exact"] == made.s
    report.write(tmp_path)
    assert {"steps.csv", "numbers.csv", "products.csv", "excitation.csv", "block.html", "maps.html", "walk.npz"} == {
        path.name for path in tmp_path.iterdir()
    }
    arrays = np.load(tmp_path / "walk.npz")
    np.testing.assert_array_equal(arrays["U"], made.u)
    assert arrays["V"].shape == (192, 1, 1)
    with pytest.raises(ValueError, match=r"There is no pixel 9,0 in U of SE_5_2: rows are 0 to 3"):
        walk_report(made, "cat", 9, 0)


def test_the_page_gets_maps_within_a_step_of_their_scale_and_few_bytes(demo):
    made = walk(demo, se_viz.sample("cat"), "SE_2_1", 5)
    payload = walk_payload(made, demo.preprocess.center_crop(se_viz.sample("cat").rgb), "cat", (1, 2))
    assert len(json.dumps(payload)) < 300_000
    for key, values in (("u", made.u), ("x_tilde", made.x_tilde)):
        levels = np.frombuffer(base64.b64decode(payload["maps"][key]["data"]), np.uint8).reshape(values.shape)
        reach = np.abs(made.u).max()
        assert np.abs((levels / 255 * 2 - 1) * reach - values).max() <= reach / 255 * 1.01
    assert payload["opened"]["count"] == 24
    assert payload["opened"]["sum"] == number(made.products(1, 2).sum)
    assert payload["pixel"] == [1, 2]


def test_large_networks_send_less_than_300_kb():
    network = Host(written.SELayer()).eval()
    large = Model("large", network, Preprocess((512, 512), 512))
    made = walk(large, se_viz.sample("cat"))
    assert made.u.shape == (256, 256)
    payload = walk_payload(made, se_viz.sample("cat").rgb, "cat", None)
    assert len(json.dumps(payload)) < 300_000


def test_the_papers_numbers_stand_beside_those_of_the_network(demo):
    counted = se_viz.cost(demo.network, 128, demo.gates)
    table = paper_cost_table(counted, "demo/r16").set_index("SE adds")
    gates = sum(stage.params for stage in counted.stages)
    assert table.loc["parameters of the gates", "demo/r16"] == f"+{gates / (counted.params - gates):.1%}"
    assert list(table["SE-ResNet-50 (paper)"]) == ["+10%", "+0.26%", "about +4%"]
    assert f"{gates:,} of {counted.params:,}" in cost_sentence(counted)
    paper = paper_table().set_index("network")
    assert list(paper.loc["ResNet-50"]) == ["24.80", "23.29", "−1.51", "3.86", "3.87"]
    family = family_table(pretrained.cards())
    assert list(family["network"]) == ["SE-ResNet-26 without SE", "SE-ResNet-26, r = 16"]
    card = pretrained.card("r16")
    assert family["top-1 error, %"][1] == f"{100 * (1 - card.accuracy.top1):.2f}"
