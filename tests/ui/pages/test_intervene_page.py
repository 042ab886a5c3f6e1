"""The Intervene page: its sentences and numbers are those of Python, links reopen a view, and sessions do not mix."""

import base64
import io
import json
import re
import shlex

import numpy as np
import pytest
import torch
from PIL import Image
from streamlit.testing.v1 import AppTest
from support.images import encoded
from support.pages import drawn, open_page, open_tab
from support.profiling import make_images
from test_inspect_any_network import Efficient, Unit, unit
from test_inspect_page import photo
from torch import nn
from typer.testing import CliRunner

import se_viz
from se_viz.cli.app import app as cli
from se_viz.data.preprocess import Preprocess
from se_viz.demo.paired_comparison import points
from se_viz.interventions.baseline import mean_weights
from se_viz.interventions.bundled_ablations import bundled_ablation
from se_viz.interventions.suggest import suggest
from se_viz.ui.state import interventions
from se_viz.ui.widgets import image_number
from se_viz.weights.head import Head
from se_viz.wording import signed
from se_viz.zoo import registry


def show(**query) -> AppTest:
    return open_page("intervene", **{"device": "cpu", **query})


def first_tab(page: AppTest) -> AppTest:
    """The page with its first tab again, whose name is not in an address."""
    page.query_params.pop("view", None)
    page.session_state["view"] = "Gates"
    return page.run()


def said(page: AppTest) -> str:
    """All text of the page, as a reader sees it."""
    texts = "\n".join(one.value for one in (*page.markdown, *page.caption, *page.info, *page.warning))
    return re.sub(r"\\(.)", r"\1", texts)


def numbers(values) -> np.ndarray:
    """The numbers of a trace, which plotly writes as bytes or as a list."""
    if isinstance(values, dict):
        return np.frombuffer(base64.b64decode(values["bdata"]), values["dtype"])
    return np.asarray(values, float)


def logits(model, image, edits=None) -> np.ndarray:
    return np.asarray(se_viz.capture(model, image, edits=edits).logits[0], np.float64)


def probability(row, index) -> float:
    return float(torch.softmax(torch.tensor(row), 0)[index])


@pytest.mark.slow
@pytest.mark.parametrize("focus", [1, 2])
def test_first_screen_answers_without_a_click_with_the_numbers_of_python(demo, focus):
    """The prediction for the cat can be changed by one gate, and that for the flower cannot."""
    images = [se_viz.sample("cat"), se_viz.sample("flower")]
    image, other = images[focus - 1], images[2 - focus]
    page = show(samples="cat,flower", focus=str(focus))
    assert page.title[0].value == "Which gate, which channel matters for this prediction?"
    before = logits(demo, image)
    target = int(before.argmax())
    bars = drawn(page)["gate_changes_SE_5_2"]
    gates = [gate.name for gate in demo.gates]
    assert [bar["x"] for bar in bars] == [gates] * 3
    flips, likely, effects = set(), {}, {}
    for bar, (edit, word) in zip(
        bars, ((1.0, "1"), ("mean", "mean"), (se_viz.swap(other), f"s of {other.name}")), strict=True
    ):
        for gate, change in zip(gates, numbers(bar["y"]), strict=True):
            after = logits(demo, image, {gate: edit})
            assert change == pytest.approx(after[target] - before[target], abs=1e-4)
            likely[f"**{gate} := {word}**"] = probability(after, target)
            effects[f"**{gate} := {word}**"] = after[target] - before[target]
            if after.argmax() != target:
                flips.add(gate)
    answer, name, first = (
        re.sub(r"\\(.)", r"\1", page.markdown[0].value),
        demo.classes[target],
        probability(before, target),
    )
    if focus == 1:
        after = logits(demo, image, {"SE_2_2": 1.0})
        assert flips == {"SE_2_2", "SE_3_2"}
        rest = (
            "2 of the 8 gates can change this prediction alone: with **SE_2_2 := 1** the network says "
            f"{demo.classes[int(after.argmax())]}."
        )
    else:
        assert not flips
        rest = "No single gate changes this prediction."
    edit = max(effects, key=lambda edit: abs(effects[edit]))
    verb = "raises" if likely[edit] > first else "lowers"
    assert answer == (
        f"{edit} has the largest effect: it {verb} {name} from {first:.0%} to {likely[edit]:.0%} (change of the logit: "
        f"{effects[edit]:+.2g}). {rest}"
    )


