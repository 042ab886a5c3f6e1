"""The Inspect page on networks whose outputs are no distribution over classes, or no table, and on gates without z."""

import shlex
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save
from support.checkpoints import small_weights
from support.pages import hand_in, open_page, open_tab, specs
from torch import nn
from torchvision.ops import SqueezeExcitation

import se_viz
from se_viz.data.preprocess import Preprocess
from se_viz.gates.capture import Capture
from se_viz.ui.state import captures
from se_viz.weights.head import Head
from se_viz.zoo import registry


class Net(nn.Module):
    """Two gates, and a head of K outputs."""

    def __init__(self, outputs):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), SqueezeExcitation(16, 4))
        self.second = nn.Sequential(nn.Conv2d(16, 8, 3, 2, 1), nn.ReLU(), SqueezeExcitation(8, 4))
        self.head = nn.Linear(8, outputs)

    def forward(self, x):
        return self.head(self.second(self.first(x)).mean((2, 3)))


@pytest.fixture
def registered(register):
    """A function that registers a network under a new name, and returns the name."""

    def add(name, outputs, classes=(), head=None, bias=None):
        def network():
            torch.manual_seed(0)
            made = Net(outputs).eval()
            if bias is not None:
                made.head.bias.data = torch.tensor(bias)
                made.head.weight.data.zero_()
            return registry.Network(made, Preprocess(crop=(32, 32), resize=32), classes, "made here", head)

        register(f"test/heads-{name}", network)
        return f"test/heads-{name}"

    return add


@pytest.fixture
def read_as(monkeypatch):
    """A function that changes what the page reads, as networks of other kinds would give it."""
    # Other tests of this process may have read the same images, and later ones must not get these captures.
    kept = (captures._values, captures._maps)

    def change(function):
        for cache in kept:
            cache.clear()
        monkeypatch.setattr(captures, "capture", lambda *args, **options: function(se_viz.capture(*args, **options)))

    yield change
    for cache in kept:
        cache.clear()


def without_z(captured):
    return Capture(
        {
            name: replace(one, z=None, gate=replace(one.gate, squeeze="not seen"))
            for name, one in captured.gates.items()
        },
        captured.images,
        captured.output,
    )


def answer(page):
    return page.markdown[0].value.replace("\\", "")


def captions(page):
    return " ".join(text.value.replace("\\", "") for text in page.caption)


def strip(page):
    """The cards of the images, as HTML."""
    return next(one.proto.body for one in page.get("html") if "se-strip" in one.proto.body)


def code(page):
    """The Python and the shell code of the Export tab."""
    return [one.value for one in open_tab(page, "Export").code]


def titles(page, tab):
    """Of the charts by stage, and of those of a tab."""
    drawn = [spec["layout"]["title"]["text"] for spec in specs(open_tab(page, tab))]
    assert page.session_state["view"] == tab
    return drawn


def test_one_output_is_shown_as_the_number_it_is_until_somebody_says_what_it_means(registered):
    page = open_page("inspect", model=registered("one", 1, bias=[0.4]))
    assert "The network returns output 0.4." in answer(page)
    assert "One output is not a distribution over classes" in captions(page)
    assert "100%" not in strip(page)
    page.selectbox(key="head").set_value("binary").run()
    assert not page.exception
    assert "The network says positive (60%)." in answer(page)
    assert "its sigmoid is the probability of positive" in captions(page)
    assert "<span>negative</span><span>40%</span>" in strip(page)
    page.number_input(key="threshold").set_value(0.7).run()
    assert "The network says negative (40%; positive at 70% or more)." in answer(page)
    python, shell = code(page)
    assert "--head binary --threshold 0.7" in shell
    assert "head=se_viz.Head('binary', 0.7)" in python


def test_a_link_reproduces_the_head_and_its_threshold(registered):
    page = open_page("inspect", model=registered("linked", 1, ("ill",), bias=[0.4]), head="binary", threshold="0.6")
    assert "The network says not ill (40%; ill at 60% or more)." in answer(page)
    assert page.number_input(key="threshold").value == 0.6


def test_what_a_network_is_registered_with_needs_no_choice(registered):
    page = open_page("inspect", model=registered("known", 1, ("off", "on"), Head("binary"), bias=[-2.0]))
    assert page.selectbox(key="head").value == "automatic"
    assert "The network says off (88%)." in answer(page)
    assert "--head" not in code(page)[1]


def test_the_choice_of_one_session_is_not_that_of_another(registered):
    name = registered("shared", 1, bias=[0.4])
    page = open_page("inspect", model=name, head="binary")
    assert "positive (60%)" in answer(page)
    assert "output 0.4" in answer(open_page("inspect", model=name))


def test_labels_hold_each_by_itself(registered):
    page = open_page(
        "inspect", model=registered("labels", 3, ("sea", "sky", "sun"), bias=[2.0, 3.0, -1.0]), head="labels"
    )
    assert "The network says sky (95%), sea (88%)." in answer(page)
    assert '<span class="se-said">sea</span>' in strip(page)
    assert "<span>sun</span>" in strip(page)


def test_numbers_are_no_probabilities(registered):
    name = registered("numbers", 2, ("age (years)", "height (m)"), Head("number"), bias=[31.4, 1.7])
    page = open_page("inspect", model=name)
    assert "The network returns age (years) 31.4, height (m) 1.7." in answer(page)
    assert "%" not in strip(page).partition("</style>")[2]


