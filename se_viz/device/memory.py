"""Memory of a device: how much there is, how to detect that it ran out, and the error that says so."""

import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

# Parts of torch's messages where it raises a plain RuntimeError: on the CPU (Linux and macOS, then Windows), on MPS,
# and in NVIDIA's libraries.
_SIGNS = ("can't allocate memory", "not enough memory", "out of memory", "ALLOC_FAILED")

# Files with a container's memory limit and use: control groups version 2, then version 1.
_CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)


class DeviceFull(ValueError):
    """A device has too little memory for a network, or for a single image in it; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Free bytes of a device, and all its bytes."""

    free: int
    total: int


def memory(device: torch.device) -> Memory | None:
    """Return free and total memory of a device; None where the system does not tell.

    For an accelerator this is the memory of the board, or on MPS the amount that the system recommends to use. For the
    CPU it is what the system could give without swapping, within the limit of the container this runs in.
    """
    if device.type == "cpu":
        return _of_system(Path("/proc/meminfo"), Path("/sys/fs/cgroup"))
    if device.type == "mps":  # Metal shares the machine's memory, and recommends using only part of it.
        most = torch.mps.recommended_max_memory()
        return Memory(max(0, most - torch.mps.driver_allocated_memory()), most)
    # CUDA, XPU and most kinds that packages add have this function; torch's common one fails for kinds that are written
    # in Python.
    get_info = getattr(torch.get_device_module(device), "mem_get_info", torch.accelerator.get_memory_info)
    with suppress(RuntimeError):  # not every kind tells
        return Memory(*get_info(device))
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that a device has no memory left."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def release(device: torch.device) -> None:
    """Release the device memory that torch caches; on the CPU torch caches none."""
    if device.type != "cpu":
        getattr(torch.get_device_module(device), "empty_cache", torch.accelerator.empty_cache)()


def device_full_error(device: torch.device, what: str) -> DeviceFull:
    """Return the error for ``what``, a noun phrase, that does not fit into a device's memory."""
    known = memory(device)
    free = f" ({known.free / 1e9:.1f} of {known.total / 1e9:.1f} GB free)" if known else ""
    cpu = "" if device.type == "cpu" else ", or use the CPU (device='cpu')"
    return DeviceFull(
        f"Not enough memory for {what} on {device}{free}: stop other programs that use this device, or choose a "
        f"smaller network{cpu}."
    )


def require_memory(device: torch.device, size: int, what: str) -> None:
    """Check that ``size`` bytes are free for ``what``; a device that does not tell is assumed to have them.

    Raises:
        DeviceFull: they are not free, even after torch has released its cache.
    """
    known = memory(device)
    if known is None or known.free >= size:
        return
    release(device)
    known = memory(device)
    if known is not None and known.free < size:
        raise device_full_error(device, f"{what} ({size / 1e9:.1f} GB)")


@contextmanager
def raise_if_full(device: torch.device, what: str) -> Iterator[None]:
    """Turn torch's out-of-memory errors inside the block into DeviceFull."""
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            traceback.clear_frames(error.__traceback__)  # the frames hold the tensors made until then
            release(device)
            raise device_full_error(device, what) from error
        raise


def _of_system(meminfo: Path, cgroups: Path) -> Memory | None:
    known = _meminfo(meminfo) or _sysconf()
    if known is None:
        return None
    for limit, use in _CGROUPS:
        # No limit is written as "max" in version 2, and as a number larger than the memory in version 1.
        with suppress(OSError, ValueError):
            most = int((cgroups / limit).read_text())
            if most < known.total:
                return Memory(min(known.free, max(0, most - int((cgroups / use).read_text()))), most)
    return known


def _meminfo(path: Path) -> Memory | None:
    """Return what Linux could give without swapping: more than is free, as file caches can be dropped."""
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
        return None  # Windows has no sysconf; macOS does not tell how much is free.
