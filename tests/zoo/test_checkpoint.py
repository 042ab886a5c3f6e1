"""A user's network, from a file that anybody may have made."""

import io
import pickle
import re
import zipfile
from collections import OrderedDict

import pytest
import timm
import torch
from safetensors.torch import save as save_safetensors
from support.checkpoints import Evil, pickled
from torch import nn

from se_viz import load_checkpoint
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.errors import NotAnImageModel
from se_viz.interventions.capture import capture
from se_viz.weights import state_dict as state
from se_viz.weights.errors import UnknownModel, WeightsRefused
from se_viz.zoo import checkpoint
from se_viz.zoo import torchvision_source as from_torchvision

TIMM = "timm/test_efficientnet"
CLASSES = ("cat", "dog", "newt")


def small():
    return SEResNet(SEResNetConfig(r=2, width=4, num_classes=3))


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(1)
    return timm.create_model("test_efficientnet", num_classes=3).eval()


@pytest.fixture(scope="module")
def weights(trained):
    return trained.state_dict()


WRAPPINGS = {
    "safetensors": save_safetensors,
    "a state dict": pickled,
    "the format before zip files": lambda weights: _old(weights),  # noqa: PLW0108 - it is defined below
    "inside a trainer's": lambda weights: pickled({"epoch": 3, "state_dict": weights, "optimizer": {"lr": 0.1}}),
    "inside two": lambda weights: pickled({"state_dict": {"model_state": weights}}),
    "of several GPUs": lambda weights: pickled({f"module.{key}": value for key, value in weights.items()}),
    "compiled, inside a trainer": lambda weights: pickled(
        {"model": {f"model._orig_mod.{key}": value for key, value in weights.items()}}
    ),
    "of an old torch": lambda weights: pickled(
        {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}
    ),
}


def _old(weights):
    out = io.BytesIO()
    torch.save(weights, out, _use_new_zipfile_serialization=False)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_the_weights_arrive(wrapping, weights, trained):
    network = checkpoint.read_network(WRAPPINGS[wrapping](weights), TIMM, classes=CLASSES).module
    assert not network.training
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(images), trained(images), rtol=0, atol=0)


