"""Passes that start at gates, against whole passes with the same edits, on every kind of gate."""

import warnings

import numpy as np
import pytest
import timm
import torch
from support.networks import Named, noise
from support.odd_networks.cases import CASES, odd_network
from support.quick import every, exhaustive

import se_viz
from se_viz.gates.errors import NotReadable
from se_viz.gates.instrument import Instrument
from se_viz.gates.instrument_cache import instrument_of
from se_viz.interventions.capture import capture
from se_viz.interventions.edited_passes import EditedPasses
from se_viz.interventions.edits import scale, shuffle

ARCHITECTURES = (
    "seresnet18",
    "mobilenetv3_small_050",
    *exhaustive(
        "legacy_seresnet18", "efficientnet_b0", "ecaresnet26t", "regnety_002", "ghostnetv2_100", "ese_vovnet19b_dw"
    ),
)
NOISY = ("state: noise", "way: noise in s")  # other numbers in each pass


def edits_of(gates):
    """Of single gates, of the last two, of all, and of one channel."""
    rng = np.random.default_rng(0)
    some = [{gate.name: value} for gate in gates for value in (1.0, shuffle(0))]
    together = {gate.name: rng.random(gate.channels) for gate in gates}
    last = {gate.name: scale(0.5) for gate in gates[-2:]}
    return [*some, together, last, {gates[0].name: {0: 0.0}}, {gate.name: shuffle(3) for gate in gates}]


def compare(network, images, rtol):
    """Run twice, as the second batch does without what only the first one finds out."""
    instrument = instrument_of(network, tuple(images.shape[2:]))
    edits = edits_of(instrument.gates)
    passes = EditedPasses(instrument, edits)
    for batch in (images, images.flip(0)):
        plain, edited = passes(batch)
        np.testing.assert_array_equal(plain, capture(network, batch).logits)
        for edit, found in zip(edits, edited, strict=True):
            expected = capture(network, batch, edits=edit).logits
            np.testing.assert_allclose(found, expected, atol=rtol * max(1, np.abs(expected).max()), err_msg=str(edit))
    return passes


@pytest.mark.parametrize("name", every(6, [name for name in CASES if name not in NOISY]))
def test_odd_networks_give_what_whole_passes_give(name):
    with odd_network(name, 3) as (network, images, gates):
        half = images.dtype in (torch.bfloat16, torch.float16) or "autocast" in name
        if gates:
            compare(network, images, 2e-2 if half else 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_architectures_start_at_their_gates(name):
    torch.manual_seed(0)
    network = timm.create_model(name, num_classes=7).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        passes = compare(network, noise(3), 1e-5)
    assert not passes.whole


@pytest.mark.slow
def test_layers_before_a_gate_run_twice_for_any_number_of_edits():
    runs = []

    class Counted(torch.nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            runs.append(len(x))
            return self.inner(x)

    model = se_viz.load("demo/r16", "cpu", fast=False)
    model.network.conv1 = Counted(model.network.conv1)
    passes = EditedPasses(model.instrument, [{"SE_5_2": value / 10} for value in range(10)])
    for _ in range(2):
        runs.clear()
        passes(noise(4, 128))
        assert runs == [4, 4]
    model.close()


@pytest.mark.slow
def test_it_leaves_the_network_as_it_was():
    network = timm.create_model("legacy_seresnet18", num_classes=3).eval()
    instrument = instrument_of(network, (64, 64))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    EditedPasses(instrument, edits_of(instrument.gates))(noise(3))
    assert all("forward" not in module.__dict__ for module in network.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@pytest.mark.slow
def test_a_network_that_cannot_be_copied_runs_whole_passes():
    network = timm.create_model("legacy_seresnet18", num_classes=3).eval()
    instrument = instrument_of(network, (64, 64))
    expected = EditedPasses(instrument, [{"SE_2_1": 1.0}])(noise(3))[1]

    class Locked(type(network)):
        def __deepcopy__(self, memo):
            raise TypeError("cannot pickle '_thread.lock' object")

    network.__class__ = Locked
    passes = EditedPasses(Instrument(network, instrument.gates), [{"SE_2_1": 1.0}])
    assert passes.whole == {0}
    np.testing.assert_array_equal(passes(noise(3))[1], expected)


@pytest.mark.slow
def test_a_part_that_gives_something_else_is_run_whole(monkeypatch):
    model = se_viz.load("demo/r16", "cpu", fast=False)
    edits = [{"SE_4_1": 1.0}, {"SE_5_2": 1.0}]
    expected = EditedPasses(model.instrument, edits)(noise(3, 128))[1]
    from se_viz.interventions import edited_passes

    learn = edited_passes.Replay.learn
    monkeypatch.setattr(
        edited_passes.Replay,
        "learn",
        lambda self, s: learn(self, s) + (1.0 if self._gate.name == "SE_4_1" else 0),
    )
    passes = EditedPasses(model.instrument, edits)
    np.testing.assert_array_equal(passes(noise(3, 128))[1], expected)
    assert passes.whole == {0}
    model.close()


@pytest.mark.slow
def test_outputs_that_are_no_table_are_told():
    network = Named(timm.create_model("legacy_seresnet18", num_classes=3)).eval()
    with pytest.raises(NotReadable, match=r"returns no table of outputs \(N, K\)"):
        EditedPasses(instrument_of(network, (64, 64)), [{"SE_2_1": 1.0}])(noise(3))
