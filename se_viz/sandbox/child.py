"""What runs in a child process: one function over bytes that may be hostile, within limits."""

import contextlib
import faulthandler
import gc
import math
import os
import queue
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from se_viz.sandbox import wire

# What torch and C libraries say where they raise a plain error for memory that they did not get.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "cannot allocate memory")

_STARTING = 60.0  # seconds that a call may have beside its time, to import what it needs and to send its answer
_LONGEST = 2_000  # characters of an error's description


def serve_one(file: wire.Raw) -> None:
    """Answer one call, under limits that cannot be raised again."""
    warnings.simplefilter("ignore")
    with contextlib.suppress(EOFError, OSError):  # The one who asked has gone.
        wire.send(file, _answer(wire.receive(file), file, once=True))


def serve(reader: wire.Raw, writer: wire.Raw) -> None:
    """Answer calls until the other side ends, and then at once, whatever a call does.

    Another thread sees that end, unless a call holds the interpreter: that has a last moment, which needs no
    interpreter to be kept.
    """
    warnings.simplefilter("ignore")
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(Exception):
            while True:
                calls.put(wire.receive(reader))
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    with Path(os.devnull).open("w") as silent:
        while True:
            call = calls.get()
            faulthandler.dump_traceback_later(_STARTING + call["wall"], exit=True, file=silent)
            wire.send(writer, _answer(call, writer, once=False))
            faulthandler.cancel_dump_traceback_later()
            del call
            gc.collect()


def _answer(call: dict[str, Any], writer: wire.Raw, *, once: bool) -> list[memoryview]:
    """Return the packed answer to a call: a value, an exception by name, or the limit that it reached.

    What is imported and ready is said before, as the time of the call begins there.
    """
    try:
        function = found(call["function"])
        wire.send(writer, [memoryview(wire.READY)])
        with _limited(call["memory"], call["cpu"], once=once):
            value = function(*call["arguments"])
            packed = wire.pack({"value": value})
        if sum(buffer.nbytes for buffer in packed) > call["output"]:
            return wire.pack({"ended": "output"})
    except wire.TooLarge:
        return wire.pack({"ended": "output"})
    except MemoryError:
        pass  # Answered below, when what is held by the traceback is free.
    except Exception as error:  # noqa: BLE001 - it goes to the one who asked
        if not any(sign in str(error).lower() for sign in _NO_MEMORY):
            return _raised(error)
    else:
        return packed
    return wire.pack({"ended": "memory"})


def found(name: str) -> Callable[..., Any]:
    """Return a module-level function by its name, "package.module:function"."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _raised(error: Exception) -> list[memoryview]:
    plain = [value if isinstance(value, str | int | float) else str(value) for value in error.args]
    where = "".join(traceback.format_tb(error.__traceback__, limit=-3))
    return wire.pack({
        "raised": f"{type(error).__module__}:{type(error).__qualname__}",
        "arguments": [value[:_LONGEST] if isinstance(value, str) else value for value in plain],
        "said": f"{type(error).__name__}: {str(error)[:200]}",
        "where": where[-_LONGEST:],
    })  # fmt: skip


@contextlib.contextmanager
def _limited(memory: int, cpu: float, *, once: bool) -> Iterator[None]:
    """Hold the process to limits inside the block, where the system has such limits."""
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(used.ru_utime + used.ru_stime + cpu)
    limits = {"RLIMIT_CPU": seconds, "RLIMIT_AS": _mapped() + memory, "RLIMIT_FSIZE": 0}
    before: dict[int, tuple[int, int]] = {}
    for name, limit in limits.items():
        number = getattr(resource, name, None)
        if number is None or (name == "RLIMIT_AS" and not _mapped()):
            continue  # macOS takes a limit on memory, and does not hold it.
        before[number] = resource.getrlimit(number)
        # A second more until the limit that cannot be caught.
        hard = limit + (name == "RLIMIT_CPU") if once else before[number][1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(number, (limit, hard))
    try:
        yield
    finally:
        if not once:
            for number, limits_before in before.items():
                with contextlib.suppress(ValueError, OSError):
                    resource.setrlimit(number, limits_before)


def _mapped() -> int:
    """Return how many bytes of addresses this process has mapped; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


def secure() -> None:
    """Give up core files, and go behind other processes where memory or processors run out."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)


def main() -> None:
    """Serve calls over standard input and output until the former ends: on systems where nothing is forked."""
    reader = open(os.dup(0), "rb", buffering=0)  # noqa: PTH123, SIM115 - for the life of the process
    writer = open(os.dup(1), "wb", buffering=0)  # noqa: PTH123, SIM115
    # What a library prints must not get between the messages.
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(silent, number)
    secure()
    with contextlib.suppress(OSError):  # The one who asked has gone.
        serve(reader, writer)
    os._exit(0)
