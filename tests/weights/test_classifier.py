"""Files whose classifier is not the architecture's own."""

import re

import pytest
import timm
import torch
from support.checkpoints import pickled
from torch import nn

from se_viz import load_checkpoint
from se_viz.weights.errors import Misfit, WeightsRefused
from se_viz.zoo import checkpoint
from se_viz.zoo import torchvision_source as from_torchvision

TIMM = "timm/test_efficientnet"
TORCHVISION = "torchvision/mobilenet_v3_small"
FEATURES = 256


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    return timm.create_model("test_efficientnet", num_classes=3).eval()


@pytest.fixture(scope="module")
def images():
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def saved(network):
    return pickled(network if isinstance(network, dict) else network.state_dict())


def body(network, prefix=""):
    return {f"{prefix}{key}": value for key, value in network.state_dict().items() if not key.startswith("classifier")}


def layer(name, classes, features=FEATURES, bias=True):
    torch.manual_seed(2)
    made = {f"{name}.weight": torch.randn(classes, features)}
    return made | ({f"{name}.bias": torch.randn(classes)} if bias else {})


def features_of(network, images):
    with torch.inference_mode():
        return network.forward_head(network.forward_features(images), pre_logits=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "name"),
    [
        *(("", name) for name in ("classifier.1", "classifier.fc", "head.fc", "classifier.3", "fc", "last_linear.1")),
        *(("", name) for name in ("_classifier", "cls_head", "linear", "module.logits")),
        *(("encoder.module.", name) for name in ("fc", "head", "classifier.0", "encoder.module.classifier.1")),
        *(("0.", name) for name in ("1", "2.1")),
        *(("backbone.", name) for name in ("probe", "cls_head.fc")),
    ],
)
def test_one_linear_layer_is_the_classifier_whatever_its_name(prefix, name, network, images):
    head = layer(name, 5)
    read = checkpoint.read_network(saved({**body(network, prefix), **head}), TIMM, classes=tuple("abcde"))
    weight, bias = head.values()
    with torch.inference_mode():
        expected = features_of(network, images) @ weight.T + bias
        torch.testing.assert_close(read.module(images), expected, rtol=1e-4, atol=1e-4)
    assert (
        f". The classifier is the file's linear layer {name.removeprefix('module.').removeprefix(prefix)}" in read.about
    )
    assert read.classes == tuple("abcde")


@pytest.mark.slow
def test_layers_before_it_are_said_to_be_taken_for_dropout(network):
    read = checkpoint.read_network(saved({**body(network), **layer("classifier.2", 5)}), TIMM)
    assert read.about.endswith("classifier.2, and the layers without weights before it are assumed to be dropout")
    read = checkpoint.read_network(saved({**body(network), **layer("head", 5)}), TIMM)
    assert read.about.endswith("linear layer head")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classifier", "classifier.1", "head"])
def test_a_classifier_without_bias_has_a_bias_of_0(name, network, images):
    head = layer(name, 5, bias=False)
    read = checkpoint.read_network(saved({**body(network), **head}), TIMM)
    with torch.inference_mode():
        expected = features_of(network, images) @ head[f"{name}.weight"].T
        torch.testing.assert_close(read.module(images), expected, rtol=1e-4, atol=1e-4)
    assert "bias" in read.about


def test_a_convolution_of_one_pixel_is_a_linear_layer(network, images):
    head = layer("head", 5)
    head["head.weight"] = head["head.weight"][..., None, None]
    read = checkpoint.read_network(saved({**body(network), **head}), TIMM)
    with torch.inference_mode():
        assert read.module(images).shape == (2, 5)


