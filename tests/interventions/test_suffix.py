"""The network as a function of s, against whole passes, edits, and autograd through the whole network."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import timm
import torch
from support.networks import Named, noise
from support.odd_networks.cases import CASES, odd_network
from support.quick import every, exhaustive

from se_viz.gates.errors import NotReadable
from se_viz.gates.find import find_gates
from se_viz.interventions.capture import capture
from se_viz.interventions.suffix import suffix

# Networks that cannot start at a gate, each with what is said; and those that give other numbers in each pass.
REFUSED = {
    "way: lock": "cannot be copied",
    "s: one image after the other": "makes other calls before",
}


NOISY = ("state: noise", "way: noise in s")


@pytest.mark.parametrize("name", every(6, [name for name in CASES if name not in NOISY]))
def test_it_gives_what_edits_give_on_odd_networks(name):
    with odd_network(name, 2) as (network, images, gates):
        half = images.dtype in (torch.bfloat16, torch.float16) or "autocast" in name
        for gate in gates:
            refused = "in a thread that the network starts" if gate.threaded else REFUSED.get(name)
            if gate is not gates[0] and name == "s: one image after the other":
                refused = None  # its code makes the same calls
            if refused is not None:
                with pytest.raises(NotReadable, match=refused):
                    suffix(network, images, gate.name)
                continue
            function = suffix(network, images, gate.name)
            plain = capture(network, images)
            scale = max(1, np.abs(plain.logits).max())
            np.testing.assert_allclose(function.s.float(), plain[gate.name].s, rtol=1e-6)
            np.testing.assert_allclose(function(function.s).detach().float(), plain.logits, atol=1e-6 * scale)
            s = torch.rand(2, 3, gate.channels)
            many = function(s).detach().float().numpy()
            for row in range(3):
                edited = capture(network, images, edits={gate.name: s[:, row]}).logits
                np.testing.assert_allclose(
                    many[:, row], edited, atol=(2e-2 if half else 1e-5) * max(1, np.abs(edited).max())
                )


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["mobilenetv3_small_050", *exhaustive("legacy_seresnet18", "efficientnet_b0", "regnety_002")]
)
def test_its_gradient_is_that_of_the_whole_network(name):
    torch.manual_seed(0)
    network, images = timm.create_model(name, num_classes=7).eval().double(), noise(2, dtype=torch.float64)
    for gate in (gates := find_gates(network))[0], gates[-1]:
        function = suffix(network, images, gate.name)
        s = torch.rand(2, gate.channels, dtype=torch.float64, requires_grad=True)
        (ours,) = torch.autograd.grad(function(s)[:, 3].sum(), s)
        whole = torch.rand(0)

        def multiply(_module, args, _output, s=s):
            return args[0] * s[:, :, None, None]

        handle = network.get_submodule(gate.path).register_forward_hook(multiply)
        (whole,) = torch.autograd.grad(network(images)[:, 3].sum(), s)
        handle.remove()
        np.testing.assert_allclose(ours, whole, rtol=1e-9, atol=1e-12 * whole.abs().max())


@pytest.mark.slow
def test_rows_are_laid_out_as_captum_asks(demo):
    images = noise(2, 128)
    function = suffix(demo, images, "SE_4_1", batch=3)
    s = torch.rand(2, 5, 384)
    expected = function(s)
    assert expected.shape == (2, 5, 10)
    flat = function(s.transpose(0, 1).reshape(10, 384))
    np.testing.assert_allclose(flat.reshape(5, 2, 10).transpose(0, 1), expected, atol=1e-5)
    np.testing.assert_allclose(function(s[:, 0]), expected[:, 0], atol=1e-5)


@pytest.mark.parametrize("shape", [(768,), (2, 767), (3, 768), (1, 4, 768), (0, 768), (2, 0, 768)])
def test_another_shape_is_refused(demo, shape):
    function = suffix(demo, noise(2, 128), "SE_5_2")
    with pytest.raises(ValueError, match=r"s of SE_5_2 must be \(2, "):
        function(torch.zeros(shape))


@pytest.mark.parametrize("batch", [0, -1, 1.5])
def test_a_batch_of_no_rows_is_refused(demo, batch):
    with pytest.raises(ValueError, match=f"batch must be a whole number of rows, 1 or more, not {batch}"):
        suffix(demo, noise(1, 128), "SE_5_2", batch=batch)


def test_weights_of_numpy_are_taken_and_a_list_is_refused(demo):
    function = suffix(demo, noise(1, 128), "SE_5_2")
    assert torch.equal(function(function.s.numpy().astype(np.float64)), function(function.s))
    with pytest.raises(TypeError, match="s of SE_5_2 must be a tensor or an array, not list"):
        function([[0.5] * 768])


def test_an_unknown_gate_is_named_with_those_there_are(demo):
    with pytest.raises(KeyError, match="There is no gate 'SE_9_9': choose one of SE_2_1"):
        suffix(demo, noise(1, 128), "SE_9_9")


@pytest.mark.slow
def test_a_network_without_logits_says_so():
    network = Named(timm.create_model("legacy_seresnet18", num_classes=3)).eval()
    with pytest.raises(NotReadable, match=r"returns no logits \(N, K\)"):
        suffix(network, noise(1), find_gates(network)[0].name)


@pytest.mark.slow
def test_the_network_is_left_as_it_was():
    network = timm.create_model("legacy_seresnet18", num_classes=3).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    function = suffix(network, noise(2), find_gates(network)[-1].name)
    function(torch.rand(2, 512, requires_grad=True)).sum().backward()
    assert network.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])


@pytest.mark.slow
def test_threads_wait_for_one_another(demo):
    function = suffix(demo, noise(1, 128), "SE_3_1")
    rows = [torch.full((1, 4, 192), number / 16) for number in range(16)]
    expected = [function(row) for row in rows]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(function, rows), expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_captum_takes_it_as_it_is(demo):
    from captum.attr import FeatureAblation, IntegratedGradients

    function = suffix(demo, noise(2, 128), "SE_5_2")
    exact = FeatureAblation(function).attribute(function.s, 1.0, target=3, perturbations_per_eval=64)
    gradients = IntegratedGradients(function).attribute(function.s, 1.0, target=3)
    assert exact.shape == gradients.shape == (2, 768)
