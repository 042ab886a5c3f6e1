"""Names of devices, and the precision of computation."""

import platform
from pathlib import Path
from typing import Literal, TypeAlias

import torch

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]

CPUINFO = Path("/proc/cpuinfo")

_NUMBERS: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class DeviceMissing(ValueError):
    """The machine does not have the requested device; the message lists the devices it has."""


def available() -> tuple[str, ...]:
    """Return the devices of this machine: those of its accelerator ("cuda:0", …), then "cpu".

    The accelerator is the one that this build of torch supports: "cuda" (NVIDIA, AMD), "mps" (Apple), "xpu" (Intel), or
    a kind that a package has added to torch.
    """
    accelerator = torch.accelerator.current_accelerator(check_available=True)
    if accelerator is None:
        return ("cpu",)
    return (*(f"{accelerator.type}:{index}" for index in range(torch.accelerator.device_count())), "cpu")


def resolve(device: str) -> torch.device:
    """Return the device of a name: "auto" is the first of ``available``, "gpu" the first that is not a CPU.

    The name of a kind alone, such as "cuda", is its first device. An accelerator's device always has its index, as in
    tensors: "mps" is "mps:0".

    Raises:
        DeviceMissing: this machine does not have that device.
    """
    devices = available()
    first = devices[0]
    names = {name: name for name in devices} | {"auto": first, first.partition(":")[0]: first}
    if first != "cpu":
        names["gpu"] = first
    if device not in names:
        raise DeviceMissing(f"This machine has no device {device!r}; it has {', '.join(devices)}.")
    return torch.device(names[device])


def set_deterministic(device: torch.device) -> None:
    """Make a device give the same numbers for the same input, as precise as the CPU's; a CPU does so already.

    On CUDA this turns off TF32, which keeps 10 bits of mantissa of a convolution's input, cuDNN autotuning, and
    algorithms that sum in no fixed order. These switches apply to the whole process: if they were set only during a
    capture, captures in other threads would find them on or off by chance. To choose other settings, set them after
    loading a network.
    """
    if device.type == "cuda":
        # The older names of the switches: torch refuses to read these once the newer ones have set one of them.
        torch.backends.cudnn.allow_tf32 = False
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


def to_dtype(precision: str) -> torch.dtype:
    """Return the torch type of a precision: "fp32", "bf16" (8 bits of mantissa) or "fp16" (11 bits, up to 65,504).

    Raises:
        ValueError: the name is not one of these.
    """
    if precision not in _NUMBERS:
        raise ValueError(f"precision must be one of {', '.join(_NUMBERS)}, not {precision!r}.")
    return _NUMBERS[precision]


def precision_of(dtype: torch.dtype) -> Precision:
    """Return the precision of a torch type, the inverse of ``to_dtype``; "fp32" for any other type."""
    names: dict[torch.dtype, Precision] = {torch.bfloat16: "bf16", torch.float16: "fp16"}
    return names.get(dtype, "fp32")


def device_name(device: torch.device) -> str:
    """Return a readable name of a device, for instance "NVIDIA H100 80GB HBM3", or "AMD EPYC, 2 threads"."""
    if device.type == "cpu":
        threads = torch.get_num_threads()
        return f"{_processor()}, {threads} thread{'s' * (threads > 1)}"
    if device.type == "mps":  # torch.mps does not tell its name
        processor = _processor()
        return f"GPU of {processor}" if "Apple" in processor else "Apple GPU"
    name = getattr(torch.get_device_module(device), "get_device_name", None)
    return str(name(device)) if name else device.type


def _processor() -> str:
    try:
        lines = (line.partition(":") for line in CPUINFO.read_text().splitlines())
        return next(value.strip() for name, _, value in lines if name.strip() == "model name")
    except (OSError, StopIteration):
        # Not Linux, or an ARM processor, whose name Linux does not tell.
        return platform.processor() or platform.machine() or "CPU"
