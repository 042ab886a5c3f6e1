"""Where to compute."""

import torch


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
