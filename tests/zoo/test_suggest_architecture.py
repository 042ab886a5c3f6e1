"""A file that does not fit is told which architecture it is for."""

import re

import pytest
import timm
import torch
from support.checkpoints import pickled
from support.quick import exhaustive
from torch import nn

from se_viz.weights.errors import Misfit
from se_viz.zoo import checkpoint, gate_index, libraries
from se_viz.zoo import tensor_names as names
from se_viz.zoo import torchvision_source as from_torchvision

ASKED = "timm/test_efficientnet"


def refused(state, name="x.pth"):
    with pytest.raises(Misfit) as caught:
        checkpoint.read_network(pickled(state), ASKED, name=name)
    return caught.value


def sketched(name, **arguments):
    source, architecture, _ = libraries.split(name)
    return source.create(architecture, **arguments).state_dict()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "prefix"),
    [
        ("timm/legacy_seresnet18", ""),
        ("torchvision/regnet_y_400mf", "model.module."),
        *exhaustive(
            *(("timm/mobilenetv3_small_050", prefix) for prefix in ("", "model.module.")),
            ("timm/legacy_seresnet18", "model.module."),
            ("torchvision/regnet_y_400mf", ""),
        ),
    ],
)
def test_the_architecture_that_fits_is_named(name, prefix):
    state = {f"{prefix}{key}": value for key, value in sketched(name, num_classes=7).items()}
    error = refused(state)
    assert error.exact
    assert error.better[0] == name
    assert f"The file's tensors are those of {name}" in str(error)
    assert f"choose that architecture (--arch {name})" in str(error)
    assert re.match(rf"x\.pth does not fit {ASKED}\. \d+ tensors differ \(\d+ missing, \d+ unexpected", str(error))
    # What it says holds.
    assert checkpoint.read_network(pickled(state), error.better[0]).about


@pytest.mark.slow
def test_wrappers_and_another_classifier_do_not_hide_it():
    network = timm.create_model("legacy_seresnet18")
    network.last_linear = nn.Sequential(nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 7))
    state = {re.sub(r"^(layer\d)\.", r"\1._orig_mod.", key): value for key, value in network.state_dict().items()}
    assert refused(state).better == ("timm/legacy_seresnet18",)


@pytest.mark.slow
def test_an_architecture_without_gates_is_named_and_not_offered():
    error = refused(from_torchvision.create("resnet18").state_dict())
    assert error.better == ()
    assert re.search(r"are those of .*torchvision/resnet18.*, which has no channel gates\.$", str(error))


@pytest.mark.slow
def test_the_nearest_is_named_with_its_share():
    state = sketched("timm/mobilenetv3_small_050")
    changed = {key.replace("conv_stem", "stem"): value for key, value in state.items()}
    error = refused(changed)
    assert not error.exact
    assert error.better == ("timm/mobilenetv3_small_050",)
    assert re.search(r"Closest is timm/mobilenetv3_small_050, with 9\d% of the tensors the same", str(error))


@pytest.mark.slow
def test_of_a_network_of_another_kind_it_is_said_that_none_comes_close():
    error = refused({f"encoder.{index}.weight": torch.zeros(3, index + 1) for index in range(40)})
    assert error.better == ()
    assert "No architecture of timm or torchvision has most of its tensors" in str(error)
    assert "(--arch package.module:function)" in str(error)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("_fsdp_wrapped_module._flat_param", "flattened by FSDP"),
        ("blocks.0.lora_A.default.weight", "is an adapter"),
        ("blocks.0.parametrizations.weight.original", "remove_parametrizations"),
        ("conv_stem.qweight", "are quantised"),
    ],
)
def test_names_that_tell_how_a_file_was_made_are_explained(key, said):
    assert said in refused({key: torch.zeros(3)}).advice


def test_the_index_has_every_architecture_with_gates():
    index = names._read(names.PATH)
    gated = {row.model for row in gate_index.bundled_gates().values() if row.gates}
    assert gated <= set(index.models.tolist())
    assert names.PATH.stat().st_size < 200_000


def test_an_index_is_made_and_read(tmp_path):
    path = tmp_path / "names.npz"
    seen = []
    names.make(path, lambda name: name in {ASKED, "timm/test_resnet"}, seen.append)
    assert set(seen) == {ASKED, "timm/test_resnet"}
    found = names.likely({f"net.{key}": value for key, value in sketched(ASKED).items()}, path)
    assert found[0].models == (ASKED,)
    assert found[0].share == pytest.approx(1)
    assert names.likely({}, path) == []
    assert names.likely(sketched(ASKED), tmp_path / "none.npz") == []


@pytest.mark.slow
def test_small_networks_are_estimated_too(tmp_path):
    # The paper's smallest in the index has fewer tensors than are sampled of others.
    index = names._read(names.PATH)
    smallest = int(index.sizes.argmin())
    model = str(index.models[index.group == smallest][0])
    assert names.likely(sketched(model))[0].share > 0.9
