"""The visitors of ``soak.py``, in a separate process, so that their work does not delay what it measures.

Each has a session of the page and does the next visit of a plan when its time has come: uploads photographs and hostile
files, downloads the captures and compares them with those of ``se_viz.capture`` in this process, leaves in the middle
of its work, comes again.

Usage: python benchmarks/visitors.py ADDRESS SESSIONS UPLOADS SECONDS; it makes its files, waits for a line, warms the
server up, says "ready", waits for a line, says what was done as JSON, and waits for a line before its sessions leave.
"""

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import cache
from http.client import HTTPConnection
from queue import Empty, SimpleQueue
from threading import Barrier, Lock, Thread

import numpy as np
import requests
from client import PATIENCE, FileURLs, Session
from compared import ARCHITECTURE, CHECKPOINT, TOLERANCE, Array, Expected, downloaded, expected, off
from hostile import IMAGES, WEIGHTS, photograph
from requests.adapters import HTTPAdapter
from urllib3 import Retry

PHOTOGRAPHS = 48
_MOST = 4  # photographs at a time
# Shares of the visits.
_KINDS = {"photographs": 0.5, "mixed": 0.24, "hostile weights": 0.06, "weights": 0.04, "half": 0.08, "leaving": 0.08}


@dataclass(frozen=True)
class Visit:
    """One action of a visitor, seconds after the start: photographs by number, hostile files by name."""

    kind: str
    photographs: tuple[int, ...] = ()
    hostile: tuple[str, ...] = ()
    at: float = 0.0

    def __len__(self) -> int:
        return len(self.photographs) + len(self.hostile) + (self.kind == "weights")


def planned(uploads: int, seconds: float) -> list[Visit]:
    """Return a number of uploads, spread over the time; all hostile files come about equally often."""
    rng = np.random.default_rng(0)
    images, weights = _shuffled(list(IMAGES), rng), _shuffled(list(WEIGHTS), rng)
    visits: list[Visit] = []
    while (left := uploads - sum(map(len, visits))) > 0:
        kind = str(rng.choice(list(_KINDS), p=list(_KINDS.values())))
        some = tuple(map(int, rng.choice(PHOTOGRAPHS, rng.integers(1, _MOST + 1), replace=False)))
        match kind:
            case "photographs":
                visits.append(Visit(kind, some[:left]))
            case "hostile weights":
                visits.append(Visit(kind, (), (next(weights),)))
            case "weights":
                visits.append(Visit(kind))
            case _:
                visits.append(Visit(kind, some[: left - 1], (next(images),)))
    return [replace(visit, at=seconds * place / len(visits)) for place, visit in enumerate(visits)]


