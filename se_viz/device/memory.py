"""Memory of a device: how much there is, how to tell that it ran out, and what to say then."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

# What torch says where it raises a plain RuntimeError: on the CPU (of Linux and macOS, of Windows), on MPS, and in
# NVIDIA's libraries.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")

# Of a container: limit and use, of control groups of version 2 and 1.
_CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


class DeviceFull(ValueError):
    """A device has no room for a network, or for a single image in it; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a device that are free for anybody, and that it has."""

    free: int
    total: int


def memory(device: torch.device) -> Memory | None:
    """Free and total memory of a device; None where the system does not tell.

    Of an accelerator that of the board, or on MPS of what the system recommends to use; of the CPU what the system
    could give without swapping, within the limit of the container this runs in.
    """
    if device.type == "cpu":
        return _of_system(Path("/proc/meminfo"), Path("/sys/fs/cgroup"))
    if device.type == "mps":  # Metal shares the machine's memory, and recommends to use less than all of it.
        most = torch.mps.recommended_max_memory()
        return Memory(max(0, most - torch.mps.driver_allocated_memory()), most)
    # CUDA, XPU and most kinds that packages add have their own; torch's common one fails for those made in Python.
    ask = getattr(torch.get_device_module(device), "mem_get_info", torch.accelerator.get_memory_info)
    with suppress(RuntimeError):  # not every kind tells
        return Memory(*ask(device))
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device has no memory left."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Give back what torch keeps of a device's memory for later; the CPU's is given back as it becomes free."""
    if device.type != "cpu":
        getattr(torch.get_device_module(device), "empty_cache", torch.accelerator.empty_cache)()


def device_full_error(device: torch.device, what: str) -> DeviceFull:
    """The error for ``what`` there is no room for, a noun phrase."""
    known = memory(device)
    left = f", of whose {known.total / 1e9:.1f} GB {known.free / 1e9:.1f} are free" if known else ""
    other = "" if device.type == "cpu" else ", or the CPU (device='cpu')"
    return DeviceFull(
        f"There is no room for {what} on {device}{left}: end what else runs there, or take a smaller network{other}."
    )


def require_memory(device: torch.device, size: int, what: str) -> None:
    """See whether so many bytes are free for ``what``; a device that does not tell is taken to have them.

    Raises:
        DeviceFull: they are not, even when torch has given back what it keeps.
    """
    known = memory(device)
    if known is None or known.free >= size:
        return
    release(device)
    known = memory(device)
    if known is not None and known.free < size:
        raise device_full_error(device, f"{what}, which takes {size / 1e9:.1f} GB,")


@contextmanager
def raise_if_full(device: torch.device, what: str) -> Iterator[None]:
    """Turn what torch raises inside the block when a device is full into a DeviceFull."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # they hold what was made until there was no room
            release(device)
            raise device_full_error(device, what) from error
        raise


def _of_system(meminfo: Path, cgroups: Path) -> Memory | None:
    known = _meminfo(meminfo) or _sysconf()
    if known is None:
        return None
    for limit, use in _CGROUPS:
        # "max" stands for no limit, and of version 1 a number beyond the memory.
        with suppress(OSError, ValueError):
            most = int((cgroups / limit).read_text())
            if most < known.total:
                return Memory(min(known.free, max(0, most - int((cgroups / use).read_text()))), most)
    return known


def _meminfo(path: Path) -> Memory | None:
    """What Linux could give without swapping: more than is free, as caches of files can go."""
    try:
        fields = dict(line.split(":") for line in path.read_text().splitlines())
        free, total = (int(fields[name].split()[0]) * 1024 for name in ("MemAvailable", "MemTotal"))
    except (OSError, ValueError, KeyError):
        return None
    return Memory(free, total)


def _sysconf() -> Memory | None:
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        return Memory(page * os.sysconf("SC_AVPHYS_PAGES"), page * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return None  # Windows has no sysconf, macOS does not say what is free.
