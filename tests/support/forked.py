"""Python programs in child processes that need not import torch first.

A process imports the libraries that the page needs once, and each program is a fork of it: what it imports of the
project, its arguments, its variables and its signals are those of ``python -m``. This saves about 4 s of processor
time a program. It needs a system with fork; ``start`` starts an ordinary child process elsewhere.
"""

import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import time
from functools import cache
from threading import Event
from types import ModuleType

# Nothing of the project, as its modules may read variables when they are imported.
_LIBRARIES = ["torch", "torchvision", "pandas", "scipy.stats", "streamlit.web.bootstrap"]


class Forked:
    """What the tests use of ``subprocess.Popen``, of a process that another one forked."""

    def __init__(self, process):
        self._process = process
        self.pid = process.pid

    @property
    def returncode(self):
        return self._process.exitcode

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("a forked program", timeout)
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self):
        self.send_signal(signal.SIGTERM)

    def kill(self):
        self.send_signal(signal.SIGKILL)


@cache
def _context():
    """Return the context whose processes are forks of one that has imported the libraries."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LIBRARIES)
    return context


def start(module, arguments, variables, folder, log):
    """Start ``python -m module arguments`` in a folder, with these variables and no others; it writes to the log."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        command = [sys.executable, "-m", module, *arguments]
        with log.open("wb") as output:
            return subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
    log.touch()
    process = _context().Process(target=_run, args=(module, list(arguments), dict(variables), str(folder), str(log)))
    # The new process would first run what is the main program here, which is a page after a test with AppTest.
    main, sys.modules["__main__"] = sys.modules["__main__"], ModuleType("__main__")
    try:
        process.start()
    finally:
        sys.modules["__main__"] = main
    return Forked(process)


def kill_once_written(file, module, arguments, folder):
    """Run ``python -m module arguments`` in a folder, and kill it when it has written a file."""
    log = folder / "log"
    child = start(module, arguments, os.environ, folder, log)
    try:
        deadline = time.monotonic() + 300
        while not file.exists():
            assert child.poll() is None, log.read_text()
            assert time.monotonic() < deadline
            Event().wait(0.05)
    finally:
        child.kill()
        child.wait()
    assert child.returncode == -signal.SIGKILL


def _run(module, arguments, variables, folder, log):
    """Become that program."""
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.close(output)
    sys.path.insert(0, folder)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
