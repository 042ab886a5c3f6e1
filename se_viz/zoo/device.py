"""Where to compute, and in what numbers."""

import platform
from pathlib import Path
from typing import Literal, TypeAlias

import torch

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]

_CPUINFO = Path("/proc/cpuinfo")

_NUMBERS: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class DeviceMissing(ValueError):
    """The machine has no such device; the message lists those it has."""


def available() -> tuple[str, ...]:
    """Devices of this machine, the fastest kind first: "cuda:0" …, "mps", "cpu"."""
    cuda = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return (*cuda, *mps, "cpu")


def resolve(device: str) -> torch.device:
    """The device of a name; "auto" is the first of ``available``, "cuda" the first GPU.

    Raises:
        DeviceMissing: not on this machine.
    """
    there = available()
    if device == "auto":
        return torch.device(there[0])
    wanted = "cuda:0" if device == "cuda" else device
    if wanted not in there:
        raise DeviceMissing(f"This machine has no device {device!r}; it has {', '.join(there)}.")
    return torch.device(wanted)


def reproducible(device: torch.device) -> None:
    """Let the same input give the same numbers there, as precise as the CPU's; a CPU does so by itself.

    On CUDA it turns off TF32, which keeps 10 bits of what goes into a convolution, and cuDNN's choice of algorithms by
    the clock and of those that add up in any order. These switches are the whole process's: were they set for a
    capture alone, captures in other threads would find them on or off by chance. Whoever wants another choice makes it
    after loading.
    """
    if device.type == "cuda":
        # The older names, as torch refuses to read them once the newer ones have set a part.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


def number_type(precision: str) -> torch.dtype:
    """The torch type of a precision: "fp32", "bf16" (8 bits of mantissa) or "fp16" (11 bits, up to 65,504).

    Raises:
        ValueError: another name.
    """
    if precision not in _NUMBERS:
        raise ValueError(f"precision must be one of {', '.join(_NUMBERS)}, not {precision!r}.")
    return _NUMBERS[precision]


def precision_of(dtype: torch.dtype) -> Precision:
    """The precision of a torch type, the inverse of ``number_type``; "fp32" for any other type."""
    names: dict[torch.dtype, Precision] = {torch.bfloat16: "bf16", torch.float16: "fp16"}
    return names.get(dtype, "fp32")


def described(device: torch.device) -> str:
    """A device's name for people, for instance "NVIDIA H100 80GB HBM3", or "AMD EPYC, 2 threads"."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    processor = _processor()
    if device.type == "mps":
        return f"GPU of {processor}" if "Apple" in processor else "Apple GPU"
    threads = torch.get_num_threads()
    return f"{processor}, {threads} thread{'s' * (threads > 1)}"


def _processor() -> str:
    try:
        lines = (line.partition(":") for line in _CPUINFO.read_text().splitlines())
        return next(value.strip() for name, _, value in lines if name.strip() == "model name")
    except (OSError, StopIteration):
        # Not Linux, or an ARM processor, of which Linux does not tell the name.
        return platform.processor() or platform.machine() or "CPU"
