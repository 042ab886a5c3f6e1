"""The Classes page on class profiles of 1,000 classes: what it sends stays small, and what was worked out is kept."""

import numpy as np
import pytest
import torch
from PIL import Image
from support.pages import open_page, open_tab
from torch import nn
from torchvision.ops import SqueezeExcitation

from se_viz import load, profile
from se_viz.analysis import class_overview as overview
from se_viz.data.dataset_sources import Dataset
from se_viz.data.images import InputImage
from se_viz.data.preprocess import Preprocess
from se_viz.reports import class_numbers
from se_viz.ui.markdown import escape_markdown
from se_viz.ui.widgets import profiles_export
from se_viz.zoo import registry

CLASSES = 1000


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), SqueezeExcitation(16, 8))
        self.layer2 = nn.Sequential(nn.Conv2d(16, 24, 3, 2, 1), nn.ReLU(), SqueezeExcitation(24, 8))
        self.head = nn.Linear(24, 3)

    def forward(self, x):
        return self.head(self.layer2(self.layer1(x)).mean((2, 3)))


def small():
    torch.manual_seed(0)  # the page keeps the model of the test before
    return registry.Network(Small().eval(), Preprocess(crop=(16, 16), resize=16), ("red", "green", "blue"), "small")


def coloured():
    """Two images of each of 1,000 colours, of which the last class has none."""
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 256, (CLASSES, 3), dtype=np.uint8)
    labels = np.repeat(np.arange(CLASSES - 1, dtype=np.int32), 2)

    def read(index):
        image = Image.fromarray(np.broadcast_to(colours[labels[index]], (16, 16, 3)) ^ np.uint8(index % 2))
        return InputImage(f"{index}", f"{index:064}", image, image.size), int(labels[index])

    names = tuple(f"colour number {number:03}" for number in range(CLASSES))
    return Dataset("colours", "python", names, [f"{index:04}" for index in range(len(labels))], labels, read)


@pytest.fixture
def many(tmp_path, monkeypatch, register):
    """The page of a small model with class profiles of many classes."""
    register("test/thousand", small)
    monkeypatch.setenv("SE_VIZ_PROFILES", str(tmp_path))
    profile(load("test/thousand", "cpu"), coloured(), tmp_path / "test-thousand" / "colours")
    return open_page("classes", 300, model="test/thousand")


def sizes(page):
    """Bytes of each chart."""
    return [len(chart.proto.spec) for chart in page.get("plotly_chart")]


@pytest.mark.slow
def test_a_thousand_classes_are_chosen_from_and_few_are_drawn(many):
    open_tab(many, "Figure 7")
    chosen = many.multiselect(key="classes_colours")
    assert len(chosen.options) == CLASSES - 1
    rows_shown = f"Of {CLASSES} classes, a gate's tree and heatmap show the 60 most similar to the chosen ones."
    assert any(escape_markdown(rows_shown) in text.value for text in many.caption)
    assert max(sizes(many)) < 200_000
    assert sum(sizes(many)) < 1_000_000
    chosen.set_value([chosen.options[at] for at in (7, 321, 500, 998)]).run()
    open_tab(many, "Figure 6")
    many.segmented_control(key="drawn").set_value("all").run()
    assert max(sizes(many)) < 200_000
    open_tab(many, "A against B")
    many.selectbox(key="class_a").set_value("colour number 017").run()
    assert not many.exception
    assert sum(sizes(many)) < 1_000_000


@pytest.mark.slow
def test_the_two_classes_it_opens_on_are_far_apart_and_a_rerun_works_nothing_out_again(many, monkeypatch):
    open_tab(many, "Figure 6")
    open_tab(many, "A against B")
    one, other = (many.selectbox(key=key).value for key in ("class_a", "class_b"))
    assert one != other

    def again(*_):
        raise AssertionError("worked out twice")

    monkeypatch.setattr(overview, "class_similarity", again)
    monkeypatch.setattr(overview.ClassPatterns, "of", again)
    monkeypatch.setattr(class_numbers, "by_depth", again)
    monkeypatch.setattr(class_numbers, "gate_similarity", again)
    monkeypatch.setattr(class_numbers, "limits", again)
    monkeypatch.setattr(class_numbers, "difference", again)
    open_tab(many, "Figure 6")
    many.multiselect(key="classes_colours").set_value(["colour number 500", "colour number 600"]).run()
    assert not many.exception


@pytest.mark.slow
def test_a_table_too_large_to_send_is_left_to_the_shell(many, monkeypatch):
    open_tab(many, "Export")
    assert not any("too many to download" in text.value for text in many.markdown)
    monkeypatch.setattr(profiles_export, "MOST_ROWS", 10_000)
    many.run()
    assert any("40,000 rows, too many to download" in text.value for text in many.markdown)
