"""The process from which children are forked: it imports what they need once, and reads nothing that is hostile.

It has one thread, so that forking it is safe, which forking the server is not. Over its control socket it is told to
import a module, or to fork: then it gets two sockets, one for the child to speak through, and one on which it says how
the child ended. When the other end of that is closed, it kills the child; when the control socket is, it ends, and the
children with it.
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
_OFTEN = 2.0  # seconds between two looks for whether the server is there


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
        for key, _ in selector.select(_OFTEN):
            if key.fileobj is control:
                message, sockets, _flags, _address = socket.recv_fds(control, 4096, 2)
                if not message:
                    return
                if not sockets:
                    with suppress(Exception):  # The child will say what is wrong with it.
                        import_module(message.decode())
                    gc.collect()
                    gc.freeze()
                    continue
                speech, status = sockets
                child = os.fork()
                if not child:
                    _be(speech, prctl, os.getppid())
                os.close(speech)
                children[child] = socket.socket(fileno=status)
                selector.register(children[child], selectors.EVENT_READ, child)
            elif key.fileobj is woken:
                with suppress(BlockingIOError):
                    woken.recv(4096)
                _bury(children, selector)
            elif children.get(key.data) is key.fileobj:
                selector.unregister(key.fileobj)
                os.kill(key.data, signal.SIGKILL)  # It is not reaped yet, so this number is still its own.


def _bury(children: dict[int, socket.socket], selector: selectors.BaseSelector) -> None:
    """Reap the children that have ended, and say how."""
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not child:
            return
        told = children.pop(child)
        with suppress(KeyError):
            selector.unregister(told)
        with suppress(OSError):
            told.send(STATUS.pack(os.waitstatus_to_exitcode(status)), socket.MSG_DONTWAIT)
        told.close()


def _be(speech: int, prctl: "ctypes._FuncPointer", parent: int) -> None:
    """Be a child, from its fork to its end."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        prctl(_DEATH_SIGNAL, signal.SIGKILL)
        prctl(_DUMPABLE, 0)
        prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        os.dup2(speech, 3)
        os.closerange(4, os.sysconf("SC_OPEN_MAX"))
        secure()
        file = open(3, "r+b", buffering=0, closefd=False)  # noqa: SIM115
        serve_one(file)
        code = 0
    finally:
        os._exit(code)