UNKNOWABLE = {
    "two layers": {**layer("classifier.0", 64), **layer("classifier.3", 5, 64)},
    "under another name": {**layer("mlp_head.0", 64), **layer("mlp_head.2", 5, 64)},
    "with a normalisation": {"classifier.0.weight": torch.ones(FEATURES), **layer("classifier.1", 5)},
    "two heads": {**layer("head_a", 5), **layer("head_b", 3)},
    "of other features": layer("classifier", 5, 64),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", UNKNOWABLE)
def test_several_layers_are_left_out_and_the_gates_are_read(what, network, images):
    content = saved({**body(network), **UNKNOWABLE[what]})
    model = load_checkpoint(content, TIMM, classes=("a", "b"), size=64, device="cpu")
    assert [gate.kind for gate in model.gates] == ["SqueezeExcite"] * 2
    assert model.classes == ()
    assert "it was left out, so gates can be read, but there are no predictions" in model.about
    assert model.about.endswith("The 2 names of classes are not used")
    with torch.inference_mode():
        found = model.network(images)
    # As maps, so that nothing takes the features for logits.
    torch.testing.assert_close(found[..., 0, 0], features_of(network, images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["", "backbone."])
@pytest.mark.parametrize("arguments", [{}, {"num_classes": 0}])
def test_a_file_without_classifier_is_read_and_it_is_said(prefix, arguments, network, images):
    read = checkpoint.read_network(saved(body(network, prefix)), TIMM, arguments=arguments)
    with torch.inference_mode():
        assert read.module(images).shape == (2, FEATURES, 1, 1)
    assert arguments or "The file has no classifier: gates can be read, but there are no predictions" in read.about


@pytest.mark.slow
@pytest.mark.parametrize(
    "architecture", [TIMM, "timm/legacy_seresnet18", "timm/regnety_002", "timm/mobilenetv3_small_050"]
)
@pytest.mark.parametrize("prefix", ["", "model."])
def test_a_classifier_is_left_out_where_no_classes_are_asked_for(architecture, prefix):
    state = timm.create_model(architecture.removeprefix("timm/"), num_classes=3).state_dict()
    read = checkpoint.read_network(
        saved({f"{prefix}{key}": value for key, value in state.items()}), architecture, arguments={"num_classes": 0}
    )
    assert re.search(r"The file's classifier \(\S+\.bias, \S+\.weight\) was left out, as num_classes is 0", read.about)
    found = read.module.state_dict()
    assert len(found) == len(state) - 2
    assert all(torch.equal(value, state[key]) for key, value in found.items())
    assert read.head.kind == "features"


@pytest.mark.slow
def test_a_layer_of_the_body_is_not_left_out_with_the_classifier(network):
    with pytest.raises(Misfit, match=r"1 unexpected: blocks\.0\.0\.attention\.weight"):
        checkpoint.read_network(
            saved(network.state_dict() | {"blocks.0.0.attention.weight": torch.ones(3)}),
            TIMM,
            arguments={"num_classes": 0},
        )


@pytest.mark.slow
def test_a_number_of_classes_cannot_be_asked_of_a_file_without_classifier(network):
    with pytest.raises(WeightsRefused, match="has no classifier of 5 classes: leave num_classes out"):
        checkpoint.read_network(saved(body(network)), TIMM, arguments={"num_classes": 5})
    checkpoint.read_network(saved(body(network)), TIMM)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["classifier", "classifier.1", "fc"])
def test_a_classifier_of_two_layers_may_be_replaced_by_one(name, images):
    torch.manual_seed(0)
    network = from_torchvision.create("mobilenet_v3_small")
    network.classifier = nn.Identity()
    head = layer(name, 5, 576)
    read = checkpoint.read_network(saved({**network.state_dict(), **head}), TORCHVISION)
    weight, bias = head.values()
    with torch.inference_mode():
        torch.testing.assert_close(read.module(images), network(images) @ weight.T + bias, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_a_classifier_of_another_architecture_does_not_hide_a_misfit(network):
    other = {**body(network), **layer("classifier.1", 5), "blocks.0.0.se.fc.weight": torch.zeros(FEATURES, FEATURES)}
    with pytest.raises(Misfit, match=r"1 unexpected: blocks\.0\.0\.se\.fc\.weight"):
        checkpoint.read_network(saved(other), TIMM)
    short = {**body(network), **layer("classifier.1", 5)}
    del short["conv_stem.weight"]
    with pytest.raises(Misfit, match=r"missing: conv_stem\.weight"):
        checkpoint.read_network(saved(short), TIMM)
