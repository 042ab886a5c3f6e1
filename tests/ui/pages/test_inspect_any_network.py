"""The Inspect page on networks of other shapes: many gates, one, of mixed kinds, and none that is in a stage."""

import pytest
import torch
from support.pages import open_page, open_tab, specs
from torch import nn
from torchvision.ops import SqueezeExcitation

from se_viz.data.preprocess import Preprocess
from se_viz.zoo import registry


class Unit(nn.Module):
    """A convolution and a gate, without a shortcut; of no stride, the image keeps its size."""

    def __init__(self, taken, given, gate, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(taken, given, 3, stride, 1)
        self.norm = nn.BatchNorm2d(given)
        self.se = gate

    def forward(self, x):
        return self.se(torch.relu(self.norm(self.conv(x))))


class Efficient(nn.Module):
    """A gate without a bottleneck over neighbouring channels, and of another function."""

    def __init__(self):
        super().__init__()
        self.pool, self.conv, self.gate = nn.AdaptiveAvgPool2d(1), nn.Conv1d(1, 1, 3, padding=1), nn.Hardsigmoid()

    def forward(self, x):
        weights = self.gate(self.conv(self.pool(x).flatten(2).transpose(1, 2)))
        return x * weights.transpose(1, 2).unsqueeze(-1)


class Net(nn.Module):
    def __init__(self, *stages):
        super().__init__()
        self.stages = nn.Sequential(*(nn.Sequential(*stage) for stage in stages))
        self.head = nn.Linear(16, 3)

    def forward(self, x):
        return self.head(self.stages(x).mean((2, 3)))


def unit(taken=16, stride=1, bottleneck=4):
    return Unit(taken, 16, SqueezeExcitation(16, bottleneck), stride)


def many():
    """Three gates of stage 1, and 40 of stage 2."""
    return Net([unit(3, 2), unit(), unit()], [unit(stride=2), *(unit() for _ in range(39))])


def one():
    return Net([unit(3, 2)])


def mixed():
    """Two kinds of gates in one stage, and three widths of bottlenecks in the next."""
    efficient = Unit(16, 16, Efficient())
    return Net([unit(3, 2), efficient], [unit(stride=2, bottleneck=3), unit(bottleneck=4), unit(bottleneck=8)])


def flat():
    """Never narrower than the image."""
    return Net([unit(3), unit()])


@pytest.fixture
def opened(register):
    """The page on a network, registered under its own name."""

    def run(made, **query):
        def network():
            torch.manual_seed(0)
            preprocess = Preprocess(crop=(32, 32), resize=32)
            return registry.Network(made().eval(), preprocess, ("red", "green", "blue"), "made here")

        name = f"test/{made.__name__}"
        register(name, network)
        return open_page("inspect", model=name, **query)

    return run


def titles(page):
    """Of the charts that are drawn: the gate that each is of."""
    return [spec["layout"]["title"]["text"].split(":")[0] for spec in specs(page)]


def titles_of_tabs(page):
    """Of the charts by stage, of the weights and of the maps of a page with its first tab: the gate that each is of."""
    weights = titles(page)
    assert page.session_state["view"] == "Weights"
    stages = len(weights) - 2
    return weights + titles(open_tab(page, "Maps"))[stages:]


def answer(page):
    return page.markdown[0].value.replace("\\", "")


def keys(controls):
    return {control.key: list(control.options) for control in controls if control.key.startswith("stage")}


@pytest.mark.slow
def test_many_gates_are_chosen_from_a_list(opened):
    page = opened(many)
    names = [f"SE_1_{block}" for block in range(1, 4)], [f"SE_2_{block}" for block in range(1, 41)]
    assert keys(page.segmented_control) == {"stage1": names[0]}
    assert keys(page.selectbox) == {"stage2": names[1]}
    assert page.selectbox(key="gate").options == [*names[0], *names[1]]
    assert titles_of_tabs(page) == ["SE_1_3", "SE_2_40", *["SE_2_40"] * 3]
    assert "Mean weight is lowest in SE_" in answer(page)
    page.selectbox(key="stage2").set_value("SE_2_17").run()
    assert titles(page)[:2] == ["SE_1_3", "SE_2_17"]
    assert not page.exception


def test_a_link_reaches_any_of_many_gates(opened):
    page = opened(many, stage2="SE_2_23", gate="SE_2_31")
    assert titles_of_tabs(page) == ["SE_1_3", "SE_2_23", *["SE_2_31"] * 3]


@pytest.mark.parametrize("samples", ["cat", "cat,coffee"])
def test_one_gate_is_not_compared_with_others(opened, samples):
    page = opened(one, samples=samples)
    assert keys(page.segmented_control) == {"stage1": ["SE_1_1"]}
    assert titles_of_tabs(page) == ["SE_1_1"] * 4
    said = answer(page)
    assert "The mean weight in SE_1_1 is" in said
    assert "lowest" not in said
    assert any("test/one has no class profiles yet, so the charts show s itself" in text.value for text in page.caption)
    assert "differently" not in said
    assert ("between these 2 images" in said) == ("," in samples)
    assert specs(page)[0]["data"][0]["type"] == ("heatmap" if "," in samples else "scatter")  # or bars for one image


@pytest.mark.parametrize(
    ("gate", "about"),
    [
        ("SE_1_2", "16 channels, no bottleneck, squeeze avg, gate function hard-sigmoid"),
        ("SE_2_1", "16 channels, r = 5.33 (bottleneck 3), squeeze avg, gate function sigmoid"),
        ("SE_2_3", "16 channels, r = 2 (bottleneck 8), squeeze avg, gate function sigmoid"),
    ],
)
def test_gates_of_mixed_kinds_are_each_described(opened, gate, about):
    page = opened(mixed, gate=gate)
    assert keys(page.segmented_control) == {"stage1": ["SE_1_1", "SE_1_2"], "stage2": ["SE_2_1", "SE_2_2", "SE_2_3"]}
    assert titles_of_tabs(page) == ["SE_1_2", "SE_2_3", *[gate] * 3]
    assert any(about in text.value.replace("\\", "") for text in page.caption)
    # Both functions lie between 0 and 1, and are drawn so.
    assert all(spec["layout"]["yaxis"]["range"] == [0, 1] for spec in specs(page)[:2])


def test_a_network_without_stages_has_one_place_for_all_gates(opened):
    page = opened(flat, samples="cat,coffee")
    assert keys(page.segmented_control) == {"stage0": ["SE_0_1", "SE_0_2"]}
    assert titles_of_tabs(page) == ["SE_0_2"] * 4
    assert "most differently is SE_0_" in answer(page)
