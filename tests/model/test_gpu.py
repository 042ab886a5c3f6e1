"""Tests that need a real GPU; skipped on other machines, see ``pytest_runtest_setup``.

Every path that a GPU takes runs on any machine in tests/accelerator, on a device whose tensors the CPU computes.
"""

import numpy as np
import pytest
import torch
from support.networks import make_images

from se_viz.device.devices import device_name, resolve
from se_viz.device.memory import DeviceFull, memory
from se_viz.interventions.capture import capture
from se_viz.model.loading import load

DEVICES = [
    pytest.param(kind, marks=mark)
    for kind, mark in (("cuda", pytest.mark.gpu), ("mps", pytest.mark.mps), ("xpu", pytest.mark.xpu))
]


def furthest(one, other):
    return max(np.abs(a.s - b.s).max() for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("device", DEVICES)
def test_it_reads_what_the_cpu_reads(device):
    images = make_images(4, 128)
    on_cpu, on_gpu = (capture(load("demo/r16", place), images, "SE_5_2") for place in ("cpu", device))
    assert furthest(on_gpu, on_cpu) < 1e-4
    for key in ("u", "x"):
        one, other = getattr(on_gpu["SE_5_2"], key), getattr(on_cpu["SE_5_2"], key)
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("device", DEVICES)
def test_it_reads_the_same_twice(device):
    held, images = load("demo/r16", device), make_images(4, 128)
    assert furthest(capture(held, images), capture(held, images)) == 0


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("precision", "worst"), [("bf16", 0.1), ("fp16", 0.02)])
def test_other_precisions_read_almost_the_same(device, precision, worst):
    images = make_images(4, 128)
    half, whole = capture(load("demo/r16", device, precision), images), capture(load("demo/r16", device), images)
    assert furthest(half, whole) < worst


@pytest.mark.parametrize("device", DEVICES)
def test_it_says_what_it_is_and_has(device):
    place = resolve(device)
    assert place == resolve("gpu") == resolve("auto") == load("demo/r16", device).device
    assert device_name(place)
    known = memory(place)
    assert 0 < known.free <= known.total


@pytest.mark.gpu
def test_a_full_gpu_is_read_in_smaller_batches():
    held, images = load("demo/r16", "cuda"), make_images(64, 128)
    expected = capture(held, images)
    torch.cuda.empty_cache()
    try:
        # First memory for some of the images, then for none.
        total = memory(held.device).total
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 200e6) / total)
        found = capture(held, images.repeat(16, 1, 1, 1), batch=1024)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.s, np.tile(other.s, (16, 1)), rtol=0, atol=1e-4)
        torch.cuda.empty_cache()  # memory that is reserved already would not be refused
        torch.cuda.set_per_process_memory_fraction(1e-6)
        with pytest.raises(DeviceFull, match="Not enough memory for one image"):
            capture(held, make_images(1, 1024))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert furthest(capture(held, images), expected) < 1e-5
