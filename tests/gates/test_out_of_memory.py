"""A device without enough memory for all images at once."""

import numpy as np
import pytest
import torch
from support.networks import Host, hooks, make_images
from support.third_party_gates import SELayer

from se_viz.device import memory
from se_viz.device.memory import DeviceFull
from se_viz.gates.errors import NotAnImageModel
from se_viz.gates.find import find_gates
from se_viz.gates.instrument import Instrument
from se_viz.interventions.capture import capture
from se_viz.model import loading
from se_viz.model.loading import load


class Small(Host):
    """A network that takes a limited number of images at once and records the batch sizes."""

    def __init__(self, most, error=torch.OutOfMemoryError):
        super().__init__(SELayer())
        self.most, self.error = most, error
        self.asked = []

    def forward(self, x):
        self.asked.append(len(x))
        out = super().forward(x)
        if len(x) > self.most:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return out


def instrument(network):
    made = Instrument(network.eval(), find_gates(network, 32))
    network.asked.clear()
    return made


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
@pytest.mark.parametrize(
    ("most", "batch", "asked"),
    [
        (2, 32, [13, 6, 3, 1, *[1] * 12]),
        (3, 32, [13, 6, 3, 3, 3, 3, 1]),
        (8, 12, [12, 6, 6, 1]),
        (13, 32, [13]),
    ],
)
def test_the_batch_is_halved_and_stays_so(error, most, batch, asked):
    network = Small(max(2, most), error)
    held = instrument(network)
    network.most = 10**6
    expected = capture(held, make_images(13), ["SE_1_1"])
    network.most = most if most != 2 else 1
    network.asked.clear()
    found = capture(held, make_images(13), ["SE_1_1"], batch=batch)
    assert network.asked == asked
    np.testing.assert_allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-6)
    for key in ("z", "s", "u", "x"):
        one, other = getattr(found["SE_1_1"], key), getattr(expected["SE_1_1"], key)
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    assert hooks(network) == 0


def test_a_single_image_too_many(monkeypatch):
    released = []
    monkeypatch.setattr("se_viz.gates.capture.release", released.append)
    network = Small(2)
    held = instrument(network)
    network.most = 0
    with pytest.raises(
        DeviceFull, match=r"Not enough memory for one image of 3 × 32 × 32 in Small on cpu.*smaller network\.$"
    ):
        capture(held, make_images(4))
    assert network.asked == [4, 2, 1]
    assert len(released) == 3
    assert hooks(network) == 0
    network.most = 4
    assert len(capture(held, make_images(4)).logits) == 4


def test_another_failure_is_not_one_of_memory():
    network = Small(2, lambda _: RuntimeError("shapes do not fit"))
    with pytest.raises(NotAnImageModel, match="shapes do not fit"):
        capture(instrument(network), make_images(4))


@pytest.mark.slow
def test_a_network_that_does_not_fit_is_said_to(monkeypatch):
    class Full(loading.Model):
        def __init__(self, *_, **__):
            raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(loading, "Model", Full)
    with pytest.raises(DeviceFull, match=r"Not enough memory for demo/r16 on cpu"):
        load("demo/r16", "cpu")


def test_memory_that_the_cpu_does_not_have_is_known_by_what_torch_says():
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**55)
    assert memory.is_out_of_memory(raised.value)
    windows = (
        "[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory: you tried to allocate 1."
    )
    assert memory.is_out_of_memory(RuntimeError(windows))
    assert not memory.is_out_of_memory(RuntimeError("size mismatch"))
    assert not memory.is_out_of_memory(ValueError("out of memory"))