@pytest.mark.slow
def test_probabilities_and_another_target(demo):
    page = show(samples="cat,temple", target="church", gate="SE_2_2")
    place = demo.classes.index("church")
    points = drawn(page)["gate_probabilities_SE_2_2"][0]
    expected = [probability(logits(demo, se_viz.sample("cat"), {gate.name: 1.0}), place) for gate in demo.gates]
    np.testing.assert_allclose(numbers(points["y"]), np.multiply(100, expected), atol=1e-3)
    found = se_viz.attribute(demo, se_viz.sample("cat"), "SE_2_2", "church")
    best = int(found.strongest(1)[0])
    open_tab(page, "Channels")
    assert f"Channel {best} of SE_2_2 has the largest attribution to church: {found.values[0, best]:+.2g}" in said(page)
    page.selectbox(key="target").set_value("golf ball").run()
    assert "has the largest attribution to golf ball" in said(page)


@pytest.mark.slow
def test_channels_are_those_with_the_largest_attribution_with_s_and_its_mean(demo):
    image = se_viz.sample("cat")
    page = show(samples="cat", method="exact", gate="SE_4_2")
    found = se_viz.attribute(demo, image, "SE_4_2", method="exact")
    best = found.strongest(20)
    bars, weights, means, maps = drawn(page)["attribution_SE_4_2"]
    assert bars["customdata"] == best.tolist()
    np.testing.assert_allclose(numbers(bars["y"]), found.values[0, best], atol=1e-5)
    np.testing.assert_allclose(numbers(weights["y"]), found.s[0, best], atol=1e-6)
    np.testing.assert_allclose(numbers(means["y"]), mean_weights(demo, "SE_4_2")[best], atol=1e-6)
    assert maps["type"] == "heatmap"
    error = re.search(r"completeness error ([−+]\S+)\)", said(page))
    assert error is not None
    assert float(error[1].replace("−", "-")) == pytest.approx(found.completeness_error[0], abs=2e-5, rel=0.5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["gradient × change", "shapley sampling", "layer-conductance"])
def test_every_method_that_is_offered_gets_a_chart_and_curves(demo, method):
    page = show(samples="cat", method=method)
    assert drawn(page).keys() == {"attribution_SE_5_2"}
    best = int(se_viz.attribute(demo, se_viz.sample("cat"), "SE_5_2", method=method).strongest(1)[0])
    assert f"Channel {best} of SE_5_2" in said(page)
    options = page.selectbox(key="method").options
    assert options == ["integrated gradients", "gradient × change", "exact", "shapley sampling", "layer-conductance"]
    open_tab(page, "Faithfulness")
    assert drawn(page).keys() == {"faithfulness_SE_5_2"}
    assert page.selectbox(key="method").value == method


@pytest.mark.slow
def test_an_edit_of_channels_is_the_edit_of_python(demo):
    image = se_viz.sample("cat")
    page = show(samples="cat,temple", edit="chosen", edited_SE_5_2="450")
    page.multiselect(key="edited_SE_5_2").set_value([450, 12]).run()
    page.slider(key="weight").set_value(0.9).run()
    after = logits(demo, image, {"SE_5_2": {450: 0.9, 12: 0.9}})
    before = logits(demo, image)
    effect = after[0] - before[0]
    assert f"The effect on tench is {signed(effect, '+.3g')} (logit)" in said(page)
    for source, value in (("1", 1.0), ("mean", "mean"), ("other image", se_viz.swap(se_viz.sample("temple")))):
        page.segmented_control(key="set").set_value(source).run()
        effect = logits(demo, image, {"SE_5_2": {450: value, 12: value}})[0] - before[0]
        shown = re.search(r"The effect on tench is ([−+.\de]+\d)", said(page))
        assert shown is not None
        assert float(shown[1].replace("−", "-")) == pytest.approx(effect, abs=2e-4)
    assert not page.exception


def test_an_edit_to_the_baseline_is_compared_with_the_sum_of_attributions(demo):
    found = se_viz.attribute(demo, se_viz.sample("cat"), "SE_5_2")
    predicted = -found.values[0, found.strongest(5)].sum()
    text = said(show(samples="cat", set="mean"))
    assert f"the attributions of these channels predict {signed(predicted, '+.3g')}" in text
    assert "of these channels predict" not in said(show(samples="cat", set="1"))


