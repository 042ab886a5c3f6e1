import pickle
from itertools import product

import numpy as np
import pytest
import timm
import torch
from captum.attr import LayerActivation
from hypothesis import given, settings
from hypothesis import strategies as st
from support.networks import Host, demo, make_images, model, squeezed
from support.third_party_gates import SELayer
from torch import nn

from se_viz.gates.find import find_gates
from se_viz.gates.instrument import Instrument
from se_viz.interventions.capture import capture

INTEGRATIONS = ("standard", "pre", "post", "identity")
FUNCTIONS = ("sigmoid", "relu", "tanh")
SQUEEZES = ("avg", "max")


@pytest.fixture(scope="module")
def held():
    return model(demo(), 64)


@pytest.mark.slow
@pytest.mark.parametrize(("integration", "function", "squeeze"), list(product(INTEGRATIONS, FUNCTIONS, SQUEEZES)))
def test_every_kind_of_demo_network(integration, function, squeeze):
    network = demo(integration=integration, gate=function, squeeze=squeeze)
    instrument = Instrument(network, find_gates(network, 64))
    names = [f"SE_{stage}_{block}" for stage in (2, 3, 4, 5) for block in (1, 2)]
    assert [gate.name for gate in instrument.gates] == names
    kinds = {(gate.squeeze, gate.gate_function, gate.kind) for gate in instrument.gates}
    assert kinds == {(squeeze, function, "SEGate")}

    images = make_images(3, 64)
    gate_capture = capture(instrument, images, names)
    with torch.inference_mode():
        np.testing.assert_array_equal(gate_capture.logits, network(images).numpy())
    for gate, read in zip(instrument.gates, gate_capture, strict=True):
        assert read.z.shape == read.s.shape == (3, gate.channels)
        assert read.u.shape == read.x.shape == (3, gate.channels, *read.u.shape[2:])
        assert gate.r == 2
        assert np.abs(read.u).max() > 0
        assert np.ptp(read.s, axis=0).max() > 0
        np.testing.assert_allclose(read.s[:, :, None, None] * read.u, read.x, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(read.z, squeezed(read.u, squeeze), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "z_layer", "s_layer"),
    [
        (demo, "fc1", "gate"),
        (lambda: timm.create_model("mobilenetv3_small_050"), "conv_reduce", "gate"),
    ],
)
def test_captum_reads_the_same(build, z_layer, s_layer):
    network = build().eval()
    images = make_images(2, 64)
    instrument = Instrument(network, find_gates(network, 64))
    gate_capture = capture(instrument, images, [gate.name for gate in instrument.gates])

    def activation(path, *, of_input=False):
        layer = LayerActivation(network, network.get_submodule(path))
        return layer.attribute(images, attribute_to_layer_input=of_input).detach().numpy()

    for gate, read in zip(instrument.gates, gate_capture, strict=True):
        z = activation(f"{gate.path}.{z_layer}", of_input=True).reshape(2, -1)
        s = activation(f"{gate.path}.{s_layer}").reshape(2, -1)
        np.testing.assert_allclose(read.z, z, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(read.s, s, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(read.x, activation(gate.path), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(n=st.integers(1, 7), batch=st.integers(1, 8))
def test_the_batch_changes_nothing(held, n, batch):
    whole = capture(held, make_images(n, 64), ["SE_3_1"], batch=n)
    parts = capture(held, make_images(n, 64), ["SE_3_1"], batch=batch)
    assert parts.logits.shape == (n, 10)
    np.testing.assert_allclose(parts.logits, whole.logits, rtol=1e-4, atol=1e-5)
    for a, b in zip(parts, whole, strict=True):
        for key in ("z", "s", "u", "x"):
            one, other = getattr(a, key), getattr(b, key)
            if other is None:
                assert one is None
            else:
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_maps_of_no_other_gate_are_kept(held):
    gate_capture = capture(held, make_images(2, 64), ["SE_3_1", "SE_5_2"])
    assert [read.gate.name for read in gate_capture if read.u is not None] == ["SE_3_1", "SE_5_2"]
    assert [read.gate.name for read in gate_capture if read.x is not None] == ["SE_3_1", "SE_5_2"]
    assert capture(held, make_images(2, 64))["SE_3_1"].u is None


def test_one_name_will_do_for_maps(held):
    assert capture(held, make_images(1, 64), "SE_3_1")["SE_3_1"].u is not None


def test_arrays_are_float32_contiguous_and_share_no_memory(held):
    gate_capture = capture(held, make_images(2, 64), ["SE_3_1"])
    arrays = [gate_capture.logits, *(read.z for read in gate_capture), *(read.s for read in gate_capture)]
    arrays += [gate_capture["SE_3_1"].u, gate_capture["SE_3_1"].x]
    for array in arrays:
        assert array.dtype == np.float32
        assert array.flags.c_contiguous
        assert sum(np.shares_memory(array, other) for other in arrays) == 1


def test_channels_last_is_read_as_any_other():
    network = demo()
    instrument = Instrument(network, find_gates(network, 64))
    plain = capture(instrument, make_images(2, 64), ["SE_3_1"])
    network.to(memory_format=torch.channels_last)
    last = capture(instrument, make_images(2, 64).to(memory_format=torch.channels_last), ["SE_3_1"])
    assert last["SE_3_1"].u.flags.c_contiguous
    np.testing.assert_allclose(last["SE_3_1"].u, plain["SE_3_1"].u, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last["SE_3_1"].x, plain["SE_3_1"].x, rtol=1e-4, atol=1e-5)
    for a, b in zip(last, plain, strict=True):
        np.testing.assert_allclose(a.z, b.z, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(a.s, b.s, rtol=1e-4, atol=1e-5)


def test_images_of_another_number_type(held):
    images = make_images(2, 64)
    np.testing.assert_array_equal(capture(held, images.double()).logits, capture(held, images).logits)


class Reuses(Host):
    """A network that returns the same tensor every time, with other contents."""

    def __init__(self):
        super().__init__(SELayer())
        self.out = torch.empty(2, 5)

    def forward(self, x):
        return self.out[: len(x)].copy_(super().forward(x))


def test_a_capture_never_changes_afterwards():
    network = Reuses().eval()
    first = capture(network, make_images(2), ["SE_1_1"])
    before = pickle.dumps(first)
    second = capture(network, make_images(2, seed=1), ["SE_1_1"])
    assert not np.array_equal(first.logits, second.logits)
    assert pickle.dumps(first) == before


def test_a_capture_can_be_pickled(held):
    gate_capture = capture(held, make_images(2, 64), ["SE_3_1"])
    again = pickle.loads(pickle.dumps(gate_capture))  # noqa: S301
    assert [read.gate for read in again] == list(held.gates)
    np.testing.assert_array_equal(again["SE_3_1"].x, gate_capture["SE_3_1"].x)


def test_asking_for_a_gate_that_is_not_there(held):
    with pytest.raises(KeyError, match=r"There is no gate 'SE_9_9': choose one of SE_2_1, .*SE_5_2"):
        capture(held, make_images(1, 64))["SE_9_9"]
    with pytest.raises(KeyError, match=r"There is no gate SE_6_1, SE_9_9: choose from SE_2_1, .*SE_5_2"):
        capture(held, make_images(1, 64), ["SE_9_9", "SE_2_1", "SE_6_1"])


def test_values_of_one_image_share_no_memory_and_can_be_written_into(held):
    images = make_images(1, 64)
    changed, kept = capture(held, images), capture(held, images)
    for read in changed:
        read.z[:], read.s[:] = 7, 8
    np.testing.assert_array_equal(changed.logits, kept.logits)
    assert {float(value) for read in changed for value in np.unique(read.z)} == {7}
    assert {float(value) for read in changed for value in np.unique(read.s)} == {8}
    assert changed["SE_3_1"] is changed["SE_3_1"]


class Overwrites(SELayer):
    """A gate that overwrites z and s once it has used them, in a way that torch counts or in one that it does not."""

    counted = True

    def forward(self, x):
        z = self.avg_pool(x).flatten(1)
        s = self.fc(z)
        scaled = x * s[:, :, None, None]
        for used in (z, s):
            (used if self.counted else used.data).fill_(9)
        return scaled


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("count", [1, 2])
def test_z_and_s_are_as_they_were_used(counted, count):
    network = Host(Overwrites()).eval()
    network.gate.counted = counted
    for seed in range(3):
        (read,) = capture(network, make_images(count, seed=seed), ["SE_1_1"])
        np.testing.assert_allclose(read.z, read.u.mean((2, 3)), atol=1e-6)
        np.testing.assert_allclose(read.x, read.s[:, :, None, None] * read.u, atol=1e-6)


class Gives(Host):
    """A network that returns a table of another kind."""

    def __init__(self, kind):
        super().__init__(SELayer())
        self.kind = kind

    def forward(self, x):
        if self.kind == "with a gradient":
            with torch.enable_grad():
                return super().forward(x)
        logits = super().forward(x)
        return nn.Parameter(logits) if self.kind == "parameter" else logits.bfloat16()


@pytest.mark.parametrize("kind", ["parameter", "with a gradient", "bfloat16"])
def test_an_output_of_any_kind_comes_without_gradients(kind):
    network = Gives(kind).eval()
    images = make_images(1)
    found = capture(network, images)
    assert not found.output.requires_grad
    np.testing.assert_array_equal(found.logits, network(images).detach().float().numpy())
