"""Unusual gates, compared with what each network reports of its multiplications (``support.odd_networks``)."""

import random
import re
import warnings
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
import torch
from support.networks import hooks, make_images, model, modes
from support.odd_networks import inline as odd_inline
from support.odd_networks import none as odd_none
from support.odd_networks import shared as odd_shared
from support.odd_networks import states as odd_states
from support.odd_networks import ways as odd_ways
from support.odd_networks.cases import CASES
from support.odd_networks.gates import SIDE, Case, Odd, each, tell, told
from support.quick import every, sampled
from torch import nn
from torch.nn import functional

from se_viz.gates.errors import InstrumentError, NoGateFound, PartlyFound
from se_viz.gates.find import find_gates
from se_viz.interventions.capture import capture

# Noise is another in each thread, functional_call puts its weights into the module that the others run, and torch has
# the levels of forward-mode gradients in common for all threads.
NO_THREADS = ("state: noise", "way: noise in s", "way: functional call", "call: jvp")
# What the message said of a gate that was there.
FALSE = "none of its|multiplies feature maps by one weight per channel"


def truth(network, images):
    """Return what the network reports in a plain forward pass on images, and its output."""
    dtype = next(p.dtype for p in network.parameters())
    with told() as events, torch.no_grad():
        output = network(images.to(dtype))
    return events, output


def squeezes(event):
    return [None if z is None else z.float().numpy() for z in event.z]


def assert_same(gate_capture, event, tolerance):
    """Compare one gate with one event."""
    u, s, x = (value.float().numpy() for value in (event.u, event.s, event.x))
    assert gate_capture.s.shape == s.shape
    np.testing.assert_allclose(gate_capture.s, s, rtol=1e-6 if event.rounded else 0)
    np.testing.assert_array_equal(gate_capture.u, u)
    # Where the product is a term of a sum, it may have been rounded otherwise.
    np.testing.assert_allclose(gate_capture.x, x, rtol=0, atol=1e-6 * np.abs(x).max())
    off = np.abs(gate_capture.s[:, :, None, None] * gate_capture.u - gate_capture.x).max()
    assert off <= tolerance * np.abs(gate_capture.x).max()
    assert gate_capture.gate.channels == s.shape[1]
    right = squeezes(event)
    if gate_capture.z is None:
        assert None in [None if z is None else 0 for z in right], "z was seen to feed s"
        return
    z = gate_capture.z.reshape(len(s), -1)
    named = [one for one in right if one is not None]
    both = [
        one[:, : s.shape[1]] for one in named if one.shape[1] == 2 * s.shape[1] and "," in gate_capture.gate.squeeze
    ]
    close = [one.shape == z.shape and np.allclose(one, z, rtol=max(1e-5, tolerance), atol=1e-6) for one in named + both]
    assert any(close), "z is no squeeze of U that feeds s"


def names(gates):
    assert len({gate.name for gate in gates}) == len(gates)
    return [gate.name for gate in gates]


