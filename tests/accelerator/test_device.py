"""The device of these tests behaves as a GPU does, and is found, named and measured as one."""

import gc

import accel
import pytest
import torch
from typer.testing import CliRunner

from se_viz.cli.app import app
from se_viz.demo.build import _describe
from se_viz.demo.training import has_native_bfloat16
from se_viz.device.devices import DeviceMissing, available, device_name, resolve
from se_viz.device.memory import DeviceFull, Memory, is_out_of_memory, release, require_memory
from se_viz.device.memory import memory as memory_of
from se_viz.model.loading import load

ACCEL = torch.device("accel:0")


def test_it_is_the_accelerator_of_this_process():
    assert torch.accelerator.current_accelerator(check_available=True) == torch.device("accel")
    assert available() == ("accel:0", "accel:1", "cpu")


@pytest.mark.parametrize(
    ("name", "device"),
    [
        *(("auto", "accel:0"), ("gpu", "accel:0"), ("accel", "accel:0")),
        *(("accel:0", "accel:0"), ("accel:1", "accel:1"), ("cpu", "cpu")),
    ],
)
def test_a_name_is_the_device_that_its_tensors_say_they_are_on(name, device):
    assert resolve(name) == torch.device(device)
    assert str(torch.zeros(1, device=resolve(name)).device) == str(resolve(name)) == device


@pytest.mark.parametrize("name", ["accel:2", "cuda", "mps", "tpu", ""])
def test_a_device_that_is_missing_is_told_with_those_that_are_there(name):
    with pytest.raises(DeviceMissing, match=rf"no device '{name}'; it has accel:0, accel:1, cpu\."):
        resolve(name)


def test_the_command_tells_it_too():
    ran = CliRunner().invoke(app, ["inspect", "--sample", "cat", "--device", "cuda:1"])
    assert ran.exit_code == 1
    assert "no device 'cuda:1'; it has accel:0, accel:1, cpu." in " ".join(ran.output.split())


def test_it_has_a_name_memory_and_bfloat16(memory):
    assert device_name(ACCEL) == _describe(ACCEL) == "Test accelerator"
    assert memory_of(ACCEL) == Memory(memory.free, memory.total)
    assert has_native_bfloat16(ACCEL)


def test_a_kind_of_device_that_tells_nothing_passes_for_one_with_room(monkeypatch):
    for name in ("get_device_name", "mem_get_info", "is_bf16_supported"):
        monkeypatch.delattr(accel.Module, name)
    assert device_name(ACCEL) == "accel"
    assert memory_of(ACCEL) is None
    assert not has_native_bfloat16(ACCEL)
    require_memory(ACCEL, 1 << 60, "anything")


def test_tensors_of_two_devices_do_not_mix():
    here, there = torch.ones(2, device="accel:0"), torch.ones(2)
    for other in (there, there.to("accel:1")):
        with pytest.raises(RuntimeError, match="same device"):
            here + other
    with pytest.raises(RuntimeError):
        here.numpy()
    assert (here + torch.tensor(1.0)).cpu().tolist() == [2, 2]


def test_memory_is_counted_and_ends(memory):
    before = memory.live
    with memory.limited(free=1000):
        held = torch.zeros(200, device="accel")
        part = held[100:]  # of the same memory
        assert memory.live == before + 800
        with pytest.raises(torch.OutOfMemoryError) as raised:
            torch.zeros(51, device="accel")
        assert is_out_of_memory(raised.value)
        torch.zeros(51, device="accel:1")
    del held, part
    gc.collect()
    assert memory.live == before


def test_what_torch_keeps_for_later_is_given_back_before_anything_is_refused(memory):
    gc.collect()
    with memory.limited(free=1 << 20):
        free = memory.free
        torch.zeros(100_000, device="accel")
        assert memory.free == free - 400_000
        require_memory(ACCEL, free, "a network")
        assert memory.free == free
        with pytest.raises(DeviceFull, match=r"Not enough memory for a cat \(0\.0 GB\) on accel:0.*or use the CPU"):
            require_memory(ACCEL, free + 1, "a cat")


def test_release_is_for_any_device(memory):
    torch.zeros(1000, device="accel")
    assert memory.kept
    release(ACCEL)
    assert not memory.kept
    release(torch.device("cpu"))


def test_a_model_lies_where_it_was_asked_to():
    for name, device in (("auto", "accel:0"), ("accel:1", "accel:1"), ("cpu", "cpu")):
        model = load("demo/r16", name)
        tensors = [*model.instrument.network.parameters(), *model.instrument.network.buffers()]
        assert {str(tensor.device) for tensor in tensors} == {device}
        assert str(model.device) == device
        model.close()
