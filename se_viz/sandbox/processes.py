"""Child processes, seen from the asking process: forked by a server where that is safe, else started one by one."""

import io
import json
import os
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Protocol

from se_viz.sandbox import messages
from se_viz.sandbox.fork_server import STATUS
from se_viz.sandbox.limits import Ended

# Forking is safe where the fork server has one thread and the system's libraries keep no hidden state: not on macOS.
FORKS = sys.platform == "linux" and hasattr(os, "fork")

_PATIENCE = 5.0  # seconds to wait for a process's exit status, once it is known to have ended

# A child begins with no memory allocated. With pages of 2 MB it gets the memory for an image in tens of steps, not
# thousands (for a photograph of 12 megapixels this saves 5 of 65 ms).
_LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}

# The code of a new interpreter, which gets the import path of the asking process. The main script of that process,
# which may be a user's script without a guard, is not run again.
_BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from se_viz.sandbox import {0}; {0}.main({1})"


class Child(Protocol):
    """A process that answers calls.

    Attributes:
        reader, writer: the files that its answers come from and that calls go to.
        reusable: whether it may answer another call after one that succeeded.
    """

    reader: messages.Raw
    writer: messages.Raw
    reusable: bool

    def kill(self) -> None:
        """End the process at once, and with it any pending read of its answers."""

    def exit_code(self) -> int | None:
        """Return minus the number of the signal that ended it, or its exit status; None where neither is known."""

    def close(self) -> None:
        """End the process, and release its resources."""

    def forget(self) -> None:
        """Release its files without ending it: called in a fork of the process that owns it."""


class Forked(Child):
    """A child of the fork server, for one call, so that each file is read by a process that has read no other."""

    reusable = False

    def __init__(self, fork_server: "ForkServer") -> None:
        self._calls, calls = socket.socketpair()
        self._status, status = socket.socketpair()
        self._file = socket.SocketIO(self._calls, "rw")
        self.reader: messages.Raw = self._file
        self.writer: messages.Raw = self._file
        try:
            fork_server.tell(b"fork", (calls.fileno(), status.fileno()))
        except OSError:
            self.forget()
            raise
        finally:
            calls.close()
            status.close()

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):
            self._status.shutdown(socket.SHUT_WR)
        with suppress(OSError):
            self._calls.shutdown(socket.SHUT_RDWR)  # ends pending reads even if the fork server does not kill the child

    def exit_code(self) -> int | None:
        """Return the exit code that the fork server reports, see ``Child.exit_code``."""
        self._status.settimeout(_PATIENCE)
        with suppress(OSError):
            report = self._status.recv(STATUS.size)
            return STATUS.unpack(report)[0] if len(report) == STATUS.size else None
        return None

    def close(self) -> None:
        """End the process, and release its resources."""
        self.kill()
        self.forget()

    def forget(self) -> None:
        """Close the sockets of this process."""
        self._file.close()
        self._calls.close()
        self._status.close()


class Started(Child):
    """A separate interpreter, which takes seconds to start, and is used again after a call that succeeded."""

    reusable = True

    def __init__(self) -> None:
        self._process = _interpreter("child", "", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert isinstance(self._process.stdin, io.RawIOBase)  # noqa: S101 - as it is not buffered
        assert isinstance(self._process.stdout, io.RawIOBase)  # noqa: S101
        self.writer: messages.Raw = self._process.stdin
        self.reader: messages.Raw = self._process.stdout

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):
            self._process.kill()

    def exit_code(self) -> int | None:
        """Return the exit code of the interpreter, see ``Child.exit_code``."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(_PATIENCE)
        return None

    def close(self) -> None:
        """End the process, and release its resources."""
        self.kill()
        self.exit_code()
        for end in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if end is not None:
                    end.close()

    def forget(self) -> None:
        """Mark the process as reaped, so that this fork never waits for it."""
        self._process.returncode = 0


class ForkServer:
    """The process that forks children, see ``fork_server``.

    Attributes:
        modules: names of the modules that it has been told to import.
    """

    def __init__(self) -> None:
        self._control, control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self.modules: set[str] = set()
        try:
            self._process = _interpreter(
                "fork_server",
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
        """True while the process is running."""
        return self._process.poll() is None

    def tell(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Send a message with open files; raise OSError if the fork server has died."""
        with self._lock:
            socket.send_fds(self._control, [message], list(descriptors))

    def prepare(self, module: str) -> bool:
        """Tell it to import a module that later children need; return whether it was not told before."""
        if module in self.modules:
            return False
        self.tell(module.encode())
        self.modules.add(module)
        return True

    def close(self) -> None:
        """End the fork server, and its children with it."""
        self._control.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_PATIENCE)
            return
        self._process.kill()
        self._process.wait()

    def forget(self) -> None:
        """Release it without ending it: called in a fork of the process that started it."""
        self._control.close()
        self._process.returncode = 0


def _interpreter(module: str, argument: str, **options: object) -> "subprocess.Popen[bytes]":
    """Start Python on one of our modules; raise Ended where this machine does not allow it."""
    folders = [os.path.abspath(folder) for folder in sys.path]  # noqa: PTH100 - "" is the current folder
    command = [sys.executable or "python", "-c", _BOOT.format(module, argument), json.dumps(folders)]
    silent = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    try:
        return subprocess.Popen(command, bufsize=0, **{**silent, **options})  # type: ignore[call-overload, no-any-return]  # noqa: S603
    except OSError as error:
        raise Ended("unavailable", f"needs a child process, but none can be started ({error})") from error