def found(network, case):
    """Return the gates, or None if a correct sentence says why not all of them can be read."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            gates = find_gates(network)
        except InstrumentError as error:
            if not case.or_told or re.search(FALSE, str(error)) or not re.search(case.or_told, str(error)):
                raise
            return None
    if len(gates) < case.gates:
        said = " ".join(str(warning.message) for warning in caught)
        assert case.or_told, f"{len(gates)} of {case.gates}: {[gate.path for gate in gates]}; said: {said!r}"
        assert re.search(case.or_told, said), f"{len(gates)} of {case.gates}; said: {said!r}"
        return None
    assert len(gates) <= case.gates, [gate.path for gate in gates]
    return gates


@pytest.fixture(scope="module", params=sampled(CASES, 6))
def odd(request):
    """A case, its network, and the gates that were found in it, or None."""
    torch.manual_seed(0)
    case = CASES[request.param]
    network = case.make().eval()
    truth(network, make_images(2))  # some are themselves only after a first pass
    return case, network, found(network, case)


def test_every_gate_is_read_as_the_network_tells(odd):
    case, network, gates = odd
    for n in (1, 2, 5):
        images = make_images(n, SIDE, seed=n)
        torch.manual_seed(n)
        events, output = truth(network, images)
        assert len(events) == case.gates
        if gates is None:
            continue
        torch.manual_seed(n)
        taken = capture(network, images, maps=names(gates))
        np.testing.assert_array_equal(taken.logits, output.float().numpy())
        assert list(taken.gates) == names(gates)
        for gate_capture, event in zip(taken, events, strict=True):
            assert_same(gate_capture, event, case.tolerance)


@pytest.mark.slow
def test_eight_threads_at_once(odd):
    case, network, gates = odd
    if gates is None or case in [CASES[name] for name in NO_THREADS]:
        pytest.skip("told, or not the same in threads")
    inputs = [make_images(1 + seed % 3, SIDE, seed=seed) for seed in range(8)]
    truths = [truth(network, images) for images in inputs]
    maps, start, hooks_before = names(gates), Barrier(8), hooks(network)

    def read(images):
        torch.set_num_threads(1)
        start.wait()
        return [capture(network, images, maps=maps) for _ in range(2)]

    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(read, inputs))
    for runs, (events, output) in zip(taken, truths, strict=True):
        for run in runs:
            np.testing.assert_array_equal(run.logits, output.float().numpy())
            for gate_capture, event in zip(run, events, strict=True):
                assert_same(gate_capture, event, case.tolerance)
    assert hooks(network) == hooks_before


def gradients(network, images):
    torch.manual_seed(7)
    network.train()
    output = network(images.to(next(p.dtype for p in network.parameters())))
    output.square().mean().backward()
    return [p.grad for p in network.parameters()]


def look(network, images, case):
    """Find and read the gates in any mode, and ignore errors."""
    gates = found(network, case)
    if gates is not None:
        capture(network, images, maps=names(gates))


@pytest.mark.slow
@pytest.mark.parametrize("name", every(6, CASES))
def test_training_goes_on_as_if_nothing_had_been_read(name):
    case, images = CASES[name], make_images(2)
    twin = case.make().train()
    torch.manual_seed(0)  # as before the first; some of these cannot be copied
    network = case.make().train()
    hooks_before = hooks(network)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    modes_before, state, python, numpy = modes(network), torch.get_rng_state(), random.getstate(), np.random.get_state()
    look(network, images, case)
    assert torch.equal(torch.get_rng_state(), state)
    assert random.getstate() == python
    assert all(np.array_equal(one, other) for one, other in zip(np.random.get_state(), numpy, strict=True))
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert modes(network) == modes_before
    assert hooks(network) == hooks_before
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(p.grad is None and p.requires_grad for p in network.parameters())
    if case is CASES["state: images kept"]:
        return  # it has kept other images, see below
    for one, other in zip(gradients(network, images), gradients(twin, images), strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


@pytest.mark.parametrize("name", odd_states.FIRST)
@pytest.mark.parametrize("search", [True, False])
def test_a_network_that_keeps_something_of_its_first_pass_can_be_trained(name, search):
    network, images = odd_states.FIRST[name](), make_images(2)
    if search:
        assert len(find_gates(network, SIDE)) == 2
    assert len(capture(network, images).gates) == 2
    kept = gradients(network, images)
    assert kept
    assert all(grad is not None and torch.isfinite(grad).all() for grad in kept)


@pytest.mark.parametrize("name", odd_none.NONE)
def test_no_gate(name):
    network = odd_none.network(name)
    with pytest.raises(NoGateFound):
        find_gates(network)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in odd_none.NONE if name != "vectors"])
def test_no_gate_beside_gates(name):
    """A network with a gate that is a module, an inline gate, and a multiplication between them that is not a gate."""
    make = odd_none.NONE[name]
    network = Odd(make(), odd_inline.Inline(), make(), odd_shared.Block(odd_shared.SE())).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PartlyFound)  # maps of five axes are told
        gates, images = find_gates(network), make_images(2)
        taken = capture(network, images, maps=names(gates))
    events, _ = truth(network, images)
    assert len(gates) == len(events) == 2
    for gate_capture, event in zip(taken, events, strict=True):
        assert_same(gate_capture, event, 1e-5)


@pytest.mark.parametrize("name", odd_shared.CUT)
def test_a_batch_that_the_network_cuts(name):
    case = odd_shared.CUT[name]
    network = case.make().eval()
    gates = found(network, case)
    if gates is None:
        return
    images = make_images(4)
    events, _ = truth(network, images)
    (gate_capture,) = capture(network, images, maps=names(gates))
    # Threads tell in any order.
    for event in events:
        assert any(np.array_equal(event.s.numpy(), gate_capture.s[i : i + len(event.s)]) for i in range(len(images)))
    assert (
        np.abs(gate_capture.s[:, :, None, None] * gate_capture.u - gate_capture.x).max()
        <= 1e-5 * np.abs(gate_capture.x).max()
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", odd_states.OUTPUTS)
def test_networks_without_logits(name):
    network = odd_states.Returns(odd_states.OUTPUTS[name]).eval()
    gates = find_gates(network)
    assert len(gates) == 2
    for n in (1, 3):
        images = make_images(n)
        events, output = truth(network, images)
        taken = capture(network, images, maps=names(gates))
        assert taken.logits is None
        assert type(taken.output) is type(output)
        for gate_capture, event in zip(taken, events, strict=True):
            assert_same(gate_capture, event, 1e-5)


def test_int8():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it is deprecated
        try:
            network = odd_states.quantised()
        except (ImportError, RuntimeError, NotImplementedError) as error:
            pytest.skip(f"this torch has no dynamic quantisation here: {error}")
    images = make_images(3)
    events, output = truth(network, images)
    assert len(events) == 2
    gates = found(network, Case(odd_states.quantised, 2, or_told="int8|quanti[sz]ed"))
    if gates is None:
        return
    taken = capture(network, images, maps=names(gates))
    np.testing.assert_array_equal(taken.logits, output.numpy())
    for gate_capture, event in zip(taken, events, strict=True):
        assert_same(gate_capture, event, 1e-5)


def test_gates_whose_maps_have_one_pixel_are_told():
    network = odd_states.Cifar().eval()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        gates = find_gates(network, SIDE)
    if len(gates) < 16:
        assert len(gates) == 13
        said = " ".join(str(warning.message) for warning in caught)
        assert re.search(r"13 of 16|three|3 ", said), f"three are missing without a word; said: {said!r}"


class Replaceable(nn.Module):
    """A gate whose gate function is an attribute: a function, or a module."""

    def __init__(self, function):
        super().__init__()
        self.fc, self.function = odd_inline.fc(), function

    def forward(self, x):
        z = functional.adaptive_avg_pool2d(x, 1).flatten(1)
        s = each(self.function(self.fc(z)))
        out = x * s
        tell(x, s, out, z)
        return out


def hard(y):
    return torch.clamp(0.2 * y + 0.5, 0, 1)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (torch.sigmoid, torch.tanh),
        (torch.sigmoid, hard),
        (hard, torch.relu),
        (nn.Sigmoid(), nn.Hardsigmoid()),
        (nn.Sigmoid(), nn.Tanh()),
    ],
)
@pytest.mark.parametrize("held", [True, False])
def test_a_gate_function_that_is_replaced(first, then, held):
    network, images = Odd(Replaceable(first), nn.ReLU()).eval(), make_images(3)
    read = model(network) if held else network
    (gate,) = find_gates(network)
    capture(read, images, maps=[gate.name])
    network.body[0].function = then
    events, _ = truth(network, images)
    try:
        (gate_capture,) = capture(read, images, maps=[gate.name])
    except InstrumentError:
        return
    assert_same(gate_capture, events[0], 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", odd_ways.CHANGING)
def test_a_network_whose_way_depends_on_the_images_is_read_right_or_refused(name):
    network = odd_ways.CHANGING[name]().eval()
    found_in = find_gates(network)  # with two images
    for n, side in ((1, SIDE), (2, SIDE), (3, SIDE), (4, SIDE), (5, 64), (2, 96)):
        for sign in (1, -1):
            images = sign * make_images(n, side, seed=n)
            events, output = truth(network, images)
            try:
                taken = capture(network, images, maps=names(found_in))
            except InstrumentError:
                continue
            np.testing.assert_array_equal(taken.logits, output.numpy())
            assert len(events) == len(taken.gates)
            for gate_capture, event in zip(taken, events, strict=True):
                assert_same(gate_capture, event, 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "context",
    [
        torch.no_grad,
        torch.inference_mode,
        lambda: torch.autocast("cpu", torch.bfloat16),
        lambda: torch.autocast("cpu", enabled=False),
        odd_ways.Nothing,
    ],
)
@pytest.mark.parametrize("make", [odd_shared.Block, odd_inline.InBlock])
def test_a_capture_inside_a_context_of_its_caller(context, make):
    network, images = Odd(make(odd_shared.SE()), odd_inline.Inline()).eval(), make_images(3)
    with context():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), torch.is_autocast_enabled("cpu")
        gates = find_gates(network)
        with told() as events:
            output = network(images)
        taken = capture(network, images, maps=names(gates))
        assert before == (
            torch.is_grad_enabled(),
            torch.is_inference_mode_enabled(),
            torch.is_autocast_enabled("cpu"),
        )
        np.testing.assert_array_equal(taken.logits, output.detach().float().numpy())
    assert len(gates) == len(events) == 2
    for gate_capture, event in zip(taken, events, strict=True):
        assert_same(gate_capture, event, 2e-2)
    assert all(grad is not None for grad in gradients(network, images))
