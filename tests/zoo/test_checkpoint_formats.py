"""Checkpoints as people have them: from trainers, wrappers and other tools."""

import io
from argparse import Namespace

import pytest
import timm
import torch
import torchvision
from safetensors.torch import save as save_safetensors
from support.checkpoints import SMALL, pickled, small_weights, under
from torch import nn

from se_viz.weights import state_dict as state
from se_viz.weights.class_names import read_classes
from se_viz.weights.errors import WeightsRefused
from se_viz.zoo import checkpoint, timm_source


@pytest.fixture(scope="module")
def weights():
    return small_weights(3)


def loaded(content, **given):
    return checkpoint.read_network(content, SMALL, **given).module.state_dict()


def same(found, weights):
    assert found.keys() == weights.keys()
    return all(torch.equal(found[key], weights[key]) for key in weights)


def test_from_an_upload_with_nothing_but_names(weights):
    upload = io.BytesIO(save_safetensors(weights))
    upload.name = "newts.safetensors"
    upload.read(5)
    network = checkpoint.read_network(upload, SMALL, classes=read_classes(b"smooth\npalmate\ngreat crested"))
    assert same(network.module.state_dict(), weights)
    assert network.classes == ("smooth", "palmate", "great crested")
    assert network.about == "timm/test_efficientnet with the weights of newts.safetensors"


def test_a_part_of_a_checkpoint_in_several_files_is_called_so(weights):
    with pytest.raises(WeightsRefused, match="is part 1 of a checkpoint in 2 files: load all of them"):
        loaded(pickled(weights), name="model-00001-of-00002.safetensors")
    assert same(loaded(pickled(weights), name="model-00001-of-00001.bin"), weights)


def test_the_number_of_classes_is_the_files(weights):
    assert loaded(pickled(weights))["classifier.bias"].shape == (3,)


def test_an_architecture_that_is_too_large_is_neither_built_nor_its_file_read(monkeypatch, weights):
    def read(*_):
        raise AssertionError

    monkeypatch.setattr(checkpoint, "read_state", read)
    with pytest.raises(WeightsRefused, match=r"timm/regnety_2560 has 1,283 M parameters; 500 M is the limit here\."):
        checkpoint.read_network(pickled(weights), "timm/regnety_2560")


def test_a_file_cannot_make_an_architecture_too_large():
    # Shapes of any size take no room in a file.
    shape = timm.create_model("test_efficientnet", num_classes=3).state_dict()
    shape["classifier.weight"] = torch.zeros(1).expand(10**10, 256)
    shape["classifier.bias"] = torch.zeros(1).expand(10**10)
    with pytest.raises(WeightsRefused, match=r"has 2,570,000 M parameters; 500 M is the limit here\."):
        loaded(pickled(shape))


@pytest.mark.slow
def test_a_file_cannot_make_a_classifier_in_place_of_several_layers_too_large():
    state = torchvision.models.mobilenet_v3_small().state_dict()
    state = {key: tensor for key, tensor in state.items() if not key.startswith("classifier.")}
    state["classifier.weight"] = torch.zeros(1).expand(10**10, 576)
    with pytest.raises(WeightsRefused, match=r"has 5,760,001 M parameters; 500 M is the limit here\."):
        checkpoint.read_network(pickled(state), "torchvision/mobilenet_v3_small")


def test_zeros_for_a_bias_that_a_file_lacks_take_no_memory_before_the_size_is_known():
    state = timm.create_model("test_efficientnet", num_classes=3).state_dict()
    del state["classifier.bias"]
    state["classifier.weight"] = torch.zeros(1).expand(2**40, 256)
    with pytest.raises(WeightsRefused, match=r"M parameters; 500 M is the limit here\."):
        loaded(pickled(state))


# torch's norm, product and quotient of these take hours and terabytes in the process that has the page.
@pytest.mark.slow
@pytest.mark.parametrize(
    "parts", [("weight_g", "weight_v"), ("weight_orig", "weight_mask"), ("weight_orig", "weight_u", "weight_v")]
)
@pytest.mark.parametrize("shared", [False, True])
def test_weights_in_parts_of_a_few_bytes_are_not_multiplied_out(parts, shared):
    names = ["conv_stem", *(f"{number}.conv" for number in range(3000))] if shared else ["conv_stem"]
    side = 5000 if shared else 2**20
    wide, long = torch.ones(1).expand(side, side), torch.ones(1).expand(side)
    of = {"weight_g": torch.ones(1, 1), "weight_u": long, "weight_v": wide, "weight_mask": wide, "weight_orig": wide}
    if len(parts) == 3:
        of["weight_v"] = long
    state = {f"{name}.{part}": of[part] for name in names for part in parts}
    with pytest.raises(WeightsRefused, match="does not fit"):
        loaded(pickled(state))


@pytest.mark.slow
def test_nothing_is_built_for_a_file_that_does_not_fit(monkeypatch, weights):
    made = []
    create = timm_source.create

    def noted(name, **given):
        network = create(name, **given)
        made.append(next(network.parameters()).is_meta)
        return network

    monkeypatch.setattr(timm_source, "create", noted)
    with pytest.raises(WeightsRefused, match="does not fit"):
        checkpoint.read_network(pickled(weights), "timm/legacy_seresnet18")
    assert made
    assert all(made)


