import sys

import pytest
import torch

from se_viz.device import devices as device
from se_viz.device import memory
from se_viz.device.memory import DeviceFull, Memory
from se_viz.model.loading import load
from se_viz.weights.errors import UnknownModel
from se_viz.zoo import memory_check as room
from se_viz.zoo import registry as catalogue

GB = 1 << 30


def test_the_memory_of_this_machine():
    known = memory.memory(torch.device("cpu"))
    assert known is not None or sys.platform != "linux"
    if known:
        assert 0 < known.free <= known.total


@pytest.fixture
def system(tmp_path):
    """A /proc/meminfo of 16 GB, 10 of them free, and an empty folder of control groups."""
    info = tmp_path / "meminfo"
    info.write_text(
        f"MemTotal: {16 * GB // 1024} kB\nMemFree: 5 kB\nMemAvailable: {10 * GB // 1024} kB\nHugePages: 0\n"
    )
    groups = tmp_path / "cgroup"
    (groups / "memory").mkdir(parents=True)
    return info, groups


def test_without_a_container_the_system_is_the_limit(system):
    assert memory._of_system(*system) == Memory(10 * GB, 16 * GB)
    (system[1] / "memory.max").write_text("max\n")
    assert memory._of_system(*system) == Memory(10 * GB, 16 * GB)


@pytest.mark.parametrize("names", [("memory.max", "memory.current"), memory._CGROUPS[1]])
def test_a_container_is_a_limit(system, names):
    limit, use = (system[1] / name for name in names)
    limit.write_text(f"{4 * GB}\n")
    use.write_text(f"{1 * GB}\n")
    assert memory._of_system(*system) == Memory(3 * GB, 4 * GB)
    use.write_text(f"{5 * GB}\n")
    assert memory._of_system(*system) == Memory(0, 4 * GB)
    limit.write_text(f"{2**63}\n")
    assert memory._of_system(*system) == Memory(10 * GB, 16 * GB)


def test_a_system_that_tells_nothing(system, monkeypatch):
    system[0].write_text("nonsense")
    monkeypatch.delattr("os.sysconf")
    assert memory._of_system(*system) is None


def test_a_gpu_is_asked(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1, 2))
    assert memory.memory(torch.device("cuda:0")) == Memory(1, 2)
    monkeypatch.setattr(torch.xpu, "mem_get_info", lambda _: (3, 4))
    assert memory.memory(torch.device("xpu:1")) == Memory(3, 4)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 10)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 4)
    assert memory.memory(torch.device("mps")) == Memory(6, 10)
    text = str(memory.device_full_error(torch.device("cuda:0"), "a cat"))
    assert text.startswith("Not enough memory for a cat on cuda:0 (0.0 of 0.0 GB free): ")
    assert text.endswith("or use the CPU (device='cpu').")


CPU, GPU = torch.device("cpu"), torch.device("cuda:0")


@pytest.fixture
def free(monkeypatch):
    """Free bytes by kind of device, of which there are 64 GB; the kinds of which torch was asked to give back."""
    left, released = {"cpu": 64 * GB, "cuda": 64 * GB}, []
    monkeypatch.setattr(memory, "memory", lambda device: Memory(left[device.type], 64 * GB))
    monkeypatch.setattr(memory, "release", lambda device: released.append(device.type))
    return left, released


def test_a_network_is_built_in_twice_the_memory_of_its_weights(free):
    left, _ = free
    weights = 4 * catalogue.params("demo/r16")
    assert weights == 4 * 2_176_874
    left["cpu"] = 2 * weights
    room.check_memory("demo/r16", CPU)
    left["cpu"] -= 1
    with pytest.raises(
        DeviceFull, match=r"Not enough memory for demo/r16 \(0\.0 GB\) on cpu \(0\.0 of 68\.7 GB free\)"
    ):
        room.check_memory("demo/r16", CPU)
    with pytest.raises(DeviceFull, match="on cpu"):
        room.check_memory("demo/r16", GPU)


def test_on_a_gpu_it_takes_what_its_numbers_take(free):
    left, released = free
    name = "timm/regnety_2560.seer_ft_in1k"
    left["cuda"] = 4 * GB
    with pytest.raises(DeviceFull, match=r"\(5\.1 GB\) on cuda:0"):
        room.check_memory(name, GPU)
    assert released == ["cuda"]
    room.check_memory(name, GPU, torch.bfloat16)


def test_what_was_never_counted_passes(free, register):
    free[0]["cpu"] = 0
    register("test/mine", None)
    room.check_memory("test/mine", CPU)
    with pytest.raises(UnknownModel):
        room.check_memory("test/none", CPU)


def test_nothing_is_fetched_for_which_there_is_no_room(free, monkeypatch):
    free[0]["cpu"] = 8 * GB
    monkeypatch.setenv("HF_ENDPOINT", "http://nowhere.invalid")
    with pytest.raises(DeviceFull, match=r"regnety_2560\.seer_ft_in1k \(10\.3 GB\)"):
        load("timm/regnety_2560.seer_ft_in1k", "cpu")


def test_devices_have_names(monkeypatch, tmp_path):
    assert device.device_name(torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100 80GB HBM3")
    assert device.device_name(torch.device("cuda:0")) == "NVIDIA H100 80GB HBM3"
    monkeypatch.setattr(torch.xpu, "get_device_name", lambda _: "Intel(R) Data Center GPU Max 1550")
    assert device.device_name(torch.device("xpu:0")) == "Intel(R) Data Center GPU Max 1550"
    assert "Apple" in device.device_name(torch.device("mps"))
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: AMD EPYC 9354 32-Core Processor\nflags : fpu\n")
    monkeypatch.setattr(device, "CPUINFO", info)
    assert device.device_name(torch.device("cpu")).startswith("AMD EPYC 9354 32-Core Processor, ")
