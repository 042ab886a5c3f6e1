"""A pool of child processes, each of which runs one of our functions over bytes that may be hostile.

A library that reads an untrusted file may crash, or take any time and memory in one call that holds the interpreter.
Here it does so in another process, which has limits, ends with the asking process, and can send back only JSON and raw
bytes. A child bounds what reading costs and how far a crash reaches, and it holds no other visitor's file. It runs as
the same user, so it does not confine code that has taken it over.

On Linux a child is forked, in milliseconds, from a process that has imported what it needs, and reads one file only.
On other systems forking is unsafe or missing: each child is a separate interpreter, which takes seconds to start. It is
used again, for any caller, after a call that succeeded; a child that reached a limit or crashed is never used again.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from se_viz.sandbox import messages
from se_viz.sandbox.limits import Ended, Limits, limit_error
from se_viz.sandbox.processes import FORKS, Child, Forked, ForkServer, Started
from se_viz.types import ShouldCancel

# The number of children that run at a time; further calls wait for their turn.
CHILDREN = int(os.environ.get("SE_VIZ_CHILDREN", "0")) or max(2, min(4, os.cpu_count() or 1))

_STARTING = 120  # seconds for a child to import what it needs
_PATIENCE = 5.0  # seconds for a thread to notice that its child is dead
_POLL = 0.05  # seconds between two checks for cancellation

# SIGXCPU, the signal for processor time that is used up.
_CPU_TIME = 24


def run(
    function: Callable[..., Any],
    *arguments: messages.Value,
    limits: Limits,
    cancelled: ShouldCancel | threading.Event | None = None,
    passes: Sequence[type[Exception]] = (),
) -> messages.Value:
    """Call a function in a child process, and return its result.

    Args:
        function: a function that the child can import by its module and name.
        arguments: None, numbers, strings, byte strings, arrays, and lists and dicts (with strings as keys) of those.
            In the function and in the result, byte strings arrive as ``bytearray`` and tuples as lists.
        limits: limits of the call.
        cancelled: a function that is called 20 times a second in the calling thread, or an event; the child is ended
            at once when the function returns True or the event is set.
        passes: exception classes. If the function raises an exception of exactly one of these classes, it is raised
            here with the same arguments (strings and numbers).

    Raises:
        Ended: a limit was reached, the child died, the call was cancelled, or the function raised another exception.
        TypeError: the child could not import the function, or an argument has another type.
    """
    if function.__module__ == "__main__" or "<" in function.__qualname__:
        raise TypeError(f"{function.__qualname__} has no module from which a child process could import it.")
    stop = _should_stop(cancelled)
    call = messages.pack({
        "function": f"{function.__module__}:{function.__qualname__}",
        "arguments": list(arguments),
        "memory": int(limits.memory),
        "cpu": float(limits.cpu),
        "wall": float(limits.wall),
        "output": int(limits.output),
    })  # fmt: skip
    with _turn(stop, limits):
        answer = _ask(call, function.__module__, limits, stop)
    if "ended" in answer:
        raise limit_error("memory" if answer["ended"] == "memory" else "output", limits)
    if "value" not in answer:
        raise _raised(answer, passes)
    return answer["value"]


def warm(*modules: str) -> None:
    """Start the process from which children are forked, and import modules in it; do nothing where none is forked."""
    if FORKS:
        with suppress(Ended, OSError):
            _pool.prepare(modules)


def close() -> None:
    """End all child processes; the next call starts new ones."""
    _pool.close()


def _ask(call: list[memoryview], module: str, limits: Limits, stop: ShouldCancel) -> dict[str, Any]:
    """Return a child's answer; ask a second child if the process that forks them died meanwhile."""
    for retry in (True, False):
        child = _pool.take(module)
        answered = False
        try:
            answer = _exchange(child, call, limits, stop)
            answered = True
        except _ChildDied as died:
            if died.code is None and retry:
                continue
            if died.code == -_CPU_TIME:
                raise limit_error("time", limits, limits.cpu) from died
            how = f"by signal {-died.code}" if died.code and died.code < 0 else f"with status {died.code}"
            raise Ended("died", f"crashed the process that read it ({how})") from died
        else:
            return answer
        finally:
            _pool.give_back(child, answered=answered)
    raise AssertionError  # the second iteration returns or raises


