"""The code that runs in a child process: one function over bytes that may be hostile, within limits."""

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

from se_viz.sandbox import messages

# Parts of the messages of torch and C libraries where they raise a plain error because memory was not allocated.
_NO_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "bad_alloc", "cannot allocate memory")

_STARTING = 60.0  # seconds that a call may take beyond its time limit, to import what it needs and to send its answer
_LONGEST = 2_000  # characters of an error's description


def serve_one(file: messages.Raw) -> None:
    """Answer one call, under limits that cannot be raised again."""
    warnings.simplefilter("ignore")
    with contextlib.suppress(EOFError, OSError):  # the asking process has ended
        messages.send(file, _answer(messages.receive(file), file, once=True))


def serve(reader: messages.Raw, writer: messages.Raw) -> None:
    """Answer calls until the asking process ends; then exit at once, even during a call.

    Another thread notices that end. A call that holds the interpreter blocks this thread, so each call also has a
    deadline, which ends the process without the interpreter.
    """
    warnings.simplefilter("ignore")
    calls: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def listen() -> None:
        with contextlib.suppress(Exception):
            while True:
                calls.put(messages.receive(reader))
        os._exit(1)

    threading.Thread(target=listen, daemon=True).start()
    with Path(os.devnull).open("w") as silent:
        while True:
            call = calls.get()
            faulthandler.dump_traceback_later(_STARTING + call["wall"], exit=True, file=silent)
            messages.send(writer, _answer(call, writer, once=False))
            faulthandler.cancel_dump_traceback_later()
            del call
            gc.collect()


def _answer(call: dict[str, Any], writer: messages.Raw, *, once: bool) -> list[memoryview]:
    """Return the packed answer to a call: a value, an exception by name, or the limit that it reached.

    The child says first that its imports are done, as the time of the call begins there.
    """
    try:
        function = import_function(call["function"])
        messages.send(writer, [memoryview(messages.READY)])
        with _limited(call["memory"], call["cpu"], once=once):
            value = function(*call["arguments"])
            packed = messages.pack({"value": value})
        if sum(buffer.nbytes for buffer in packed) > call["output"]:
            return messages.pack({"ended": "output"})
    except messages.TooLarge:
        return messages.pack({"ended": "output"})
    except MemoryError:
        pass  # answered below, after the memory that the traceback holds is free
    except Exception as error:  # noqa: BLE001 - it is sent to the asking process
        if not any(sign in str(error).lower() for sign in _NO_MEMORY):
            return _raised(error)
    else:
        return packed
    return messages.pack({"ended": "memory"})


def import_function(name: str) -> Callable[..., Any]:
    """Return a module-level function by its name, "package.module:function"."""
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)  # type: ignore[no-any-return]


def _raised(error: Exception) -> list[memoryview]:
    plain = [value if isinstance(value, str | int | float) else str(value) for value in error.args]
    where = "".join(traceback.format_tb(error.__traceback__, limit=-3))
    return messages.pack({
        "raised": f"{type(error).__module__}:{type(error).__qualname__}",
        "arguments": [value[:_LONGEST] if isinstance(value, str) else value for value in plain],
        "said": f"{type(error).__name__}: {str(error)[:200]}",
        "where": where[-_LONGEST:],
    })  # fmt: skip


@contextlib.contextmanager
def _limited(memory: int, cpu: float, *, once: bool) -> Iterator[None]:
    """Limit the process inside the block, where the system has such limits."""
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
            continue  # macOS accepts a limit on memory, but does not enforce it
        before[number] = resource.getrlimit(number)
        # The hard limit, whose signal cannot be caught, comes one second later.
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
    """Return how many bytes of address space this process has mapped; 0 where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


def secure() -> None:
    """Turn off core files, and let other processes go first where memory or processors run out."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
    with contextlib.suppress(OSError, AttributeError):
        os.nice(5)


def main() -> None:
    """Serve calls over standard input and output until the input ends: on systems where children are not forked."""
    reader = open(os.dup(0), "rb", buffering=0)  # noqa: PTH123, SIM115 - for the life of the process
    writer = open(os.dup(1), "wb", buffering=0)  # noqa: PTH123, SIM115
    # Output that a library prints must not get between the messages.
    silent = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(silent, number)
    secure()
    with contextlib.suppress(OSError):  # the asking process has ended
        serve(reader, writer)
    os._exit(0)
