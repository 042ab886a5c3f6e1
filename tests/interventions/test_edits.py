"""Edits of s in every kind of gate, against hooks put on by hand and against what networks tell of themselves."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from support.networks import noise
from support.odd_networks.cases import CASES, odd_network
from support.odd_networks.gates import told, with_weights
from support.quick import every

from se_viz.demo.recipe import PREPROCESS
from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.gates.errors import NotFiniteValues
from se_viz.gates.find import find_gates
from se_viz.interventions.baseline import NoMean
from se_viz.interventions.capture import capture
from se_viz.interventions.edits import Sources, mean_of, resolve, scale, shuffle, swap
from se_viz.model.model import Model

ARCHITECTURES = (
    "seresnet18",
    "legacy_seresnet18",
    "seresnext26d_32x4d",
    "mobilenetv3_small_050",
    "efficientnet_b0",
    "ecaresnet26t",
    "regnety_002",
    "ghostnetv2_100",
    "ese_vovnet19b_dw",
    "tinynet_a",
    "rexnetr_200",
    "seresnext26ts",
    "tf_efficientnetv2_b0",
)


def by_hand(network, gate, s, images):
    """Logits where a hook of the test's own puts s · U in the place of what the gate's module returns."""

    def multiply(_module, args, _output):
        wide = s[:, :, None, None] if gate.layout == "nchw" else s[:, None, None, :]
        return args[0] * wide.to(args[0].dtype)

    handle = network.get_submodule(gate.path).register_forward_hook(multiply)
    try:
        with torch.no_grad():
            return network(images).float().numpy()
    finally:
        handle.remove()


@pytest.mark.slow
@pytest.mark.parametrize("name", every(3, ARCHITECTURES))
def test_an_edit_equals_a_hook_put_on_by_hand(name):
    torch.manual_seed(0)
    network, images = timm.create_model(name, num_classes=7).eval(), noise(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gates = [gate for gate in find_gates(network, 64) if gate.s_tap is not None]
    for gate in (gates[0], gates[-1]):
        s = torch.rand(3, gate.channels)
        edited = capture(network, images, maps=[gate.name], edits={gate.name: s}, batch=2)
        np.testing.assert_allclose(edited.logits, by_hand(network, gate, s, images), rtol=1e-5, atol=1e-6)
        gate_capture = edited[gate.name]
        np.testing.assert_allclose(gate_capture.s_applied, s, atol=1e-7)
        np.testing.assert_array_equal(gate_capture.s, capture(network, images, batch=2)[gate.name].s)
        wide = s[:, :, None, None].numpy()
        np.testing.assert_allclose(gate_capture.x, wide * gate_capture.u, rtol=1e-6, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_an_edit_in_other_number_types(dtype):
    torch.manual_seed(0)
    network, images = torchvision.models.regnet_y_400mf().eval().to(dtype), noise(2, dtype=dtype)
    gate = find_gates(network)[-1]
    s = torch.rand(2, gate.channels)
    edited = capture(network, images, edits={gate.name: s})
    rounded = s.to(dtype).float()
    np.testing.assert_allclose(edited[gate.name].s_applied, rounded)
    np.testing.assert_allclose(edited.logits, by_hand(network, gate, s.to(dtype), images), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("name", every(6, CASES))
def test_an_edit_of_an_odd_gate_is_what_the_network_multiplies_by(name):
    with odd_network(name, 3) as (network, images, gates):
        for gate in gates:
            s = torch.rand(3, gate.channels)
            with told() as events:
                edited = capture(network, images, maps=[gate.name], edits={gate.name: s})
            gate_capture = edited[gate.name]
            half = images.dtype in (torch.bfloat16, torch.float16) or "autocast" in name or "bf16" in name
            np.testing.assert_allclose(gate_capture.s_applied, s, atol=1e-2 if half else 1e-6)
            expected = gate_capture.s_applied[:, :, None, None] * gate_capture.u
            np.testing.assert_allclose(gate_capture.x, expected, atol=(2e-2 if half else 1e-5) * np.abs(expected).max())
            logits = with_weights(network, images, s) if gate.s_tap is None else None
            if logits is not None:
                np.testing.assert_allclose(edited.logits, logits.float(), rtol=1e-4, atol=2e-3 if half else 1e-5)
            elif gate.s_tap is None:
                # The network itself saw these maps where it multiplied.
                seen = (event.x.float().numpy() for event in events if event.x.shape == gate_capture.x.shape)
                assert (
                    min(np.abs(x - gate_capture.x).max() for x in seen)
                    <= (2e-2 if half else 1e-5) * np.abs(expected).max()
                )
            elif not (gate.scoped or gate.threaded or half or "keyword" in name or name == "state: noise"):
                np.testing.assert_allclose(edited.logits, by_hand(network, gate, s, images), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_without_edits_the_bits_are_the_same(demo):
    images = noise(3, 128)
    plain, empty = capture(demo, images), capture(demo, images, edits={})
    edited = capture(demo, images, edits={"SE_5_2": 0.5})
    np.testing.assert_array_equal(plain.logits, empty.logits)
    np.testing.assert_array_equal(plain.logits, capture(demo, images).logits)
    assert (edited.logits != plain.logits).any()
    assert plain["SE_5_2"].s_applied is plain["SE_5_2"].s


def test_s_as_computed_stays_beside_s_that_was_applied(demo):
    images = noise(2, 128)
    plain = capture(demo, images)
    edited = capture(demo, images, edits={"SE_2_1": 1.0})
    np.testing.assert_array_equal(edited["SE_2_1"].s, plain["SE_2_1"].s)
    assert (edited["SE_2_1"].s_applied == 1).all()
    # A later gate computes another s of what the edited gate let through.
    assert (edited["SE_5_2"].s != plain["SE_5_2"].s).any()


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (0.25, lambda s: np.full_like(s, 0.25)),
        (scale(0.5), lambda s: 0.5 * s),
        (
            {3: 0.0, 5: scale(2)},
            lambda s: np.where(np.arange(s.shape[1]) == 3, 0, s * (1 + (np.arange(s.shape[1]) == 5))),
        ),
        (np.linspace(0, 1, 768), lambda s: np.broadcast_to(np.linspace(0, 1, 768, dtype=np.float32), s.shape)),
    ],
    ids=["number", "scale", "channels", "array"],
)
def test_each_kind_of_edit_gives_its_weights(demo, edit, expected):
    images = noise(3, 128)
    s = capture(demo, images)["SE_5_2"].s
    applied = capture(demo, images, edits={"SE_5_2": edit}, batch=2)["SE_5_2"].s_applied
    np.testing.assert_allclose(applied, expected(s), rtol=1e-6)


def test_a_swap_takes_s_of_the_other_image(demo):
    images = noise(3, 128)
    s = capture(demo, images)["SE_4_1"].s
    applied = capture(demo, images[:2], edits={"SE_4_1": swap(images[2:])})["SE_4_1"].s_applied
    np.testing.assert_allclose(applied, np.stack([s[2]] * 2), atol=1e-6)
    with pytest.raises(ValueError, match="swap takes one image, not 3"):
        capture(demo, images, edits={"SE_4_1": swap(images)})


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_a_shuffle_gives_every_image_the_s_of_another(demo, batch):
    images = noise(5, 128)
    s = capture(demo, images, batch=batch)["SE_5_1"].s
    applied = capture(demo, images, edits={"SE_5_1": shuffle(3)}, batch=batch)["SE_5_1"].s_applied
    sources = [int(np.abs(s - row).sum(1).argmin()) for row in applied]
    assert sorted(sources) == list(range(5))
    assert all(source != image for image, source in enumerate(sources))
    with pytest.raises(ValueError, match="two images or more"):
        capture(demo, images[:1], edits={"SE_5_1": shuffle()})


def test_the_mean_is_that_of_the_bundled_class_profiles(demo):
    from se_viz.profiles.bundled import bundled_profiles

    profiles = bundled_profiles("demo/r16")
    moments = profiles["SE_5_2"].s()
    mean = (moments.mean * profiles.counts[:, None]).sum(0) / profiles.counts.sum()
    images = noise(2, 128)
    applied = capture(demo, images, edits={"SE_5_2": "mean"})["SE_5_2"].s_applied
    np.testing.assert_allclose(applied, np.stack([mean] * 2), rtol=1e-6)
    of = capture(demo, images, edits={"SE_5_2": mean_of("church")})["SE_5_2"].s_applied
    np.testing.assert_allclose(of[0], moments.mean[profiles.class_index("church")], rtol=1e-6)


def test_where_no_class_profiles_are_the_mean_is_refused_with_the_way_to_make_them():
    model = Model("x", SEResNet(), PREPROCESS)
    with pytest.raises(NoMean, match="se-viz profile"):
        capture(model, noise(1, 128), edits={"SE_5_2": "mean"})


def test_a_gate_goes_before_its_stage_and_a_stage_before_all(demo):
    edited = capture(demo, noise(1, 128), edits={"SE_4_1": 0.1, "all": 0.3, "stage 4": 0.2})
    applied = {gate_capture.gate.name: float(gate_capture.s_applied[0, 0]) for gate_capture in edited}
    assert applied["SE_4_1"] == pytest.approx(0.1)
    assert applied["SE_4_2"] == pytest.approx(0.2)
    assert applied["SE_2_1"] == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("edits", "error", "said"),
    [
        ({"SE_9_9": 1.0}, KeyError, 'SE_5_2, "stage 2"'),
        ({"stage 9": 1.0}, KeyError, '"stage 5" or "all"'),
        ({"SE_5_2": np.ones(3)}, ValueError, r"768 channels.*\(1, 768\), not \(3,\)"),
        ({"SE_5_2": np.ones((4, 768))}, ValueError, r"not \(4, 768\)"),
        ({"SE_5_2": float("nan")}, ValueError, "NaN"),
        ({"SE_5_2": scale(float("inf"))}, ValueError, "infinite"),
        ({"SE_5_2": "median"}, ValueError, '"mean", not to .median.'),
        ({"SE_5_2": {768: 0.0}}, KeyError, "its channels are 0 to 767"),
        ({"SE_5_2": {"450": 0.0}}, KeyError, "its channels are 0 to 767"),
        ({"SE_5_2": object()}, TypeError, "not to object"),
        ({"SE_5_2": mean_of("dog")}, KeyError, "There is no class 'dog'"),
        ({"stage 5": np.ones((1, 1))}, ValueError, "channels"),
        ([], TypeError, 'Edits are a mapping such as {"SE_2_1": 1.0}, not list'),
        (np.ones(2), TypeError, "not ndarray"),
    ],
)
def test_an_edit_that_cannot_be_is_refused_with_what_there_is(demo, edits, error, said):
    with pytest.raises(error, match=said):
        capture(demo, noise(1, 128), edits=edits)


@pytest.mark.parametrize("seed", [-1, 1.5, "0"])
def test_a_seed_of_a_shuffle_is_a_whole_number(seed):
    with pytest.raises(ValueError, match=f"shuffle takes a whole number, 0 or more, as its seed, not {seed!r}"):
        shuffle(seed)


def test_values_that_an_edit_makes_infinite_are_not_said_to_be_of_the_weights(demo):
    images = noise(1, 128)
    with pytest.warns(NotFiniteValues, match=r"s of SE_4_1 was replaced in this pass: read the images without edits"):
        edited = capture(demo, images, edits={"SE_4_1": scale(3e38)})
    assert "weights of the network" not in edited.not_finite
    images[0, 0, 0, 0] = float("nan")  # which comes before the edit
    with pytest.warns(NotFiniteValues, match=r"first in SE_2_1.*Check the weights of the network"):
        capture(demo, images, edits={"SE_4_1": 1.0})


@pytest.mark.slow
def test_32_threads_with_their_own_edits_do_not_mix(demo):
    images, barrier = noise(1, 128), Barrier(32)
    expected = [capture(demo, images, edits={"SE_3_1": number / 32}).logits for number in range(32)]

    def read(number):
        barrier.wait(60)
        edits = {} if number % 4 == 0 else {"SE_3_1": number / 32}
        return capture(demo, images, edits=edits)

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(read, range(32)))
    plain = capture(demo, images).logits
    for number, edited in enumerate(found):
        np.testing.assert_array_equal(edited.logits, plain if number % 4 == 0 else expected[number])


def test_no_hook_stays_behind():
    network = SEResNet(SEResNetConfig(r=4)).eval()
    capture(network, noise(2, 64), edits={"all": 0.5})
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


@pytest.mark.slow
@given(
    st.dictionaries(st.sampled_from(["all", "stage 2", "stage 3", "SE_2_1", "SE_3_2"]), st.floats(-2, 2), max_size=5)
)
def test_the_closest_name_decides_whatever_the_order(edits):
    found = _GATES or _GATES.extend(find_gates(SEResNet().eval(), 64)) or _GATES
    sources = Sources(1, _none, _none, _none)
    resolved = resolve(edits, found, sources)
    for gate in found:
        expected = next((edits[key] for key in (gate.name, f"stage {gate.stage}", "all") if key in edits), None)
        assert (gate.name in resolved) == (expected is not None)
        if expected is not None:
            s = resolved[gate.name](torch.zeros(1, gate.channels), 0)
            np.testing.assert_allclose(s.numpy(), expected, rtol=1e-6, atol=1e-30)


_GATES = []


def _none(*_):
    raise AssertionError("nothing needs to be read for a number")


def test_only_gates_that_are_edited_have_hooks_that_edit(demo, monkeypatch):
    monkeypatch.setattr(demo.instrument, "_direct", {})  # earlier passes may have found that none are needed
    gates = demo.gates
    units = [demo.instrument.network.get_submodule(gate.path) for gate in gates]

    def hooked():
        return [len(unit._forward_pre_hooks) for unit in units]

    with demo.instrument.attached():
        idle = hooked()
        edits = {gates[1].name: lambda s, _start: s, gates[-1].name: lambda s, _start: s}
        with demo.instrument.capturing(frozenset(), edits):
            both = hooked()
            with demo.instrument.capturing(frozenset(), {gates[-1].name: edits[gates[-1].name]}):
                assert hooked() == both
            assert hooked() == both
        assert [more - less for more, less in zip(both, idle, strict=True)] == [0, 1, *[0] * (len(gates) - 3), 1]
        assert hooked() == idle