def test_a_larger_file_than_the_limit_is_not_read():
    class Endless(io.BytesIO):
        def read(self, _size=-1):
            raise AssertionError

    with pytest.raises(WeightsRefused, match="has 1 MB; 1 MB is the limit"):
        state.read_state(Endless(bytes(1_000_001)), 1_000_000)


@pytest.mark.slow
def test_what_is_not_the_networks_is_left_out(weights):
    of_lightning = {
        "epoch": 3,
        "state_dict": {**under("model.", weights), "loss.weight": torch.ones(3), "accuracy.tp": torch.ones(())},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(9)}}}],
    }
    assert same(loaded(pickled(of_lightning)), weights)
    averaged = {"model_ema": {"n_averaged": torch.tensor(7), **under("module.", weights)}}
    assert same(loaded(pickled(averaged)), weights)


def test_of_the_libraries_own_training_scripts(weights):
    content = {"epoch": 3, "arch": "x", "state_dict": weights, "args": Namespace(lr=0.1, model="x"), "metric": 0.5}
    assert same(loaded(pickled(content)), weights)


@pytest.mark.slow
def test_of_weights_and_their_average_the_weights_are_taken(weights):
    average = {key: value * 0 for key, value in weights.items()}
    assert same(loaded(pickled({"state_dict": weights, "state_dict_ema": average})), weights)
    assert same(loaded(pickled({"ema": under("module.", weights)})), weights)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:Validating sparse tensor", "ignore:.*quantize", "ignore:.*[Qq]uantiz", "ignore:TypedStorage"
)
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda bias: bias.to_sparse(), "is sparse"),
        (lambda bias: bias.to(torch.complex64), "is of type complex64"),
        (lambda bias: bias.to(torch.int32), "is of type int32"),
        (lambda bias: bias.to("meta"), "is a shape without numbers"),
        (lambda bias: bias * torch.nan, "contains NaN or infinity"),
        (lambda bias: bias + torch.inf, "contains NaN or infinity"),
        (lambda bias: (bias + torch.nan).to(torch.float8_e5m2), "contains NaN or infinity"),
        (lambda bias: torch.quantize_per_tensor(bias, 0.1, 0, torch.qint8), "is quantised"),
        (lambda bias: bias.sum(), "is a single number and should be 3"),
    ],
)
def test_what_are_no_numbers_of_a_network_is_named(weights, change, said):
    odd = {**weights, "classifier.bias": change(weights["classifier.bias"])}
    with pytest.raises(WeightsRefused, match=f"classifier.bias {said}"):
        loaded(pickled(odd))


@pytest.mark.slow
def test_numbers_of_half_precision_are_taken(weights):
    for kind in (torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn):
        halved = {key: value.to(kind) if value.is_floating_point() else value for key, value in weights.items()}
        found = loaded(pickled(halved))
        assert found["conv_stem.weight"].dtype == torch.float32
        torch.testing.assert_close(found["conv_stem.weight"], halved["conv_stem.weight"].float(), rtol=0, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_counters_of_another_type_refuse_no_file(kind, weights):
    # As {key: value.half() …} leaves them, and a mean over the weights of several checkpoints.
    counters = {key: torch.full((), 10.5, dtype=kind) for key in weights if key.endswith("num_batches_tracked")}
    assert counters
    found = checkpoint.read_network(pickled(weights | counters), SMALL).module.state_dict()
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights if key not in counters)


def test_tables_of_another_type_stay_the_networks_own():
    class Windowed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.register_buffer("relative_position_index", torch.tensor([3, 2049]))

    state = Windowed().state_dict()
    halved = {key: value.half() for key, value in state.items()}  # which has no 2049
    found = checkpoint.read_network(pickled(halved), Windowed).module.state_dict()
    assert torch.equal(found["relative_position_index"], state["relative_position_index"])


def test_variances_below_0_are_named_as_what_makes_a_network_return_nan(weights):
    broken = {key: -value if key == "bn1.running_var" else value for key, value in weights.items()}
    with pytest.raises(WeightsRefused, match=r"returns NaN.*Suspicious: bn1\.running_var \(variances below 0\)"):
        loaded(pickled(broken))


def test_weights_whose_products_overflow_are_named(weights):
    large = {key: value * 1e30 if key.endswith("bn1.weight") else value for key, value in weights.items()}
    with pytest.raises(WeightsRefused, match=r"Suspicious: bn1\.weight \(numbers up to 1e\+30\), "):
        loaded(pickled(large))


def test_variances_that_harm_nothing_are_taken(weights):
    # Above -eps, as rounding leaves them.
    tiny = {key: value * 0 - 1e-9 if key == "bn1.running_var" else value for key, value in weights.items()}
    assert same(loaded(pickled(tiny)), tiny)


@pytest.mark.filterwarnings("ignore:TypedStorage")
def test_a_given_network_may_hold_numbers_of_8_bits_and_none():
    class Odd(nn.Linear):
        def __init__(self):
            super().__init__(2, 2)
            self.register_buffer("eight", torch.ones(2).to(torch.float8_e5m2))
            self.register_buffer("empty", torch.zeros(0))

        def get_extra_state(self):
            return torch.zeros(1)

        def set_extra_state(self, state):
            pass

    made = Odd()
    made.weight.data *= 1e6  # looked at, though it takes no images
    assert checkpoint.read_network(pickled(made.state_dict()), Odd).module.weight.abs().max() > 1e4