def _shuffled(names: list[str], rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield from map(str, rng.permutation(names))


@cache
def content(name: str) -> bytes:
    """A hostile file by its name."""
    return {**IMAGES, **WEIGHTS}[name]()


class Visitor(Session):
    """A session whose uploads may be refused, and that can leave in the middle of something."""

    refused = 0

    def __init__(self, address: str) -> None:
        super().__init__(address, "view=Export")
        # As a browser does whose connection was closed while it was idle.
        self._http.mount("http://", HTTPAdapter(max_retries=Retry(3, allowed_methods=None)))

    def _put(self, url: FileURLs, file: tuple[str, bytes]) -> bool:
        try:
            return super()._put(url, file)
        except requests.HTTPError as error:
            if error.response.status_code != requests.codes.request_entity_too_large:
                raise
            self.refused += 1
            return False

    def leave_with(self, files: dict[str, bytes]) -> None:
        """Upload files, ask for the run that reads them, and leave."""
        self._ask(self._drop(files, "upload"))
        self._socket.close()

    def send_half(self, name: str, body: bytes) -> HTTPConnection:
        """Send the first half of an upload; the connection stays open, and the rest never comes."""
        (url,) = self._upload_urls([name])
        start = f'--x\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'.encode()
        cookies = "; ".join(f"{key}={value}" for key, value in self._http.cookies.items())
        headers = {**self._token(), "Cookie": cookies, "Content-Type": "multipart/form-data; boundary=x"}
        connection = HTTPConnection(self._address, timeout=PATIENCE)
        connection.putrequest("PUT", url.upload_url)
        for key, value in {**headers, "Content-Length": str(len(start) + len(body) + 7)}.items():
            connection.putheader(key, value)
        connection.endheaders(start + body[: len(body) // 2])
        return connection


class Load:
    """All visitors, and what they saw."""

    def __init__(self, address: str, visits: Sequence[Visit]) -> None:
        self._address = address
        self._photographs = [photograph(number) for number in range(PHOTOGRAPHS)]
        self._expected: Expected = expected(self._photographs)
        self._left: SimpleQueue[Visit] = SimpleQueue()
        for visit in visits:
            self._left.put(visit)
            for name in visit.hostile:
                content(name)  # now, as it takes time
        self._lock = Lock()
        self.counts: Counter[str] = Counter()
        self.took: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        self.worst = 0.0
        self.problems: list[str] = []

    def warm_up(self) -> None:
        """Be one visitor who does some of everything, so that what is made once is made."""
        with ExitStack() as page:
            session = self._come(page)
            self._do(session, Visit("mixed", (0, 1, 2), (next(iter(IMAGES)),)), page)
            self._do(session, Visit("weights"), page)
            self._do(session, Visit("hostile weights", (), ("chain of codecs.pth",)), page)
        if self.problems:
            raise RuntimeError(f"The server is not as it should be: {self.problems}")
        self.counts.clear()

    def run(self, finished: Barrier) -> None:
        """Be one visitor after another until no visit is left; the last one stays until all may leave."""
        try:
            self._run(finished)
        except BaseException:
            finished.abort()  # the others need not wait for this one
            raise

    def _run(self, finished: Barrier) -> None:
        started = time.monotonic()
        with ExitStack() as page:
            session = self._come(page)
            while (visit := self._next()) is not None:
                time.sleep(max(0.0, started + visit.at - time.monotonic()))
                begun = time.monotonic()
                try:
                    self._do(session, visit, page)
                except Exception as error:  # noqa: BLE001 - counted; the soak goes on
                    self._note("failed", problem=f"{visit.kind} {visit.hostile}: {type(error).__name__}: {error}")
                else:
                    with self._lock:
                        self.counts["uploads"] += len(visit)
                        self.took[visit.kind].append(time.monotonic() - begun)
                    if visit.kind != "leaving":
                        continue
                page.close()
                session = self._come(page)
            finished.wait()  # for all
            finished.wait()  # for the word to leave

    def _next(self) -> Visit | None:
        try:
            return self._left.get_nowait()
        except Empty:
            return None

    def _come(self, page: ExitStack) -> Visitor:
        session = page.enter_context(Visitor(self._address))
        session.load()
        self._note("sessions")
        return session

    def _do(self, session: Visitor, visit: Visit, page: ExitStack) -> None:
        good = {f"photo {number}": self._photographs[number] for number in visit.photographs}
        files = {**good, **{name: content(name) for name in visit.hostile}}
        refused = session.refused
        match visit.kind:
            case "leaving":
                session.leave_with(files)
                return
            case "weights" | "hostile weights":
                self._bring_weights(session, visit)
            case "half":
                page.enter_context(closing(session.send_half(visit.hostile[0], files.pop(visit.hostile[0]))))
                session.upload(files)
                self._compare(session, visit.photographs, self._expected.demo)
            case _:
                session.upload(files)
                self._compare(session, visit.photographs, self._expected.demo)
        self._note("refused", session.refused - refused)

    def _bring_weights(self, session: Visitor, visit: Visit) -> None:
        """Weights of the visitor over the photographs that are there, and back to the demo model."""
        session.upload({f"photo {number}": self._photographs[number] for number in (0, 1)})
        session.choose("origin", "your weights")
        session.choose("own_architecture", f"timm/{ARCHITECTURE}")
        if visit.hostile:
            (name,) = visit.hostile
            session.upload({name: content(name)}, "own_weights")
            if not session.alerts and not session.refused:
                self._note("silent", problem=f"nothing was said of {name}")
        else:
            session.upload({CHECKPOINT: self._expected.checkpoint}, "own_weights")
            self._compare(session, (0, 1), self._expected.own)
        session.choose("origin", "by name")

    def _compare(self, session: Visitor, photographs: Sequence[int], wanted: Sequence[Array]) -> None:
        rows = downloaded(session.download("save_csv"))
        for number in photographs:
            row = rows.get(f"photo {number}")
            if row is None:
                said = bool(session.alerts)
                problem = "" if said else f"photo {number} is missing, and nothing was said of it"
                self._note("left out" if said else "silent", problem=problem)
                continue
            difference = off(row, wanted[number])
            self._note("captures", worst=difference)
            if difference > TOLERANCE:
                self._note("wrong", problem=f"photo {number} is off by {difference:.1e}")

    def _note(self, what: str, count: int = 1, problem: str = "", worst: float = 0.0) -> None:
        with self._lock:
            self.counts[what] += count
            self.worst = max(self.worst, worst)
            if problem:
                self.problems.append(problem)


def main(address: str, sessions: int, uploads: int, seconds: float) -> None:
    """Run them."""
    if hasattr(os, "nice"):
        os.nice(10)  # browsers are on other machines: they take no processor from the server
    load = Load(address, planned(uploads, seconds))
    sys.stdin.readline()
    load.warm_up()
    print("ready", flush=True)
    sys.stdin.readline()
    finished = Barrier(sessions + 1)
    threads = [Thread(target=load.run, args=(finished,), daemon=True) for _ in range(sessions)]
    for thread in threads:
        thread.start()
    finished.wait()
    medians: Mapping[str, float] = {kind: float(np.median(took)) for kind, took in load.took.items() if took}
    result = {"counts": load.counts, "worst": load.worst, "problems": load.problems[:20], "seconds": medians}
    print(json.dumps(result), flush=True)
    sys.stdin.readline()
    finished.wait()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
