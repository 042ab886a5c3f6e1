"""What a call in a child process may take, and the error of one that took more."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Reason: TypeAlias = Literal["memory", "time", "output", "died", "failed", "cancelled", "unavailable"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one call.

    Attributes:
        memory: bytes that the call may map beyond what the child maps once it has its arguments. Linux and other
            systems with RLIMIT_AS hold it; macOS and Windows do not, and are left with the other three.
        cpu: seconds of processor time, rounded up to whole ones; not held on Windows.
        wall: seconds from the time at which the child is given its arguments; held everywhere.
        output: bytes of the result; held everywhere.
    """

    memory: int
    cpu: float
    wall: float
    output: int


class Ended(RuntimeError):
    """A call in a child process ended without a result.

    Attributes:
        reason: "memory", "time" and "output" are limits; "died": a signal ended the child, as of a crash in a library;
            "failed": an exception that the caller did not ask for; "cancelled": by the caller; "unavailable": this
            machine does not let a child process be started.
        why: the rest of a sentence whose subject is the reading of a file, as "took more than 30 s".
    """

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(f"A call in a child process {why}.")
        self.reason: Reason = reason
        self.why = why


def over(reason: Reason, limits: Limits, seconds: float = 0.0) -> Ended:
    """Return the error for a limit that was reached; of time, the one of so many seconds."""
    if reason == "memory":
        return Ended(reason, f"took more than {_size(limits.memory)} of memory")
    if reason == "output":
        return Ended(reason, f"gave more than {_size(limits.output)}")
    if reason == "time":
        return Ended(reason, f"took more than {seconds:.3g} s")
    return Ended(reason, "was cancelled")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
