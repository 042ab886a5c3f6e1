"""Images are prepared as timm and torchvision would, whatever their shape."""

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from timm.data import create_transform, resolve_data_config
from torchvision.models import get_model_weights

from se_viz.zoo import timm_source
from se_viz.zoo import torchvision_source as from_torchvision

SIZES = [(500, 375), (333, 501), (224, 224), (97, 640), (61, 45)]

# Every way in which size, crop, interpolation and crop mode are combined in the networks with gates.
TIMM = [
    "legacy_seresnet50.in1k",  # 224 of 256, bilinear
    "seresnet50.ra2_in1k",  # 224 of 256, bicubic
    "efficientnet_b3.ra2_in1k",  # 288, other crop
    "tf_efficientnet_b0.ns_jft_in1k",
    "tf_efficientnetv2_b3.in21k_ft_in1k",  # squashed
    "dm_nfnet_f0.dm_in1k",  # squashed, bicubic
    "mobilenetv3_small_050.lamb_in1k",
    "tf_mobilenetv3_small_100.in1k",  # mean and std 0.5
    "test_efficientnet.r160_in1k",
    "regnety_120.sw_in12k_ft_in1k",
]
TORCHVISION = ["efficientnet_b1", "efficientnet_v2_s", "mobilenet_v3_large", "regnet_y_16gf", "maxvit_t"]


def make_images():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for width, height in SIZES]


@pytest.mark.parametrize("name", TIMM)
def test_as_timm_does(name):
    architecture, _, tag = name.partition(".")
    config = timm.get_pretrained_cfg(name).to_dict()
    reference = create_transform(**resolve_data_config(pretrained_cfg=config), is_training=False)
    prepare = timm_source.preprocess(architecture, tag)
    for image in make_images():
        torch.testing.assert_close(prepare(image)[0], reference(image), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", TORCHVISION)
def test_as_torchvision_does(name):
    for entry in get_model_weights(name):
        reference = entry.transforms()
        prepare = from_torchvision.preprocess(name, entry.name)
        for image in make_images():
            torch.testing.assert_close(prepare(image)[0], reference(image), rtol=0, atol=1e-5)


def test_the_names_of_imagenets_classes_are_torchvisions():
    assert timm_source.classes("seresnet50", "ra2_in1k") == from_torchvision.IMAGENET
    assert from_torchvision.classes("regnet_y_400mf", "") == from_torchvision.IMAGENET
    assert from_torchvision.IMAGENET[0] == "tench"
    assert len(set(from_torchvision.IMAGENET)) > 990


@pytest.mark.parametrize(
    ("name", "count"),
    [("regnety_120.sw_in12k", 11821), ("tf_efficientnetv2_s.in21k", 21843), ("tresnet_m.miil_in21k", 11221)],
)
def test_larger_imagenets_have_names_too(name, count):
    assert len(timm_source.classes(*name.split("."))) == count


def test_a_network_of_embeddings_has_no_names():
    assert timm_source.classes("fastvit_mci0", "apple_mclip") == ()
