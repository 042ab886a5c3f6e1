"""The page with one more model, for ``pages.py``: SE-ResNet-50 with random weights, as its own would be a download."""

import torch

from se_viz.data.preprocess import Preprocess
from se_viz.ui.app import run
from se_viz.zoo.registry import Network, register


def _build() -> Network:
    import timm  # noqa: PLC0415  # only when it is asked for, as the other models run without it

    torch.manual_seed(0)
    network = timm.create_model("legacy_seresnet50", pretrained=False).eval()
    return Network(network, Preprocess(crop=(224, 224), resize=224), (), "Random weights, for timing")


register("random/legacy_seresnet50", _build)
run()