@pytest.mark.slow
def test_a_prediction_changes_when_the_whole_gate_is_edited(demo):
    after = logits(demo, se_viz.sample("cat"), {"SE_2_2": 1.0})
    text = said(show(samples="cat", gate="SE_2_2", edit="all", set="1"))
    assert "s := 1 in all channels of SE_2_2" in text
    assert f"the network says {demo.classes[int(after.argmax())]}, and before it said tench." in text


@pytest.mark.slow
def test_an_uploaded_photograph_is_in_focus_and_gets_an_answer(demo):
    page = show(samples="temple")
    page.file_uploader(key="upload").set_value([("mine.jpg", photo(), "image/jpeg")]).run()
    assert not page.exception
    before = logits(demo, Image.open(io.BytesIO(photo())))
    name = demo.classes[int(before.argmax())]
    text = said(page)
    assert re.search(rf"\*\*SE_\d_\d := .*\*\* has the largest effect: it \w+ {name} ", text)
    assert "s of A temple in China" in [bar["name"] for bar in drawn(page)["gate_changes_SE_5_2"]]
    assert f"has the largest attribution to {name}" in said(open_tab(page, "Channels"))


def test_another_image_that_does_not_exist_is_said():
    page = show(samples="cat,temple", other="9")
    assert "The link asks for other image 9, but there are only 2" in said(page)


def test_what_a_link_asks_for_and_does_not_exist_is_said():
    page = show(
        samples="cat",
        gate="SE_9_9",
        target="zebra",
        method="magic",
        weight="7",
        edit="chosen",
        edited_SE_5_2="9999",
        view="sideways",
    )
    tabs = {
        "Gates": ("gate SE_9_9", "target class zebra", "view sideways"),
        "Channels": ("attribution by magic",),
        "Edit channels": ("weight s 7", "channel 9999"),
    }
    for tab, wrong in tabs.items():
        warned = [
            re.sub(r"\\(.)", r"\1", one.value) for one in (page if tab == "Gates" else open_tab(page, tab)).warning
        ]
        for asked in wrong:
            assert any(f"The link asks for {asked}, but " in one for one in warned), asked
    assert page.selectbox(key="gate").value == "SE_5_2"
    assert "has the largest attribution to tench" in said(open_tab(page, "Channels"))


@pytest.mark.slow
def test_a_link_reopens_the_view():
    link = {
        **{"samples": "cat,temple,coffee", "focus": "2", "other": "1", "target": "golf ball", "gate": "SE_3_1"},
        **{"method": "gradient × change", "baseline": "1", "edit": "20 strongest", "weight": "0.35"},
    }
    page = show(**link)
    assert page.session_state["view"] == "Edit channels"  # in links without a tab, a choice names it
    assert "s := 0.35 in channels" in said(page)
    assert "Strongest by gradient × change from s := 1" in said(page)
    assert "has the largest attribution to golf ball" in said(open_tab(page, "Channels"))
    first_tab(page)
    assert "s of Chelsea the cat" in [bar["name"] for bar in drawn(page)["gate_changes_SE_3_1"]]
    assert not page.warning


@pytest.mark.slow
@pytest.mark.parametrize(
    ("former", "tab"),
    [
        ({"view": "Channels"}, "Channels"),
        ({"view": "Over a dataset"}, "Over a dataset"),
        ({"method": "exact"}, "Channels"),
        ({"frozen": "SE_5_2"}, "Over a dataset"),
        ({}, "Gates"),
    ],
)
def test_a_link_of_before_the_tabs_opens_the_tab_of_what_it_names(former, tab):
    assert show(samples="cat", **former).session_state["view"] == tab


def test_nothing_is_computed_for_a_closed_tab(monkeypatch):
    def fails(*_):
        raise AssertionError

    for name in ("attribution", "curves", "edited"):
        monkeypatch.setattr(interventions, name, fails)
    page = show(samples="cat")
    assert drawn(page).keys() == {"gate_changes_SE_5_2", "gate_probabilities_SE_5_2"}


