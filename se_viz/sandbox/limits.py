"""Limits of a call in a child process, and the error of a call that exceeded them."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

Reason: TypeAlias = Literal["memory", "time", "output", "died", "failed", "cancelled", "unavailable"]


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one call.

    Attributes:
        memory: bytes that the call may map beyond those that the child has mapped once it has its arguments. Enforced
            on Linux and other systems with RLIMIT_AS; on macOS and Windows only the other three limits apply.
        cpu: seconds of processor time, rounded up to whole seconds; not enforced on Windows.
        wall: seconds from the time at which the child is given its arguments; enforced everywhere.
        output: bytes of the result; enforced everywhere.
    """

    memory: int
    cpu: float
    wall: float
    output: int


class Ended(RuntimeError):
    """A call in a child process ended without a result.

    Attributes:
        reason: "memory", "time" and "output" are limits that were exceeded; "died": a signal ended the child, for
            instance after a crash in a library; "failed": an exception that the caller did not list; "cancelled": the
            caller ended it; "unavailable": this machine cannot start a child process.
        why: the rest of a sentence whose subject is the reading of a file, such as "took more than 30 s".
    """

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(f"A call in a child process {why}.")
        self.reason: Reason = reason
        self.why = why


def limit_error(reason: Reason, limits: Limits, seconds: float = 0.0) -> Ended:
    """Return the error for a limit that was reached, or for a call that was cancelled; ``seconds`` is a time limit."""
    if reason == "memory":
        return Ended(reason, f"took more than {_size(limits.memory)} of memory")
    if reason == "output":
        return Ended(reason, f"returned more than {_size(limits.output)}")
    if reason == "time":
        return Ended(reason, f"took more than {seconds:.3g} s")
    return Ended(reason, "was cancelled")


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"
