"""Numbers that are NaN or infinite are said on every page, and nothing is drawn or claimed from them."""

import io
import re
from functools import cache
from unittest.mock import Mock

import pytest
import torch
from PIL import Image
from support.pages import open_page
from support.quick import sampled
from torch import nn

from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNet
from se_viz.model.model import Model
from se_viz.ui.state import models

NUMBER = re.compile(r"\b(nan|inf|-inf)\b|nan%")


def network(change=lambda _: None):
    torch.manual_seed(0)
    made = SEResNet().eval()
    change(made)
    return made


class Normalising(nn.Module):
    """Divides an image by its deviation, which of a flat image is 0 / 0."""

    def __init__(self):
        super().__init__()
        self.network = network()

    def forward(self, x):
        least = x.amin((2, 3), keepdim=True)
        return self.network((x - least) / (x - least).amax((1, 2, 3), keepdim=True))


def overflowing(made):
    made.layer3[1].bn3.weight.data.fill_(3e38)


def negative(path):
    return lambda made: made.get_submodule(path).running_var.fill_(-1)


NETWORKS = {
    "flat image": Normalising,
    "variance below 0": lambda: network(negative("layer3.0.bn1")),
    "classifier": lambda: network(lambda made: made.fc.weight.data.fill_(1e38)),
    "overflow": lambda: network(overflowing),
}


def said(page):
    kinds = ("markdown", "caption", "warning", "error", "info", "title", "header", "metric")
    texts = [str(element.value) for kind in kinds for element in getattr(page, kind)]
    texts += [chart.proto.alt for chart in page.get("plotly_chart")] + [html.proto.body for html in page.get("html")]
    texts += [frame.value.to_csv() for frame in page.dataframe]
    return texts


@cache
def model_of(kind):
    return Model(f"test/{kind}", NETWORKS[kind](), PREPROCESS, tuple(f"kind {i}" for i in range(10)))


@pytest.mark.slow
@pytest.mark.parametrize("module", ["inspect", "how", "classes", "network", "reduction"])
@pytest.mark.parametrize("kind", sampled(NETWORKS))
def test_no_page_writes_nan(kind, module, monkeypatch, flat):
    load = Mock(return_value=model_of(kind))  # which has a clear(), as what is kept has
    monkeypatch.setattr(models, "_load", load)
    page = open_page(module)
    page.file_uploader(key="upload").set_value([("flat.png", flat, "image/png")]).run()
    assert not page.exception
    assert not [text for text in said(page) if NUMBER.search(text)]


@pytest.fixture
def flat():
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(out, "PNG")
    return out.getvalue()