@pytest.mark.slow
def test_edits_of_one_session_are_invisible_to_another(demo):
    one, other = (show(samples="cat", view="Edit channels") for _ in range(2))
    first = drawn(other)
    one.segmented_control(key="edit").set_value("all").run()
    one.slider(key="weight").set_value(1.0).run()
    other.run()
    again = drawn(other)
    assert again == first
    assert drawn(one)["before_and_after"][1] != again["before_and_after"][1]
    effects = [drawn(first_tab(page))["gate_changes_SE_5_2"] for page in (one, other)]
    assert effects[0] == effects[1]
    inspected = open_page("inspect", samples="cat", device="cpu")
    assert f"the closest is tench ({probability(logits(demo, se_viz.sample('cat')), 0):.0%})" in said(inspected)


def test_one_image_has_no_other_and_says_so():
    page = show(samples="cat")
    assert len(drawn(page)["gate_changes_SE_5_2"]) == 2
    assert "Add a second image" in said(page)
    assert "other image" not in open_tab(page, "Edit channels").segmented_control(key="set").options


@pytest.mark.slow
def test_the_lines_shown_run_and_give_what_the_page_shows(tmp_path, monkeypatch):
    page = show(samples="cat,temple", gate="SE_5_2", set="other image", focus="2")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    after = drawn(page)["before_and_after"][1]
    open_tab(page, "Export")
    exec(page.code[0].value, names)  # noqa: S102
    best = torch.softmax(torch.as_tensor(names["capture"].logits[0]), 0)
    assert numbers(after["x"])[0] == pytest.approx(100 * float(best.max()), abs=1e-3)
    for line in page.code[1].value.splitlines():
        result = CliRunner().invoke(cli, shlex.split(line)[3:])
        assert result.exit_code == 0, result.output
    content = json.loads((tmp_path / "intervention/intervention.json").read_text())
    likely = {row["output"]: row["probability_after"] for row in content["outputs"]}
    assert 100 * max(likely.values()) == pytest.approx(numbers(after["x"])[0], abs=1e-3)
    assert json.loads((tmp_path / "attribution/intervention.json").read_text())["method"] == "integrated gradients"


class Net(nn.Module):
    """A gate that is a module and one that is not, and a head of K outputs."""

    def __init__(self, outputs):
        super().__init__()
        self.first, self.second = unit(3, 2), Unit(16, 16, Efficient(), 2)
        self.head = nn.Linear(16, outputs)

    def forward(self, x):
        return self.head(self.second(self.first(x)).mean((2, 3)))


@pytest.fixture
def opened(register):
    """A function that opens the page on a network without class profiles."""

    def run(outputs, classes=(), head=None, **query):
        def network():
            torch.manual_seed(0)
            return registry.Network(Net(outputs).eval(), Preprocess(crop=(32, 32), resize=32), classes, "made", head)

        name = f"test/intervene-{outputs}-{head and head.kind}"
        register(name, network)
        return show(samples="cat,coffee", model=name, **query)

    return run


def test_a_network_without_class_profiles_has_no_mean_and_says_so(opened):
    page = opened(3)
    (changes,) = (data for name, data in drawn(page).items() if name.startswith("gate_changes"))
    assert [bar["name"] for bar in changes] == ["s := 1", "s of A cup of coffee"]
    assert "because this network has no class profiles. Open the page Classes and make them there." in said(page)
    assert "profiles=" not in said(page)
    open_tab(page, "Channels")
    assert page.segmented_control(key="baseline").options == ["1", "0"]
    (attributed,) = (data for name, data in drawn(page).items() if name.startswith("attribution"))
    assert [trace.get("name") for trace in attributed if trace["type"] == "scatter"] == ["s of this image"]


@pytest.mark.parametrize("kind", ["binary", "labels", "number", "classes"])
def test_heads_of_all_kinds_are_asked_about_what_they_give(opened, kind):
    outputs = {"binary": 1, "number": 1}.get(kind, 3)
    page = opened(outputs, head=Head(kind))
    assert any(name.startswith("gate_probabilities") for name in drawn(page)) == (kind != "number")
    answer = re.sub(r"\\(.)", r"\1", page.markdown[0].value)
    if kind == "number":
        assert "prediction" not in answer
    else:
        assert re.search(r"(No single gate changes|the only one|Each of|One gate|\d of the) ", answer)
    assert re.match(r"\*\*SE_\S+ := .*\*\* has the largest effect: it ", answer)
    assert "before_and_after" in drawn(open_tab(page, "Edit channels"))