@pytest.mark.slow
def test_two_outputs_and_more_are_classes_by_assumption_and_the_page_says_so(registered):
    name = registered("assumed", 3, ("red", "green", "blue"))
    assert "softmax over 3 classes (assumed)" in captions(open_page("inspect", model=name))
    assert "(assumed)" not in captions(open_page("inspect", model=name, head="classes"))
    assert "(assumed)" not in captions(open_page("inspect"))


def test_a_head_that_does_not_fit_is_said_and_all_else_is_shown(registered):
    page = open_page("inspect", model=registered("unfit", 3, ("red", "green", "blue")), head="binary")
    assert "A binary head has one output, and this network has 3" in answer(page)
    assert "no predictions" in strip(page)
    assert len(titles(page, "Weights")) == 2 + 2  # stages, the gate
    assert len(titles(page, "Maps")) == 2 + 1


def test_nan_is_said_of_the_image(registered):
    page = open_page("inspect", model=registered("nan", 2, bias=[float("nan"), 1.0]))
    assert "The network returned NaN for this image" in answer(page)
    assert "nan%" not in strip(page)


class Segments(Net):
    """Returns maps, in a dictionary."""

    def forward(self, x):
        return {"out": self.second(self.first(x)), "aux": None}


def test_without_logits_all_else_is_shown_and_it_says_why(register):
    network = registry.Network(Segments(2).eval(), Preprocess(crop=(32, 32), resize=32), (), "made here")
    register("test/heads-dict", lambda: network)
    page = open_page("inspect", model="test/heads-dict", samples="cat,coffee")
    assert answer(page).startswith(
        "Segments returns a dict with out, aux, not a single table of logits, so there are no predictions."
    )
    assert "Mean weight is lowest" in answer(page)
    assert strip(page).count("no predictions") == 2
    assert len(titles(page, "Weights")) == 2 + 2  # stages, the gate
    assert len(titles(page, "Maps")) == 2 + 1
    saved = [button.key for button in open_tab(page, "Export").get("download_button")]
    assert "save_csv" in saved
    assert "save_predictions" not in saved


def test_features_predict_nothing(registered):
    page = open_page("inspect", model=registered("features", 5), head="features")
    assert "The output of Net is taken as features, so there are no predictions." in answer(page)


@pytest.mark.slow
@pytest.mark.parametrize("over", ["maps", "over the image"])
def test_without_z_the_page_shows_s_and_says_so(registered, read_as, over):
    read_as(without_z)
    name = registered("no-z", 2)
    page = open_page("inspect", model=name, samples="cat,coffee", view="Maps", shown=over)
    assert "no z was seen" in specs(page)[0]["data"][0]["hovertemplate"]
    maps = titles(page, "Maps")
    assert page.segmented_control(key="shown").value == over
    assert len(maps) == 2 + 1  # stages, the gate
    page = open_page("inspect", model=name, samples="cat,coffee")
    weights = titles(page, "Weights")
    assert "SE_2_1: excitation by channel" in weights
    assert not any("squeeze" in title for title in (*maps, *weights))
    assert "z is not available: s was not seen to come from one squeeze of U alone." in captions(page)
    assert "squeeze not seen" in captions(page)
    assert "z is None here" in code(page)[0]
    assert "There is no z for SE_1_1, SE_2_1" in captions(page)


@pytest.mark.slow
def test_own_weights_of_a_binary_head_take_two_names_or_one(tmp_path, monkeypatch):
    content = save(small_weights(1))
    page = hand_in(open_page("inspect"), "tails.safetensors", content, b"tail\nno tail\n")
    assert "2 names of outputs and 1 number" in page.warning[0].value.replace("\\", "")
    page.selectbox(key="head").set_value("binary").run()
    assert not page.exception
    assert not page.error
    assert "tail (" in answer(page)
    (tmp_path / "tails.safetensors").write_bytes(content)
    (tmp_path / "newts.txt").write_text("tail\nno tail\n")
    monkeypatch.chdir(tmp_path)
    python, shell = code(page)
    found: dict = {}
    exec(python, found)  # noqa: S102
    assert found["predictions"].images[0].sentence in answer(page)
    assert "--head" in shlex.split(shell)


def groups_on_the_classes_page(**query):
    page = open_tab(open_page("classes", samples="cat,coffee", **query), "Your images")
    return next(one.value["group"].tolist() for one in page.dataframe if "images" in one.value), captions(page)


@pytest.mark.slow
def test_groups_on_the_classes_page_follow_the_head():
    assert groups_on_the_classes_page(head="number")[0] == ["all images"]
    said = se_viz.predict(
        se_viz.load("demo/r16", "cpu", head="labels"),
        se_viz.capture(se_viz.load("demo/r16", "cpu"), [se_viz.sample("cat"), se_viz.sample("coffee")]),
    )
    assert groups_on_the_classes_page(head="labels")[0] == list(dict.fromkeys(said.groups))


@pytest.mark.slow
def test_without_logits_the_images_are_one_group_and_the_classes_page_says_why(read_as):
    read_as(lambda captured: replace(captured, output={"out": torch.zeros(captured.images, 2, 4, 4)}))
    found, said = groups_on_the_classes_page()
    assert found == ["all images"]
    assert "SEResNet returns a dict with out" in said