@pytest.mark.slow
def test_a_file_is_a_model_with_gates_names_and_preprocessing(tmp_path, weights):
    path = tmp_path / "newts.safetensors"
    path.write_bytes(save_safetensors(weights))
    model = load_checkpoint(
        path, TIMM, classes=CLASSES, mean=(0.1, 0.2, 0.3), std=(0.5, 0.6, 0.7), size=96, device="cpu"
    )
    assert (model.name, model.classes, model.about) == (
        "newts.safetensors",
        CLASSES,
        "timm/test_efficientnet with the weights of newts.safetensors",
    )
    assert (model.preprocess.mean, model.preprocess.std) == ((0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    assert model.preprocess.crop == (96, 96)
    own = checkpoint.read_network(path, TIMM, classes=CLASSES).preprocess
    assert model.preprocess.resize / 96 == pytest.approx(own.resize / own.crop[0], rel=0.01)
    assert {gate.kind for gate in model.gates} == {"SqueezeExcite"}
    assert capture(model, torch.zeros(1, 3, 96, 96)).logits.shape == (1, 3)


@pytest.mark.slow
def test_another_precision_reads_about_the_same(weights):
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    content = save_safetensors(weights)
    single, half = (
        capture(load_checkpoint(content, TIMM, classes=CLASSES, size=64, device="cpu", precision=precision), images)
        for precision in ("fp32", "bf16")
    )
    for gate_capture in single:
        torch.testing.assert_close(
            torch.from_numpy(half[gate_capture.gate.name].s), torch.from_numpy(gate_capture.s), rtol=0, atol=0.02
        )
    with pytest.raises(ValueError, match="precision must be one of fp32, bf16, fp16, not 'int8'"):
        load_checkpoint(content, TIMM, classes=CLASSES, precision="int8")


def test_a_function_may_make_the_network():
    torch.manual_seed(0)
    made = small()
    model = load_checkpoint(pickled(made.state_dict()), small, classes=CLASSES, size=64, device="cpu")
    assert len(model.gates) == 8
    assert model.about.startswith("small with the weights of")


@pytest.mark.slow
def test_torchvision_has_architectures_too():
    torch.manual_seed(0)
    network = from_torchvision.create("regnet_y_400mf", num_classes=3)
    content = pickled({"model": network.state_dict()})
    read = checkpoint.read_network(content, "torchvision/regnet_y_400mf", classes=CLASSES)
    assert read.preprocess == from_torchvision.preprocess("regnet_y_400mf")
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(read.module(images), network(images), rtol=0, atol=0)
    with pytest.raises(WeightsRefused, match="The argument weights is not allowed"):
        checkpoint.read_network(content, "torchvision/regnet_y_400mf", arguments={"weights": "DEFAULT"})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("write", [pickled, pickle.dumps, lambda value: _old({"a": value})])
def test_a_file_that_would_run_code_is_refused_and_does_not(tmp_path, write):
    trap = tmp_path / "trap"
    with pytest.raises(WeightsRefused, match=r"nothing was run|broken"):
        checkpoint.read_network(write(Evil(trap)), TIMM)
    assert not trap.exists()


@pytest.mark.slow
def test_what_a_hostile_file_asks_for_is_named(tmp_path):
    with pytest.raises(WeightsRefused, match=r"evil\.pth requests a call of _?io\.open .* nothing was run"):
        checkpoint.read_network(pickled({"a": Evil(tmp_path / "trap")}), TIMM, name="evil.pth")
    with pytest.raises(WeightsRefused, match=r"requests a call of se_viz\.demo\.seresnet\.SEResNet"):
        checkpoint.read_network(pickled(small()), TIMM)


def cycle():
    itself = {}
    itself["state_dict"] = itself
    return itself


def bomb():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(3_000_000))
    return out.getvalue()


BAD = {
    "bytes": (b"\x01\x02\x03", "x.pth", "neither a safetensors file nor"),
    "a pickle called safetensors": (
        pickled({"a": torch.zeros(1)}),
        "x.safetensors",
        r"x\.safetensors ends in \.safetensors but is a pickle\. Rename it",
    ),
    "safetensors called a pickle": (
        save_safetensors({"a": torch.zeros(1)}),
        "x.pth",
        r"x\.pth ends in \.pth but is a safetensors file\. Rename it",
    ),
    "a header and no tensors": (save_safetensors({"a": torch.zeros(9)})[:-9], "x.safetensors", "broken safetensors"),
    "a header of nonsense": (
        (9).to_bytes(8, "little") + b"{nonsense" + bytes(9),
        "x.safetensors",
        "broken safetensors",
    ),
    "half a pickle": (pickled({"a": torch.zeros(999)})[:2000], "x.pth", "ends after 2,000 bytes"),
    "half an old pickle": (_old({"a": torch.zeros(999)})[:200], "x.pth", "ends after 200 bytes"),
    "another zip": (bomb()[:10] + bomb()[10:], "x.pth", "would unpack to 3 MB; the limit is 1"),
    "too large": (bytes(1_000_001), "x.pth", "has 1 MB; 1 MB is the limit"),
    "no tensors": (pickled({"epoch": 3}), "x.pth", "contains no named tensors"),
    "itself": (pickled(cycle()), "x.pth", "contains no named tensors"),
    "a list": (pickled([torch.zeros(1)]), "x.pth", "contains no named tensors"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_file_that_is_no_checkpoint_is_refused_in_a_sentence(bad):
    content, name, said = BAD[bad]
    with pytest.raises(WeightsRefused, match=said) as caught:
        state.read_state(content, 1_000_000, name)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")


@pytest.mark.slow
def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsRefused, match=r"none\.pth cannot be read: No such file"):
        load_checkpoint(tmp_path / "none.pth", TIMM)
    with pytest.raises(WeightsRefused, match="cannot be read: it is not a file"):
        load_checkpoint(str(tmp_path), TIMM)


@pytest.mark.slow
def test_weights_of_another_network_are_refused_with_the_difference(weights):
    other = {key.replace("conv_stem", "stem"): value for key, value in weights.items()}
    other["classifier.bias"] = torch.zeros(7)
    other |= {f"extra.{index}": torch.zeros(1) for index in range(8)}
    with pytest.raises(WeightsRefused) as caught:
        checkpoint.read_network(pickled(other), TIMM, classes=CLASSES, name="mine.pth")
    assert str(caught.value) == (
        "mine.pth does not fit timm/test_efficientnet. 1 missing: conv_stem.weight; 9 unexpected: stem.weight, "
        "extra.0, extra.1, extra.2, extra.3 and 4 more; 1 of another shape: classifier.bias is 7 and should be 3. No "
        "other architecture is closer (86% of the tensors the same). In Python and from a shell, a function may build "
        "the network (--arch package.module:function)."
    )


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
def test_sparse_tensors_are_refused(weights):
    odd = weights | {"classifier.bias": torch.zeros(3).to_sparse()}
    with pytest.raises(WeightsRefused, match=r"contains unusable tensors: classifier\.bias is sparse\."):
        checkpoint.read_network(pickled(odd), TIMM, classes=CLASSES)


@pytest.mark.slow
def test_as_many_names_as_logits_are_needed(weights):
    with pytest.raises(WeightsRefused, match="There are 2 names of classes and 3 logits"):
        checkpoint.read_network(pickled(weights), TIMM, classes=("cat", "dog"))
    content = pickled(small().state_dict())
    with pytest.raises(WeightsRefused, match="There are 2 names of classes and 3 logits"):
        load_checkpoint(content, small, classes=("cat", "dog"), size=64, device="cpu")


@pytest.mark.slow
def test_a_size_that_the_network_does_not_take_is_refused():
    content = pickled(timm.create_model("test_vit", num_classes=3).state_dict())
    with pytest.raises(NotAnImageModel, match="takes no batch of images"):
        load_checkpoint(content, "timm/test_vit", classes=CLASSES, size=100, device="cpu")


@pytest.mark.parametrize(
    "name", ["", "resnet", "timm/", "timm/none", "hf-hub:timm/resnet18", "timm/hf-hub:a/b", "demo/r16", "os:system"]
)
def test_only_architectures_of_the_libraries_have_names(name, weights):
    with pytest.raises(UnknownModel, match="as in timm/seresnet50"):
        checkpoint.read_network(save_safetensors(weights), name)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"pretrained": True}, "The argument pretrained is not allowed"),
        ({"checkpoint_path": "/etc/passwd"}, "The argument checkpoint_path is not allowed"),
        ({"num_classes": "many"}, "cannot be built with (num_classes='many')"),
        ({"nonsense": 1}, f"{TIMM} takes no argument nonsense."),
        ({"rd_ratio": 0.25, "nonsense": 1}, f"{TIMM} takes no argument "),
        ({"num_classes": 10**12}, "has 257,000,000 M parameters; 500 M is the limit here"),
        ({"num_classes": 4}, "The file has 3 logits, not 4: leave num_classes out"),
    ],
)
def test_arguments_that_it_cannot_have_are_named(arguments, said, weights):
    with pytest.raises(WeightsRefused, match=re.escape(said)):
        checkpoint.read_network(save_safetensors(weights), TIMM, arguments=arguments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"size": 8}, "size must be 16 to 1024"),
        ({"std": (0, 1, 1)}, "std must be three numbers above 0"),
        ({"std": (0.1, float("inf"), 0.1)}, "std must"),
        ({"mean": (float("nan"), 0, 0)}, "mean must be three numbers from 0 to 1"),
        ({"mean": (0.5, 0.5)}, "mean must be three numbers"),
        ({"mean": (123.7, 116.3, 103.5)}, "not .123.7, 116.3, 103.5., as values .* divide them by 255"),
    ],
)
def test_numbers_out_of_range_are_named(given, said, weights):
    with pytest.raises(ValueError, match=said):
        checkpoint.read_network(save_safetensors(weights), TIMM, classes=CLASSES, **given)


def test_a_function_that_makes_no_network_is_named(weights):
    with pytest.raises(WeightsRefused, match="returns OrderedDict, not a"):
        checkpoint.read_network(save_safetensors(weights), OrderedDict)
    with pytest.raises(WeightsRefused, match=r"cannot be built with .*ZeroDivisionError"):
        checkpoint.read_network(save_safetensors(weights), lambda: nn.Linear(1 // 0, 1))


@pytest.mark.slow
def test_a_network_that_takes_no_images_is_refused():
    grey = timm.create_model("test_efficientnet", in_chans=1)
    with pytest.raises(WeightsRefused, match="does not take images of 3 channels"):
        load_checkpoint(pickled(grey.state_dict()), TIMM, arguments={"in_chans": 1}, device="cpu")
