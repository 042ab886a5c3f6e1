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
    """Devices of this machine: "cuda:0" …, or those of the accelerator that it has in place of CUDA; "cpu" is the last.

    The accelerator is the one that this build of torch is for: "cuda" (NVIDIA, AMD), "mps" (Apple), "xpu" (Intel), or
    a kind that a package has added to torch.
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return ("cpu",)
    return (*(f"{accelerator.type}:{index}" for index in range(torch.accelerator.device_count())), "cpu")


def resolve(device: str) -> torch.device:
    """Return the device of a name: "auto" is the first of ``available``, "gpu" the first that is no CPU.

    The name of a kind alone, such as "cuda", is its first device. A device of an accelerator always has its index, as
    it has in tensors: "mps" is "mps:0".

    Raises:
        DeviceMissing: not on this machine.
    """
    there = available()
    first = there[0]
    names = {name: name for name in there} | {"auto": first, first.partition(":")[0]: first}
    if first != "cpu":
        names["gpu"] = first
    if device not in names:
        raise DeviceMissing(f"This machine has no device {device!r}; it has {', '.join(there)}.")
    return torch.device(names[device])


def set_deterministic(device: torch.device) -> None:
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


def to_dtype(precision: str) -> torch.dtype:
    """The torch type of a precision: "fp32", "bf16" (8 bits of mantissa) or "fp16" (11 bits, up to 65,504).

    Raises:
        ValueError: another name.
    """
    if precision not in _NUMBERS:
        raise ValueError(f"precision must be one of {', '.join(_NUMBERS)}, not {precision!r}.")
    return _NUMBERS[precision]


def precision_of(dtype: torch.dtype) -> Precision:
    """The precision of a torch type, the inverse of ``to_dtype``; "fp32" for any other type."""
    names: dict[torch.dtype, Precision] = {torch.bfloat16: "bf16", torch.float16: "fp16"}
    return names.get(dtype, "fp32")


def device_name(device: torch.device) -> str:
    """A device's name for people, for instance "NVIDIA H100 80GB HBM3", or "AMD EPYC, 2 threads"."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"{_processor()}, {threads} thread{'s' * (threads > 1)}"
    if device.type == "mps":  # torch.mps has no name of it
        processor = _processor()
        return f"GPU of {processor}" if "Apple" in processor else "Apple GPU"
    name = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(name(device)) if name else device.type


def _processor() -> str:
    try:
        lines = (line.partition(":") for line in _CPUINFO.read_text().splitlines())
        return next(value.strip() for name, _, value in lines if name.strip() == "model name")
    except (OSError, StopIteration):
        # Not Linux, or an ARM processor, of which Linux does not tell the name.
        return platform.processor() or platform.machine() or "CPU"
