"""Where to compute, and in what numbers."""

from typing import Literal, TypeAlias

import torch

Precision: TypeAlias = Literal["fp32", "bf16", "fp16"]

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


def number_type(precision: str) -> torch.dtype:
    """The torch type of a precision: "fp32", "bf16" (8 bits of mantissa) or "fp16" (11 bits, up to 65,504).

    Raises:
        ValueError: another name.
    """
    if precision not in _NUMBERS:
        raise ValueError(f"precision must be one of {', '.join(_NUMBERS)}, not {precision!r}.")
    return _NUMBERS[precision]
