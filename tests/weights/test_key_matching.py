"""Names of tensors as wrappers, trainers and compilers write them."""

import re

import pytest
import timm
import torch
from support.checkpoints import SMALL, pickled, small_weights, under
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm

from se_viz.weights.errors import Misfit
from se_viz.weights.key_matching import match
from se_viz.zoo import checkpoint


@pytest.fixture(scope="module")
def weights():
    return small_weights(3)


def inside(wrapper, weights):
    """As a network has them whose stages and blocks are wrapped each for itself."""
    once = {re.sub(r"^blocks\.(\d)\.", rf"blocks.\1.{wrapper}.", key): value for key, value in weights.items()}
    return {re.sub(r"\.(\d)\.(conv|se|bn)", rf".\1.{wrapper}.\2", key): value for key, value in once.items()}


def zeros(weights):
    return {key: value * 0 for key, value in weights.items()}


def read(content):
    network = checkpoint.read_network(pickled(content), SMALL, name="x.pth")
    return network.module.state_dict(), network.about.removeprefix(f"{SMALL} with the weights of x.pth")


def same(found, weights):
    assert found.keys() == weights.keys()
    return all(torch.equal(found[key], weights[key]) for key in weights)


@pytest.mark.parametrize(
    "wrapper",
    [
        *("_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"),
        *("_fsdp_wrapped_module._checkpoint_wrapped_module", "_orig_mod.module"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "model.", "state_dict.net.module.", "_forward_module._orig_mod."])
def test_wrappers_are_seen_through_wherever_they_are(wrapper, prefix, weights):
    wrapped = under(prefix, inside(wrapper, weights))
    assert any(f".{wrapper}." in key for key in wrapped)
    found = match({**wrapped, "optimizer.weight": torch.zeros(1)}, weights)
    assert same(found.weights, weights)
    assert found.notes == ()
    assert {**found.strange, **found.outside}.keys() == {"optimizer.weight"}


def test_a_wrapped_network_is_read(weights):
    found, said = read(under("model.", inside("_orig_mod", weights)))
    assert same(found, weights)
    assert said == ""


@pytest.mark.parametrize("prefix", ["module.", "model.", "net.", "backbone.", "encoder.module.", "a.b.c._orig_mod."])
def test_whatever_stands_before_the_names_is_taken_off(prefix, weights):
    assert same(match(under(prefix, weights), weights).weights, weights)


@pytest.mark.parametrize("suffix", ["_ema", ".data", ":0", ".ema"])
def test_whatever_stands_behind_the_names_is_taken_off(suffix, weights):
    assert same(match({f"{key}{suffix}": value for key, value in weights.items()}, weights).weights, weights)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "taken", "left"),
    [
        (lambda w, z: {"ema": under("module.", z), "model": w}, "model.*", "ema.module.*"),
        (lambda w, z: {"state_dict_ema": z, "state_dict": w}, "state_dict.*", "state_dict_ema.*"),
        (lambda w, z: {**under("ema_model.module.", z), **under("module.", w)}, "module.*", "ema_model.module.*"),
        (lambda w, z: {**under("ema.", z), **w}, "at its top", "ema.*"),
        (
            lambda w, z: {"averaged": {"n_averaged": torch.tensor(7), **under("module.", z)}, "model": w},
            "model.*",
            "averaged.module.*",
        ),
        (
            lambda w, z: {"callbacks": {"EMA": {"ema_state_dict": z}}, "state_dict": under("model.", w)},
            "state_dict.model.*",
            "callbacks.EMA.ema_state_dict.*",
        ),
        (
            lambda w, z: {**under("module.encoder_q.", w), **under("module.encoder_k.", z)},
            "module.encoder_q.*",
            "module.encoder_k.*",
        ),
    ],
)
def test_of_weights_and_their_average_the_weights_are_taken_and_it_is_said(content, taken, left, weights):
    found, said = read(content(weights, zeros(weights)))
    assert same(found, weights)
    assert said.startswith(
        f". The file contains the weights more than once: those {'' if ' ' in taken else 'under '}{taken}"
    )
    assert f"{left} left out" in said


@pytest.mark.parametrize(
    ("others", "taken"),
    [
        (["teacher", "momentum_encoder", "ema"], "student"),
        (["encoder_k"], "encoder_q"),
        (["momentum_backbone"], "backbone"),
        (["target_network"], "online_network"),
        (["init_state_dict", "last_state", "ema_state"], "best_state_dict"),
        (["init_state_dict", "ema_state"], "last_state"),
        (["something", "projector", "init"], "model"),
        (["something", "average"], "state_dict"),
        (["something"], "net"),
        (["something.model"], "model.something"),
        (["teacher.model"], "other"),
        (["epoch_2", "epoch_9"], "epoch_10"),
        (["epoch_9"], "model"),
    ],
)
@pytest.mark.parametrize("within", ["", "state_dict.module."])
def test_the_wrong_set_of_weights_is_not_taken_when_it_comes_first(others, taken, within, weights):
    wrong = {key: value for other in others for key, value in under(f"{within}{other}.", zeros(weights)).items()}
    found = match(wrong | under(f"{within}{taken}.", weights), weights)
    assert same(found.weights, weights)
    assert f"those under {within}{taken}.* were taken" in found.notes[0]
    assert all(f"{within}{other}.*" in found.notes[0] for other in others)


