"""The page in a child process, as a person starts it, and clients that misbehave."""

import os
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from threading import Event

from support import forked

ROOT = Path(__file__).parents[2]


class Served:
    """The page by ``se-viz app``, or a script by ``streamlit run``, from its start to the end of the block.

    A ``command`` is an ordinary child process; without one the program is a fork, see ``support.forked``. A ``module``
    is run in place of ``se_viz``.
    """

    def __init__(self, folder, variables=None, script=None, arguments=(), command=None, cwd=ROOT, module="se_viz"):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"http://127.0.0.1:{self.port}"
        self.log = folder / "log"
        variables = os.environ | {"OMP_NUM_THREADS": "1"} | (variables or {})
        if script:
            run = ["run", str(script), "--server.headless", "true", "--server.port", str(self.port), *arguments]
            self.process = forked.start("streamlit", run, variables, cwd, self.log)
            return
        run = ["app", "--port", str(self.port), *arguments]
        if not command:
            self.process = forked.start(module, run, variables, cwd, self.log)
            return
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *run], cwd=cwd, env=variables, stdout=log, stderr=subprocess.STDOUT
            )

    def __enter__(self):
        deadline = time.monotonic() + 120
        while not self._healthy():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:  # a test says so where this matters
            self.process.kill()
            self.process.wait()

    def said(self) -> str:
        """What the server wrote."""
        return self.log.read_text(errors="replace")

    def held(self) -> int:
        """Bytes of uploads that the server holds; it must be started with SE_VIZ_METRICS=1."""
        with urllib.request.urlopen(f"{self.address}/_stcore/metrics?families=cache_memory_bytes", timeout=60) as told:  # noqa: S310
            found = re.search(r'cache_type="UploadedFileManager"[^\n]*\} (\d+)', told.read().decode())
        return int(found[1]) if found else 0

    def _healthy(self) -> bool:
        """Whether the server answers; a refused connection returns at once, so each try waits a little."""
        try:
            with urllib.request.urlopen(f"{self.address}/_stcore/health", timeout=5) as health:  # noqa: S310
                return health.read() == b"ok"
        except OSError:
            Event().wait(0.2)
            return False
