"""Many threads on one network: each thread reads the values of its images, bit for bit."""

from threading import Barrier, Event, Thread

import numpy as np
import pytest
import torch
from support.networks import Host, hooks, make_images, model, modes
from support.third_party_gates import SELayer

from se_viz.demo.seresnet import SEResNet, SEResNetConfig
from se_viz.interventions.capture import capture

THREADS = 32
BARE = 4
ROUNDS = 3


def network():
    torch.manual_seed(0)
    return SEResNet(SEResNetConfig(r=2, width=2)).eval()


def maps(thread):
    """Capture with maps in every third thread, so that hooks for maps are added and removed while others read."""
    return ["SE_3_1"] if thread % 3 == 0 else []


def values(gate_capture):
    arrays = [gate_capture.logits]
    for read in gate_capture:
        arrays += [array for array in (read.z, read.s, read.u, read.x) if array is not None]
    return arrays


def together(count, visit):
    """Run ``visit(0)`` … ``visit(count - 1)`` in a thread each, started at once; raise what the first one raised."""
    start, failures = Barrier(count), []

    def run(number):
        torch.set_num_threads(1)
        start.wait()
        try:
            visit(number)
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    threads = [Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def one_by_one(target, images):
    return [values(capture(target, image, maps(thread))) for thread, image in enumerate(images)]


def assert_same(read, expected):
    assert len(read) == len(expected)
    for one, other in zip(read, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def images():
    # 1 to 3 images per thread, so that a value of another thread has the wrong shape.
    return [make_images(1 + thread % 3, 64, seed=thread) for thread in range(THREADS)]


@pytest.mark.slow
def test_a_model_that_is_held(images):
    shared = model(network(), 64)
    expected = one_by_one(shared, images)

    def visit(thread):
        for _ in range(ROUNDS):
            assert_same(values(capture(shared, images[thread], maps(thread))), expected[thread])

    together(THREADS, visit)


@pytest.mark.slow
def test_a_bare_network_whose_gates_are_found_by_the_first_thread(images):
    expected = one_by_one(network(), images)
    for _ in range(2):
        shared = network()

        def visit(thread, shared=shared):
            for _ in range(ROUNDS):
                assert_same(values(capture(shared, images[thread], maps(thread))), expected[thread])

        together(THREADS, visit)
        assert hooks(shared) == 0


@pytest.mark.slow
@pytest.mark.parametrize("prepare", [lambda net: model(net, 64), lambda net: net], ids=["held", "bare"])
def test_beside_threads_that_run_the_network_themselves(prepare, images):
    shared = network()
    expected = one_by_one(network(), images)
    with torch.inference_mode():
        logits = [shared(image).numpy() for image in images]
    runs, running, done = [0] * BARE, Barrier(BARE + 1), Event()
    left = Barrier(THREADS)

    def run(number):
        with torch.inference_mode():
            while True:
                for image, expected_logits in zip(images, logits, strict=True):
                    np.testing.assert_array_equal(shared(image).numpy(), expected_logits)
                    runs[number] += 1
                    if runs[number] == 1:
                        running.wait()
                    if done.is_set():
                        return

    def visit(number):
        if number < BARE:
            run(number)
        elif number == BARE:
            running.wait()
            try:
                # The gates are found while the network is running elsewhere.
                target.append(prepare(shared))
                together(THREADS, read)
            finally:
                done.set()

    def read(thread):
        for _ in range(ROUNDS):
            assert_same(values(capture(target[0], images[thread], maps(thread))), expected[thread])
        left.wait()

    target = []
    together(BARE + 1, visit)
    assert min(runs) > 1
    target.clear()
    assert hooks(shared) == 0


@pytest.mark.slow
def test_a_network_in_train_mode_comes_back_in_train_mode(images):
    expected = one_by_one(network(), images)
    shared = network().train()
    shared.layer2.eval()
    before = {name: tensor.clone() for name, tensor in shared.state_dict().items()}
    modes_before = modes(shared)

    def visit(thread):
        for _ in range(ROUNDS):
            assert_same(values(capture(shared, images[thread], maps(thread))), expected[thread])

    together(THREADS, visit)
    assert modes(shared) == modes_before
    assert hooks(shared) == 0
    for name, tensor in shared.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(parameter.grad is None and parameter.requires_grad for parameter in shared.parameters())


@pytest.mark.slow
def test_different_networks_at_once():
    hosts = [Host(SELayer()).eval() for _ in range(8)]
    expected = [values(capture(host, make_images(2))) for host in hosts]
    fresh = [Host(SELayer()).eval() for _ in range(8)]
    for new, old in zip(fresh, hosts, strict=True):
        new.load_state_dict(old.state_dict())
    together(8, lambda number: assert_same(values(capture(fresh[number], make_images(2))), expected[number]))