def test_a_head_of_features_gets_a_sentence(opened):
    page = opened(3, head=Head("features"))
    assert "taken as features, so there are no predictions" in said(page)
    assert "An intervention is measured on an output of the network" in said(page)
    assert not page.get("plotly_chart")


STAGE = {
    value: f"**{words}** in all gates of a stage"
    for value, words in {1.0: "s := 1", "mean": "s := mean", "shuffled": "s shuffled"}.items()
}


@pytest.mark.slow
def test_the_ablation_over_a_dataset_is_the_shipped_one():
    page = show(samples="cat", view="Over a dataset")
    ablation = bundled_ablation("demo/r16")
    worst = min((row for row in ablation.by("gate") if row.value == 1.0), key=lambda row: row.change.value)
    text = said(page)
    assert f"s := 1 in one gate costs most in **{worst.where}**: −{-100 * worst.change.value:.1f} points" in text
    for row in ablation.by("stage"):
        shown = re.search(rf"{row.where} (\S+) \((\S+) to (\S+)\)", text[text.index(STAGE[row.value]) :])
        change = (row.change.value, row.change.low, row.change.high)
        assert shown is not None
        assert [float(one.replace("−", "-")) for one in shown.groups()] == [round(100 * one, 1) for one in change]
    assert "s := 1 costs more than the mean of s" in text
    points = drawn(page)["accuracy_by_gate"][0]
    expected = [100 * ablation[f"{gate.name} := 1"].change.value for gate in ablation.gates]
    np.testing.assert_allclose(numbers(points["y"]), expected)
    assert all(one.brief in text for one in suggest(ablation, 0.01))
    page.slider(key="loss").set_value(0.2).run()
    assert all(one.brief in said(page) for one in suggest(ablation, 0.002))
    assert not page.exception


def test_a_network_without_an_ablation_gets_the_command_that_makes_one(opened):
    page = opened(3, view="Over a dataset")
    assert "No ablation for this network yet" in said(page)
    assert page.code[0].value.startswith("python -m se_viz ablate --model test/intervene-3-None --data DIR")


def hand_in(page, content, name="mine.json"):
    return page.file_uploader(key="own_ablation").set_value((name, content, "application/json")).run()


def test_a_users_ablation_is_opened_and_another_network_is_refused(opened, tmp_path):
    page = opened(3, ("a", "b", "c"), view="Over a dataset")
    hand_in(page, bundled_ablation("demo/r16").content())
    assert "This ablation is of demo/r16, not of the test/intervene-3-None" in page.error[0].value.replace("\\", "")
    assert "No ablation for this network yet" in said(page)
    model = se_viz.load("test/intervene-3-None", "cpu")
    found = se_viz.ablate(model, make_images(tmp_path / "photos", ("a", "b", "c"), count=4), tmp_path / "out",
                          edits=[1.0, 0.25, se_viz.shuffle()])  # fmt: skip
    hand_in(page, (tmp_path / "out" / "ablation.json").read_bytes())
    assert not page.error
    assert f"Over {found.images} images of photos" in said(page)
    bars = drawn(page)["accuracy_by_gate"]
    assert [bar["name"] for bar in bars] == ["s := 1", "s shuffled", "s := 0.25"]
    for bar, value in zip(bars, (1.0, "shuffled", 0.25), strict=True):
        expected = [100 * row.change.value for row in found.by("gate") if row.value == value]
        np.testing.assert_allclose(numbers(bar["y"]), expected)


NO_ABLATIONS = {
    "empty": b"",
    "no keys": b"{}",
    "null": b"null",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "no text": b"\xff\xfe",
    "newer": b'{"version": 9}',
    "NaN": b"NaN",
}


@pytest.mark.parametrize("content", NO_ABLATIONS.values(), ids=NO_ABLATIONS)
def test_a_file_that_is_no_ablation_gets_a_sentence(content):
    page = show(samples="cat", view="Over a dataset")
    hand_in(page, content, "[x](http://evil).json")
    assert not page.exception
    (error,) = page.error
    assert re.search(r"(make it again with|make the ablation again|is damaged)", error.value)
    assert "\\[x\\]" in error.value
    assert "costs most in **SE\\_2\\_2**" in "\n".join(one.value for one in page.markdown)


