"""What an architecture needs is known before it is built."""

import pytest
import torch
from torch import nn

from se_viz.weights.meta_model import LARGEST, count_classes, count_params, head_axes, sketched
from se_viz.zoo import gate_index, libraries, registry, timm_source
from se_viz.zoo import torchvision_source as from_torchvision


@pytest.mark.slow
@pytest.mark.parametrize("name", ["timm/legacy_seresnet18", "timm/mobilenetv3_small_050", "torchvision/regnet_y_400mf"])
def test_a_sketch_has_the_shapes_of_the_network_and_no_numbers(name):
    source, architecture, _ = libraries.split(name)
    sketch = sketched(lambda: source.create(architecture))
    network = source.create(architecture)
    assert count_params(sketch) == count_params(network) == gate_index.bundled_gates()[name].params
    shapes = {key: value.shape for key, value in network.state_dict().items()}
    assert {key: value.shape for key, value in sketch.state_dict().items()} == shapes
    assert sum(value.numel() for value in sketch.state_dict().values() if not value.is_meta) < count_params(sketch) / 50


def test_what_cannot_be_built_cannot_be_sketched():
    with pytest.raises(ZeroDivisionError):
        sketched(lambda: nn.Linear(1 // 0, 1))
    # The mode in which the second try was made is left behind.
    assert not torch.empty(1).is_meta


@pytest.mark.parametrize(
    ("library", "name", "axes"),
    [
        (timm_source, "seresnet50", {"fc.weight": 0, "fc.bias": 0}),
        (timm_source, "legacy_seresnet18", {"last_linear.weight": 0, "last_linear.bias": 0}),
        (timm_source, "mobilenetv3_small_050", {"classifier.weight": 0, "classifier.bias": 0}),
        (from_torchvision, "mobilenet_v3_small", {"classifier.3.weight": 0, "classifier.3.bias": 0}),
        (from_torchvision, "regnet_y_400mf", {"fc.weight": 0, "fc.bias": 0}),
    ],
)
def test_the_classifier_is_what_grows_with_the_classes(library, name, axes):
    assert head_axes(lambda count: sketched(lambda: library.create(name, num_classes=count)).state_dict()) == axes


def test_the_classes_of_a_file_are_counted_if_its_tensors_agree():
    axes = {"fc.weight": 0, "fc.bias": 0}
    assert count_classes({"fc.weight": torch.zeros(7, 3), "fc.bias": torch.zeros(7)}, axes) == 7
    assert count_classes({"fc.weight": torch.zeros(7, 3), "fc.bias": torch.zeros(8)}, axes) is None
    assert count_classes({"fc.weight": torch.zeros(())}, axes) is None
    assert count_classes({}, axes) is None


@pytest.mark.slow
def test_architectures_with_gates_are_listed_first_and_none_is_too_large():
    listed = registry.architectures()
    rows = gate_index.bundled_gates()
    gated = [rows[name].gates > 0 for name in listed]
    assert gated == sorted(gated, reverse=True)
    assert listed[:2] == ("timm/legacy_seresnet18", "timm/legacy_seresnet34")
    assert "timm/seresnet50" in listed[:12]
    assert {"timm/resnet50", "torchvision/resnet50"} < set(listed)
    assert all(rows[name].params <= LARGEST for name in listed)
    assert "timm/regnety_2560" not in listed
    assert all(libraries.find(name)[1] for name in listed[:20])