@pytest.mark.parametrize("counted", [True, False])
def test_a_set_without_counters_of_batches_is_as_good_as_one_with_them(counted, weights):
    bare = {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}
    found = match(under("ema.", zeros(weights)) | under("model.", weights if counted else bare), weights)
    assert same(found.weights, weights if counted else bare)


@pytest.mark.parametrize(
    "name", ["exp_avg", "exp_avg_sq", "max_exp_avg_sq", "momentum_buffer", "grads", "square_avg", "optimizer.state"]
)
@pytest.mark.parametrize("prefix", ["", "model.", "any."])
def test_what_an_optimiser_keeps_are_no_weights(name, prefix, weights):
    found = match(under(f"{name}.", zeros(weights)) | under(prefix, weights), weights)
    assert same(found.weights, weights)
    assert found.notes == ()
    alone = match(under(f"{name}.", weights) | {f"{key}.{name}": value for key, value in weights.items()}, weights)
    assert alone.weights == {}


def test_an_average_alone_is_taken_and_it_is_said(weights):
    found, said = read({"n_averaged": torch.tensor(7), **under("module.", weights)})
    assert same(found, weights)
    assert "The weights taken are a moving average (module.*)" in said


def test_wrappers_that_the_network_has_too_stay(weights):
    wrapped = nn.Sequential()
    wrapped.module = nn.Linear(2, 2)
    state = wrapped.state_dict()
    assert list(match({"_orig_mod.weight": state["module.weight"], "bias": state["module.bias"]}, state).weights) == [
        "module.weight",
        "module.bias",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (
            {"total_ops": 1, "total_params": 1, "blocks.0.0.conv.total_ops": 1},
            "counters of a profiler (total_ops, total",
        ),
        ({"conv_stem.__flops__": 1}, "counters of a profiler (conv_stem.__flops__)"),
        ({"criterion.weight": 3}, "a loss's tensors (criterion.weight)"),
        ({"train_acc.tp": 3, "val_metrics.f1.fp": 3}, "states of metrics (train_acc.tp, val_metrics.f1.fp)"),
        ({"normalize.mean": 3, "normalize.std": 3}, "the mean and standard deviation of its images"),
        ({"blocks.0.0.relative_position_index": 4}, "tables that the network computes itself"),
        ({"blocks.0.0.conv.num_batches_tracked": 1}, "counters of batches"),
        ({"projector.0.weight": 4}, "parts beside the network (projector.0.weight)"),
        ({"conv_stem.activation_post_process.scale": 1}, "states of quantisation"),
        ({"conv_stem._extra_state": 1}, "a module's extra state"),
    ],
)
def test_what_are_no_weights_is_left_out_and_named(extra, said, weights):
    found, about = read({**weights, **{key: torch.zeros(size) for key, size in extra.items()}})
    assert same(found, weights)
    assert f". Left out: {said}" in about


def test_what_lies_beside_the_network_is_named(weights):
    found, about = read({"state_dict": {**under("model.", weights), "spare.weight": torch.ones(3)}})
    assert same(found, weights)
    assert about == ". Left out: other tensors (state_dict.spare.weight)"


@pytest.mark.slow
def test_a_layer_that_the_architecture_lacks_is_not_left_out(weights):
    with pytest.raises(Misfit, match=r"1 unexpected: blocks\.0\.0\.attention\.weight"):
        read({**weights, "blocks.0.0.attention.weight": torch.ones(3)})


PARTS = {
    "weight_norm": parametrizations.weight_norm,
    "weight_norm over all": lambda layer: parametrizations.weight_norm(layer, dim=None),
    "spectral_norm": parametrizations.spectral_norm,
    "spectral_norm of old": spectral_norm,
    "pruning": lambda layer: prune.l1_unstructured(layer, "weight", amount=0.5),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", PARTS)
def test_weights_in_parts_are_multiplied_out(what):
    torch.manual_seed(0)
    network = timm.create_model("test_efficientnet", num_classes=3).eval()
    for layer in (network.conv_stem, network.classifier):
        PARTS[what](layer)
    network.train()(torch.randn(2, 3, 32, 32))  # One step of the power iteration.
    network.eval()
    read_back = checkpoint.read_network(pickled(under("module.", network.state_dict())), SMALL)
    assert "2 weights stored in parts" in read_back.about
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(read_back.module(images), network(images), rtol=1e-4, atol=1e-5)


def test_a_network_that_has_its_weights_in_parts_gets_them_so():
    def made():
        return nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 2)))

    state = made().state_dict()
    assert same(checkpoint.read_network(pickled(under("module.", state)), made).module.state_dict(), state)


@pytest.mark.slow
def test_a_file_of_countless_sets_of_weights_is_not_compared_name_by_name(weights):
    state = {f"{index}.conv_stem.weight": torch.zeros(1) for index in range(50_000)}
    found = match(state, weights)
    assert found.weights.keys() == {"conv_stem.weight"}
    assert len(found.outside) == 50_000 - 21


def test_names_that_a_terminal_would_obey_are_spelt_out_in_notes(weights):
    found = match({**weights, **under("\x1b[2Jema.", weights)}, weights)
    assert "\x1b" not in found.notes[0]
