"""The process from which children are forked: it imports what they need once, and reads no untrusted data.

It has one thread, so forking it is safe; forking the server is not. Messages on its control socket tell it to import a
module or to fork. With the request to fork come two sockets: the child answers calls on the first, and the fork server
reports on the second how the child ended. When the other end of the second is closed, the fork server kills the
child. When the control socket is closed, the fork server ends, and its children with it.
"""

import ctypes
import gc
import os
import selectors
import signal
import socket
import struct
from contextlib import suppress
from importlib import import_module

from se_viz.sandbox.child import secure, serve_one

STATUS = struct.Struct("<i")

_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_DUMPABLE = 4  # PR_SET_DUMPABLE
_NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS
_POLL = 2.0  # seconds between two checks that the server is still running


def main(number: int) -> None:
    """Serve a control socket, given by its file descriptor, until it is closed or the server has died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    control = socket.socket(fileno=number)
    woken, waker = socket.socketpair()
    for end in (woken, waker):
        end.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker.fileno())
    prctl = ctypes.CDLL(None).prctl
    children: dict[int, socket.socket] = {}
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    selector.register(woken, selectors.EVENT_READ)
    while os.getppid() == parent:
        for key, _ in selector.select(_POLL):
            if key.fileobj is control:
                message, sockets, _flags, _address = socket.recv_fds(control, 4096, 2)
                if not message:
                    return
                if not sockets:
                    with suppress(Exception):  # the child will report the error
                        import_module(message.decode())
                    gc.collect()
                    gc.freeze()
                    continue
                calls, status = sockets
                child = os.fork()
                if not child:
                    _run_child(calls, prctl, os.getppid())
                os.close(calls)
                children[child] = socket.socket(fileno=status)
                selector.register(children[child], selectors.EVENT_READ, child)
            elif key.fileobj is woken:
                with suppress(BlockingIOError):
                    woken.recv(4096)
                _reap(children, selector)
            elif children.get(key.data) is key.fileobj:
                selector.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)  # not reaped yet, so no other process has this number


def _reap(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Reap the children that have ended, and report how each ended."""
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not child:
            return
        report = children.pop(child)
        with suppress(KeyError):
            selector.unregister(report)
        with suppress(OSError):
            report.send(STATUS.pack(os.waitstatus_to_exitcode(status)), socket.MSG_DONTWAIT)
        report.close()


def _run_child(calls: int, prctl: "ctypes._FuncPointer", parent: int) -> None:
    """Run a child from its fork to its end, with its calls on the socket ``calls``; never return."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        prctl(_DEATH_SIGNAL, signal.SIGKILL)
        prctl(_DUMPABLE, 0)
        prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(calls, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        secure()
        file = open(3, "r+b", buffering=0, closefd=False)  # noqa: SIM115
        serve_one(file)
        code = 0
    finally:
        os._exit(code)
