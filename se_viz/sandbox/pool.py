"""Running a function of ours over bytes that may be hostile in a child process, so that nothing but it can suffer.

A library that reads a file of an unknown maker may crash, or take any time and memory in one call that holds the
interpreter. Here it does so in another process, which has limits, is ended with the one who asked, and can send back
nothing but JSON and raw bytes. A child is a bound on what reading takes and on what a crash reaches, and it holds no
other visitor's file; it runs as the same user, and is no jail for code that has taken it over.

On Linux a child is forked, in milliseconds, from a process that has imported what it needs, and reads one file only.
Elsewhere forking is not safe, or not there: children are interpreters of their own, which take seconds to start, and
are used again after a call that ended well, by whoever asks next; one that reached a limit or crashed never is.
"""

import atexit
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeAlias

from se_viz.sandbox import wire
from se_viz.sandbox.limits import Ended, Limits, over
from se_viz.sandbox.processes import FORKS, Child, Forked, Nursery, Started

ShouldCancel: TypeAlias = Callable[[], bool]

# Children at a time; further calls wait for their turn.
CHILDREN = int(os.environ.get("SE_VIZ_CHILDREN", "0")) or max(2, min(4, os.cpu_count() or 1))

_STARTING = 120  # seconds for a child to import what it needs
_PATIENCE = 5.0  # seconds for a thread to see that its child is dead
_OFTEN = 0.05  # seconds between two looks for whether the caller has gone

# The kernel's signal for processor time that is used up.
_CPU_TIME = 24