@pytest.mark.slow
def test_frozen_gates_say_what_they_save_and_the_lines_give_the_same_network(demo, tmp_path, monkeypatch):
    page = show(samples="cat", view="Over a dataset", frozen="SE_4_2")
    page.multiselect(key="frozen").set_value(["SE_4_1", "SE_4_2"]).run()
    frozen = se_viz.freeze(demo, {"SE_4_1": "mean", "SE_4_2": "mean"})
    less = frozen.parameters_before - frozen.parameters_after
    assert f"2 gates became constants: {less:,} parameters" in said(page)
    python, shell = (code.value for code in page.code[-2:])
    monkeypatch.chdir(tmp_path)
    exec(python, {})  # noqa: S102
    written = (tmp_path / "frozen.safetensors").read_bytes()
    result = CliRunner().invoke(cli, shlex.split(shell)[3:])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "frozen.safetensors").read_bytes() == written
    before = se_viz.capture(demo, se_viz.sample("cat"), edits={"stage 4": "mean"}).logits
    inputs = demo.inputs(se_viz.sample("cat"))
    with torch.no_grad():
        np.testing.assert_allclose(frozen.network(inputs).numpy(), np.asarray(before), atol=1e-4)


@pytest.mark.slow
def test_freezing_says_what_it_costs_where_the_open_ablation_knows_it(opened, tmp_path):
    page = show(samples="cat", view="Over a dataset", frozen="SE_5_2")
    row = bundled_ablation("demo/r16")["SE_5_2 := mean"]
    known = f"a change of {points(row.change.value)} points (95% interval {points(row.change.low)} to "
    assert known in said(page)
    page.segmented_control(key="constant").set_value("0").run()
    assert known not in said(page)
    assert "not known: no edit of the ablation sets exactly these gates to these weights." in said(page)
    assert "add --data DIR to the command below" in said(page)
    page = opened(3, ("a", "b", "c"), view="Over a dataset", constant="0")
    page.multiselect(key="frozen").set_value([page.multiselect(key="frozen").options[0]]).run()
    assert "not known: there is no ablation of this network." in said(page)
    model = se_viz.load("test/intervene-3-None", "cpu")
    data = make_images(tmp_path / "photos", ("a", "b", "c"), count=4)
    found = se_viz.ablate(model, data, tmp_path / "out", edits={model.gates[0].name: 0.0})
    hand_in(page, found.content())
    assert f"The ablation measured it with {found.rows[0].name} on photos" in said(page)
    page.button(key="time_frozen").click().run()
    assert re.search(r"One image takes \S+ ms before and \S+ ms after \(\S+%; medians", said(page))


def test_a_gate_that_is_no_module_cannot_be_frozen_and_the_page_says_why(opened):
    page = opened(3, view="Over a dataset")
    gates = page.multiselect(key="frozen").options
    page.multiselect(key="frozen").set_value([gates[1]]).run()
    assert not page.exception
    assert "1 gate became a constant" in said(page) or "cannot be frozen" in said(page)


@pytest.mark.slow
def test_an_upload_moves_the_numbers_of_images_and_keeps_the_other_image():
    page = open_page("intervene", samples="cat,coffee")
    assert page.selectbox(key="other").options == ["2 A cup of coffee"]
    page.file_uploader(key="upload").set_value([("grey.png", encoded(Image.new("RGB", (64, 64), "grey")), "")]).run()
    assert page.selectbox(key="other").options == ["2 Chelsea the cat", "3 A cup of coffee"]
    assert page.selectbox(key="other").index == 1
    page.selectbox(key="other").select("2 Chelsea the cat").run()
    page.selectbox(key="target").select("church").run()
    assert not page.exception
    assert page.query_params["other"] == "2"


def test_a_label_of_before_an_upload_is_no_choice(monkeypatch):
    # Chromium sends the label that it showed, with the number of before; Streamlit gives it to the callback as it is.
    session = {"other": "2 A cup of coffee", "selection": {}}
    monkeypatch.setattr(image_number.st, "session_state", session)
    monkeypatch.setattr(image_number.st, "query_params", {})
    image_number.choose("other", ["a1", "b2"])
    assert session == {"selection": {}}
    session["other"] = "b2"
    image_number.choose("other", ["a1", "b2"])
    assert session["selection"] == {"other": "2"}