class _ChildDied(Exception):
    """A child ended before it answered; ``code`` tells how, see ``Child.exit_code``."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


def _exchange(child: Child, call: list[memoryview], limits: Limits, stop: ShouldCancel) -> dict[str, Any]:
    """Return a child's answer to a call; another thread reads it, so that this thread can end the child."""
    answers: list[Any] = []
    begun: list[float] = []
    finished = threading.Event()

    def talk() -> None:
        try:
            messages.send(child.writer, call)
            messages.read_exactly(child.reader, len(messages.READY))
            begun.append(time.monotonic())
            answers.append(messages.receive(child.reader, limits.output + messages.LONGEST))
        except BaseException as error:  # noqa: BLE001 - the waiting thread raises it
            answers.append(error)
        finally:
            finished.set()

    asked = time.monotonic()
    threading.Thread(target=talk, name="se_viz.sandbox", daemon=True).start()
    try:
        while not finished.wait(_POLL):
            _check(stop, limits, asked, begun[0] if begun else None)
    except BaseException:
        child.kill()
        finished.wait(_PATIENCE)  # the thread must not read from the child when it is closed next
        raise
    (answer,) = answers
    if isinstance(answer, messages.TooLarge):
        raise limit_error("output", limits) from answer
    if isinstance(answer, EOFError | OSError):
        raise _ChildDied(child.exit_code()) from answer
    if isinstance(answer, MemoryError):
        raise limit_error("output", limits) from answer
    if isinstance(answer, BaseException) or not isinstance(answer, dict):
        raise Ended("died", "made the process that read it send an invalid answer")
    return answer


def _check(stop: ShouldCancel, limits: Limits, sent_at: float, started_at: float | None) -> None:
    """Raise Ended if a call that was sent at ``sent_at`` and started at ``started_at`` (None: not yet) must end now."""
    now = time.monotonic()
    # A process that exits waits for its threads.
    if stop() or not threading.main_thread().is_alive():
        raise limit_error("cancelled", limits)
    if started_at is None and now > sent_at + _STARTING:
        raise Ended("unavailable", f"needs a child process, but none was ready within {_STARTING} s")
    if started_at is not None and now > started_at + limits.wall:
        raise limit_error("time", limits, limits.wall)


def _raised(answer: dict[str, Any], passes: Sequence[type[Exception]]) -> Exception:
    """Return the exception that the function raised if its class is one of ``passes``, else Ended."""
    for kind in passes:
        if answer.get("raised") == f"{kind.__module__}:{kind.__qualname__}":
            with suppress(TypeError, KeyError):
                return kind(*answer["arguments"])
    error = Ended("failed", f"failed ({answer.get('said')})")
    error.add_note(f"In the child process:\n{answer.get('where')}")
    return error


def _should_stop(cancelled: ShouldCancel | threading.Event | None) -> ShouldCancel:
    if cancelled is None:
        return lambda: False
    return cancelled.is_set if isinstance(cancelled, threading.Event) else cancelled


@contextmanager
def _turn(stop: ShouldCancel, limits: Limits) -> Iterator[None]:
    """Wait for one of the pool's turns, and hold it inside the block."""
    turns = _pool.turns
    while not turns.acquire(timeout=_POLL):
        if stop():
            raise limit_error("cancelled", limits)
    try:
        yield
    finally:
        turns.release()


class _Pool:
    """The idle children of this process, and the fork server that forks others."""

    def __init__(self) -> None:
        self.turns = threading.Semaphore(CHILDREN)
        self._lock = threading.Lock()
        self._fork_server: ForkServer | None = None
        self._idle: list[Child] = []

    def prepare(self, modules: Sequence[str]) -> ForkServer:
        """Tell the fork server to import modules, and return it."""
        with self._lock:
            return self._prepare(modules)

    def _prepare(self, modules: Sequence[str]) -> ForkServer:
        if self._fork_server is None or not self._fork_server.alive:
            known = sorted(self._fork_server.modules) if self._fork_server else []
            self._empty()
            self._fork_server = ForkServer()
            modules = [*known, *modules]
        new = [module for module in modules if self._fork_server.prepare(module)]
        if new:
            self._drop()  # the idle children were forked before the new imports
        return self._fork_server

    def take(self, module: str) -> Child:
        """Return a child that has imported a module, or will do so before its limits apply."""
        with self._lock:
            if not FORKS:
                return self._idle.pop() if self._idle else Started()
            for retry in (True, False):
                try:
                    fork_server = self._prepare((module,))
                    self._idle.append(Forked(fork_server))  # for the next call; it starts while this call is answered
                    if len(self._idle) == 1:
                        self._idle.append(Forked(fork_server))
                    return self._idle.pop(0)
                except OSError as error:
                    self._empty()
                    if not retry:
                        raise Ended("unavailable", f"needs a child process, but none starts ({error})") from error
            raise AssertionError

    def give_back(self, child: Child, *, answered: bool) -> None:
        """Keep a reusable child that has answered its call; end any other child."""
        if answered and child.reusable:
            with self._lock:
                self._idle.append(child)
        else:
            child.close()

    def close(self) -> None:
        """End the idle children and the fork server."""
        with self._lock:
            self._empty()

    def _empty(self) -> None:
        self._drop()
        if self._fork_server is not None:
            self._fork_server.close()
            self._fork_server = None

    def _drop(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def forget(self) -> None:
        """Leave the children and the fork server to the process that this one was forked from."""
        for child in self._idle:
            child.forget()
        if self._fork_server is not None:
            self._fork_server.forget()
        self.__init__()  # type: ignore[misc]


_pool = _Pool()
atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _pool.forget())  # noqa: PLW0108 - the pool at the time of the fork