def run(
    function: Callable[..., Any],
    *arguments: wire.Value,
    limits: Limits,
    cancelled: ShouldCancel | threading.Event | None = None,
    passes: Sequence[type[Exception]] = (),
) -> wire.Value:
    """Return what a function returns for arguments, called in a child process.

    Args:
        function: a function of a module that can be imported, by its name.
        arguments: None, numbers, texts, byte strings, arrays, and lists and dicts (with texts as keys) of those. Byte
            strings arrive as ``bytearray``, tuples as lists; so do those of the result.
        limits: what the call may take.
        cancelled: asked 20 times a second in the calling thread; True, or an event that is set, ends the child at once.
        passes: exceptions that are raised here if the function raises one of just these, made of the same arguments
            (texts and numbers).

    Raises:
        Ended: a limit was reached, the child died, ``cancelled`` said so, or the function raised something else.
    """
    if function.__module__ == "__main__" or "<" in function.__qualname__:
        raise TypeError(f"{function.__qualname__} has no module from which a child process could import it.")
    stop = _asker(cancelled)
    call = wire.pack({
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
        raise over("memory" if answer["ended"] == "memory" else "output", limits)
    if "value" not in answer:
        raise _passed(answer, passes)
    return answer["value"]


def warm(*modules: str) -> None:
    """Start the process from which children are forked, and let it import modules; do nothing where none is forked."""
    if FORKS:
        with suppress(Ended, OSError):
            _pool.prepare(modules)


def close() -> None:
    """End all child processes; the next call starts others."""
    _pool.close()


def _ask(call: list[memoryview], module: str, limits: Limits, stop: ShouldCancel) -> dict[str, Any]:
    """Return a child's answer; another child is asked if the process that forks them died meanwhile, once."""
    for again in (True, False):
        child = _pool.take(module)
        well = False
        try:
            answer = _exchange(child, call, limits, stop)
            well = True
        except _Gone as gone:
            if gone.code is None and again:
                continue
            if gone.code == -_CPU_TIME:
                raise over("time", limits, limits.cpu) from gone
            how = f"by signal {-gone.code}" if gone.code and gone.code < 0 else f"with status {gone.code}"
            raise Ended("died", f"crashed the process that read it ({how})") from gone
        else:
            return answer
        finally:
            _pool.give_back(child, well=well)
    raise AssertionError  # The second turn returns or raises.


class _Gone(Exception):
    """A child ended before it answered; ``code`` says how, see ``Child.exit_code``."""

    def __init__(self, code: int | None) -> None:
        super().__init__(code)
        self.code = code


def _exchange(child: Child, call: list[memoryview], limits: Limits, stop: ShouldCancel) -> dict[str, Any]:
    """Return the answer of a child to a call, which is read in another thread, so that this one can end it."""
    answers: list[Any] = []
    begun: list[float] = []
    finished = threading.Event()

    def talk() -> None:
        try:
            wire.send(child.writer, call)
            wire.exactly(child.reader, len(wire.READY))
            begun.append(time.monotonic())
            answers.append(wire.receive(child.reader, limits.output + wire.LONGEST))
        except BaseException as error:  # noqa: BLE001 - it is raised by the thread that waits
            answers.append(error)
        finally:
            finished.set()

    asked = time.monotonic()
    threading.Thread(target=talk, name="se_viz.sandbox", daemon=True).start()
    try:
        while not finished.wait(_OFTEN):
            _check(stop, limits, asked, begun[0] if begun else None)
    except BaseException:
        child.kill()
        finished.wait(_PATIENCE)  # It is not to read from what is closed next.
        raise
    (answer,) = answers
    if isinstance(answer, wire.TooLarge):
        raise over("output", limits) from answer
    if isinstance(answer, EOFError | OSError):
        raise _Gone(child.exit_code()) from answer
    if isinstance(answer, MemoryError):
        raise over("output", limits) from answer
    if isinstance(answer, BaseException) or not isinstance(answer, dict):
        raise Ended("died", "made the process that read it answer nonsense")
    return answer


def _check(stop: ShouldCancel, limits: Limits, asked: float, begun: float | None) -> None:
    """Raise Ended where a call that was asked and begun at these times is to end."""
    now = time.monotonic()
    # A process that ends waits for its threads.
    if stop() or not threading.main_thread().is_alive():
        raise over("cancelled", limits)
    if begun is None and now > asked + _STARTING:
        raise Ended("unavailable", f"needs a child process, and none was ready within {_STARTING} s")
    if begun is not None and now > begun + limits.wall:
        raise over("time", limits, limits.wall)


def _passed(answer: dict[str, Any], passes: Sequence[type[Exception]]) -> Exception:
    """Return what the function raised: one of the classes that the caller names, or Ended."""
    for kind in passes:
        if answer.get("raised") == f"{kind.__module__}:{kind.__qualname__}":
            with suppress(TypeError, KeyError):
                return kind(*answer["arguments"])
    error = Ended("failed", f"failed ({answer.get('said')})")
    error.add_note(f"In the child process:\n{answer.get('where')}")
    return error


def _asker(cancelled: ShouldCancel | threading.Event | None) -> ShouldCancel:
    if cancelled is None:
        return lambda: False
    return cancelled.is_set if isinstance(cancelled, threading.Event) else cancelled


@contextmanager
def _turn(stop: ShouldCancel, limits: Limits) -> Iterator[None]:
    """Inside the block one of the turns is the caller's."""
    turns = _pool.turns
    while not turns.acquire(timeout=_OFTEN):
        if stop():
            raise over("cancelled", limits)
    try:
        yield
    finally:
        turns.release()


class _Pool:
    """The children of this process: some that wait, and what makes others."""

    def __init__(self) -> None:
        self.turns = threading.Semaphore(CHILDREN)
        self._lock = threading.Lock()
        self._nursery: Nursery | None = None
        self._idle: list[Child] = []

    def prepare(self, modules: Sequence[str]) -> Nursery:
        """Return the nursery, which has been told to import modules."""
        with self._lock:
            return self._prepare(modules)

    def _prepare(self, modules: Sequence[str]) -> Nursery:
        if self._nursery is None or not self._nursery.alive:
            known = sorted(self._nursery.modules) if self._nursery else []
            self._empty()
            self._nursery = Nursery()
            modules = [*known, *modules]
        new = [module for module in modules if self._nursery.prepare(module)]
        if new:
            self._drop()  # They were forked before they could have it.
        return self._nursery

    def take(self, module: str) -> Child:
        """Return a child that has imported a module, or will do so before it is held to limits."""
        with self._lock:
            if not FORKS:
                return self._idle.pop() if self._idle else Started()
            for again in (True, False):
                try:
                    nursery = self._prepare((module,))
                    self._idle.append(Forked(nursery))  # for the next call, while this one is answered
                    if len(self._idle) == 1:
                        self._idle.append(Forked(nursery))
                    return self._idle.pop(0)
                except OSError as error:
                    self._empty()
                    if not again:
                        raise Ended("unavailable", f"needs a child process, and none starts ({error})") from error
            raise AssertionError

    def give_back(self, child: Child, *, well: bool) -> None:
        """Keep a child that may answer again; end any other."""
        if well and child.reusable:
            with self._lock:
                self._idle.append(child)
        else:
            child.close()

    def close(self) -> None:
        """End all that wait, and the nursery."""
        with self._lock:
            self._empty()

    def _empty(self) -> None:
        self._drop()
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    def _drop(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def forget(self) -> None:
        """Leave all to the process that this one was forked from."""
        for child in self._idle:
            child.forget()
        if self._nursery is not None:
            self._nursery.forget()
        self.__init__()  # type: ignore[misc]


_pool = _Pool()
atexit.register(close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: _pool.forget())  # noqa: PLW0108 - the pool of that time
