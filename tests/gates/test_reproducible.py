"""The same images give the same values: repeated, beside other threads, and on a CPU bit for bit."""

from threading import Event, Thread

import numpy as np
import pytest
import torch
from support.networks import make_images

from se_viz.device.devices import set_deterministic
from se_viz.interventions.capture import capture
from se_viz.model.loading import load


@pytest.fixture(scope="module", params=[True, False], ids=["fast", "plain"])
def held(request):
    return load("demo/r16", "cpu", fast=request.param)


def assert_same(one, other):
    np.testing.assert_array_equal(one.logits, other.logits)
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.z, b.z)
        np.testing.assert_array_equal(a.s, b.s)


@pytest.mark.slow
def test_twice(held):
    assert_same(capture(held, make_images(4, 128)), capture(held, make_images(4, 128)))


@pytest.mark.slow
def test_beside_a_thread_that_reads_something_else(held):
    expected, done = capture(held, make_images(4, 128)), Event()

    def read():
        torch.set_num_threads(1)
        while not done.is_set():
            capture(held, make_images(3, 128, seed=1))

    beside = Thread(target=read)
    beside.start()
    try:
        for _ in range(5):
            assert_same(capture(held, make_images(4, 128)), expected)
    finally:
        done.set()
        beside.join()


@pytest.mark.slow
def test_loaded_again():
    assert_same(*(capture(load("demo/r16", "cpu"), make_images(2, 128)) for _ in range(2)))


@pytest.mark.slow
def test_alone_or_among_others(held):
    together = capture(held, make_images(16, 128))
    alone = capture(held, make_images(16, 128), batch=1)
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_allclose(a.s, b.s, rtol=0, atol=1e-5)
        np.testing.assert_allclose(a.z, b.z, rtol=1e-5, atol=1e-5)


def test_what_is_switched_off_on_a_gpu():
    before = torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic
    set_deterministic(torch.device("cpu"))
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == before
    with torch.backends.cudnn.flags(benchmark=True, allow_tf32=True):
        set_deterministic(torch.device("cuda:0"))
        assert not torch.backends.cudnn.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cudnn.benchmark
        assert torch.backends.cudnn.deterministic
    assert (torch.backends.cudnn.allow_tf32, torch.backends.cudnn.deterministic) == before
