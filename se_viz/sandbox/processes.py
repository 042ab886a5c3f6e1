"""Child processes as the asking process sees them: forked by a nursery where that is safe, else started one by one."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Protocol

from se_viz.sandbox import wire
from se_viz.sandbox.limits import Ended
from se_viz.sandbox.nursery import STATUS

# Forking is safe where the nursery has one thread and the system's libraries have no state of their own: not on macOS.
FORKS = sys.platform == "linux" and hasattr(os, "fork")

_PATIENCE = 5.0  # seconds for a process to say how it ended, once it is seen that it has

# A child begins without memory of its own: in pages of 2 MB it gets what an image takes in tens of steps, not thousands
# (for a photograph of 12 megapixels 5 ms less, of 65).
_LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

# A new interpreter, told where to import from: the main script of the asking process, which may be anybody's and may
# have no guard, is not run again.
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from se_viz.sandbox import {0}; {0}.main({1})"


class Child(Protocol):
    """A process that answers calls.

    Attributes:
        reader, writer: where its answers come from and calls go to.
        reusable: whether it may answer another call after one that ended well.
    """

    reader: wire.Raw
    writer: wire.Raw
    reusable: bool

    def kill(self) -> None:
        """End it at once, and with that any reading from it."""

    def exit_code(self) -> int | None:
        """Return how it ended: minus a signal's number, or its exit status; None where that cannot be known."""

    def close(self) -> None:
        """Give up what it takes."""

    def forget(self) -> None:
        """Leave it to the process that has it, in a fork of that one."""


class Forked(Child):
    """A child of the nursery, for one call: another file finds a process that has read none."""

    reusable = False

    def __init__(self, nursery: "Nursery") -> None:
        self._speech, speech = socket.socketpair()
        self._status, status = socket.socketpair()
        self._file = socket.SocketIO(self._speech, "rw")
        self.reader: wire.Raw = self._file
        self.writer: wire.Raw = self._file
        try:
            nursery.tell(b"fork", (speech.fileno(), status.fileno()))
        except OSError:
            self.forget()
            raise
        finally:
            speech.close()
            status.close()

    def kill(self) -> None:
        """End it at once."""
        with suppress(OSError):
            self._status.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            self._speech.shutdown(socket.SHUT_RDWR)  # Whether the nursery does its part or not.

    def exit_code(self) -> int | None:
        """Return how it ended."""
        self._status.settimeout(_PATIENCE)
        with suppress(OSError):
            told = self._status.recv(STATUS.size)
            return STATUS.unpack(told)[0] if len(told) == STATUS.size else None
        return None

    def close(self) -> None:
        """End it, and give up what it takes."""
        self.kill()
        self.forget()

    def forget(self) -> None:
        """Leave it to the process that has it."""
        self._file.close()
        self._speech.close()
        self._status.close()


class Started(Child):
    """An interpreter of its own, which takes seconds to start, and is used again after a call that ended well."""

    reusable = True

    def __init__(self) -> None:
        self._process = _interpreter("child", "", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert isinstance(self._process.stdin, io.RawIOBase)  # noqa: S101 - as it is not buffered
        assert isinstance(self._process.stdout, io.RawIOBase)  # noqa: S101
        self.writer: wire.Raw = self._process.stdin
        self.reader: wire.Raw = self._process.stdout

    def kill(self) -> None:
        """End it at once."""
        with suppress(OSError):
            self._process.kill()

    def exit_code(self) -> int | None:
        """Return how it ended."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_PATIENCE)
        return None

    def close(self) -> None:
        """End it, and give up what it takes."""
        self.kill()
        self.exit_code()
        for end in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if end is not None:
                    end.close()

    def forget(self) -> None:
        """Leave it to the process that has it."""
        self._process.returncode = 0


class Nursery:
    """The process that forks children, see ``nursery``.

    Attributes:
        modules: those that it has been told to import.
    """

    def __init__(self) -> None:
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self.modules: set[str] = set()
        try:
            self._process = _interpreter(
                "nursery",
                str(control.fileno()),
                pass_fds=(control.fileno(),),
                start_new_session=True,
                env=_LARGE_PAGES | os.environ,
            )
        except Ended:
            self._control.close()
            raise
        finally:
            control.close()

    @property
    def alive(self) -> bool:
        """Whether it can be told something."""
        return self._process.poll() is None

    def tell(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message, with open files; raises OSError if it has died."""
        with self._lock:
            socket.send_fds(self._control, [message], list(descriptors))

    def prepare(self, module: str) -> bool:
        """Let it import a module that its later children need; return whether that is new to it."""
        if module in self.modules:
            return False
        self.tell(module.encode())
        self.modules.add(module)
        return True

    def close(self) -> None:
        """End it, and its children with it."""
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
            return
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Leave it to the process that started it, in a fork of that one."""
        self._control.close()
        self._process.returncode = 0


def _interpreter(module: str, argument: str, **given: object) -> "subprocess.Popen[bytes]":
    """Start Python on one of our modules; raise Ended where this machine does not allow it."""
    places = [os.path.abspath(place) for place in sys.path]  # noqa: PTH100 - "" is the current folder
    command = [sys.executable or "python", "-c", _BOOT.format(module, argument), json.dumps(places)]
    usual = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.Popen(command, bufsize=0, **{**usual, **given})  # type: ignore[call-overload, no-any-return]  # noqa: S603
    except OSError as error:
        raise Ended("unavailable", f"needs a child process, and none can be started ({error})") from error
