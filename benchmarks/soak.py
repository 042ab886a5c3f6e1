"""The page with 32 visitors and 1,000 uploads, hostile ones among them: who else notices, and what stays in memory.

The server runs as ``make run`` starts it, with its default limits. ``visitors.py`` are its visitors; this process asks
for the server's health ten times a second, clicks as one more visitor who does nothing else, and looks at the memory of
the server and its child processes. The machine's load stands beside the figures: where other programs run beside them,
times are worth little.

Bars: the health check answers within 1 s throughout; the quiet visitor's click takes at most twice its time on an idle
server (medians); memory ends at most 150 MB above its start, after all have left; no reading of a photograph is wrong,
and no photograph is left out without a word. The exit code says whether they are met.

Usage: python benchmarks/soak.py [--quick] [--json FILE] [--minutes N]
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from threading import Event, Thread
from typing import IO, Any, cast

from client import Server, Session
from common import arguments, write
from memory import resident_bytes, tree, tree_bytes

BAR_HEALTH, BAR_CLICK, BAR_MEMORY = 1.0, 2.0, 150e6
# Sessions whose connection is gone are closed after 15 s.
_FREED = 30.0  # seconds
_CLICKS = 40  # of each kind on the idle server, before and after
_MB = 1e6
_COUNTED = ("uploads", "sessions", "captures", "wrong", "left out", "silent", "refused", "failed")


class Watch:
    """Something that is measured again and again in a thread, from start to ``stop``."""

    def __init__(self, measure: Callable[[], float], every: float) -> None:
        self.taken: list[tuple[float, float]] = []  # when, what
        self._measure, self._every = measure, every
        self._stopped = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            value = self._measure()
            self.taken.append((time.monotonic(), value))

    def stop(self) -> None:
        """Let the last measurement finish."""
        self._stopped.set()
        self._thread.join()

    def values(self) -> list[float]:
        """Everything that was measured."""
        return [value for _, value in self.taken]

    def between(self, start: float, end: float) -> list[float]:
        """Return the measurements between two times of ``time.monotonic``."""
        return [value for when, value in self.taken if start <= when <= end]

    def outside(self, start: float, end: float) -> list[float]:
        """Return the measurements before and after."""
        return [value for when, value in self.taken if not start <= when <= end]


def health(address: str) -> float:
    """Seconds until the health check has answered, over a new connection; infinite if it did not."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request("GET", "/_stcore/health")
        answered = connection.getresponse().read() == b"ok"
    except (OSError, http.client.HTTPException):
        answered = False
    finally:
        connection.close()
    return time.perf_counter() - start if answered else float("inf")


Clicks = dict[str, list[float]]


class Quiet:
    """A visitor who changes a block and a gate, again and again; neither needs a new forward pass."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._values = {key: cycle(session.options(key)[0]) for key in ("stage5", "gate")}

    def clicks(self, times: int) -> Clicks:
        """Return the milliseconds of clicks, equally many of each kind, in turns."""
        taken: Clicks = {key: [] for key in self._values}
        for _ in range(times):
            for key, values in self._values.items():
                taken[key].append(self._session.choose(key, next(values)).ms)
        return taken


class Crowd:
    """The process of the visitors, which begins with making its files."""

    def __init__(self, address: str, sessions: int, uploads: int, seconds: float) -> None:
        command = [sys.executable, str(Path(__file__).with_name("visitors.py")), address]
        command += map(str, (sessions, uploads, seconds))
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._in, self._out = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)

    def say(self) -> None:
        """Let it go on: to warm the server up, to its visits, and to their end."""
        self._in.write("\n")
        self._in.flush()

    def hear(self) -> str:
        """Wait for what it has to say."""
        line = self._out.readline()
        if not line:
            raise RuntimeError("The process of the visitors has ended too early.")
        return line

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def memory_of(server: Server) -> dict[str, float]:
    """Bytes of the server, those that no file backs of it and its children, and how many these are; 0 without /proc."""
    return {
        "server": resident_bytes(server.pid),
        "together": tree_bytes(server.pid),
        "children": len(tree(server.pid)) - 1,
    }


def measured(server: Server, crowd: Crowd, clicks: int, freed: float) -> dict[str, Any]:
    """The numbers of a soak, from an idle server to an idle server."""
    crowd.say()
    crowd.hear()
    with Session(server.address) as session:
        session.load()
        quiet = Quiet(session)
        checks = Watch(lambda: health(server.address), 0.1)
        time.sleep(freed)  # what warmed the server up has left
        quiet.clicks(2)
        loads = [os.getloadavg()[0]]
        idle = quiet.clicks(clicks)
        start = memory_of(server)
        memory = Watch(lambda: tree_bytes(server.pid), 1.0)

        heard: list[str] = []
        listener = Thread(target=lambda: heard.append(crowd.hear()), daemon=True)
        began = time.monotonic()
        crowd.say()
        listener.start()
        beside: Clicks = {key: [] for key in idle}
        while listener.is_alive():
            for key, taken in quiet.clicks(1).items():
                beside[key] += taken
            loads.append(os.getloadavg()[0])
            listener.join(0.5)
        ended = time.monotonic()
        if not heard:
            raise RuntimeError("The visitors did not come to an end.")

        crowd.say()
        time.sleep(freed)
        end = memory_of(server)
        memory.stop()
        for key, taken in quiet.clicks(clicks).items():
            idle[key] += taken
        checks.stop()
    return {
        "visitors": json.loads(heard[0]),
        "minutes": (ended - began) / 60,
        "load": [min(loads), statistics.median(loads), max(loads)],
        "cores": os.cpu_count(),
        "idle_ms": idle,
        "beside_ms": beside,
        "health_idle_s": checks.outside(began, ended),
        "health_s": checks.between(began, ended),
        "memory": {"start": start, "peak": max(memory.values(), default=0), "end": end},
    }


def judged(numbers: dict[str, Any]) -> dict[str, bool]:
    """Return whether each bar is met."""
    counts, memory = numbers["visitors"]["counts"], numbers["memory"]
    return {
        "health": max(numbers["health_s"]) <= BAR_HEALTH,
        **{f"click {key}": ratio <= BAR_CLICK for key, ratio in ratios(numbers).items()},
        "memory": all(memory["end"][what] - memory["start"][what] <= BAR_MEMORY for what in ("server", "together")),
        "captures": counts.get("captures", 0) > 0
        and not any(counts.get(what) for what in ("wrong", "silent", "failed")),
    }


def ratios(numbers: dict[str, Any]) -> dict[str, float]:
    """The median of each kind of click beside the visitors, as a share of that on the idle server."""
    idle, beside = numbers["idle_ms"], numbers["beside_ms"]
    return {key: statistics.median(beside[key]) / statistics.median(idle[key]) for key in idle}


def report(numbers: dict[str, Any]) -> None:
    """Print the table."""
    seen, memory = numbers["visitors"], numbers["memory"]
    counts = {key: seen["counts"].get(key, 0) for key in _COUNTED}
    low, middle, high = numbers["load"]
    print(
        f"{counts['uploads']} uploads by {counts['sessions']} sessions in {numbers['minutes']:.1f} minutes; load of the"
    )
    print(f"machine {low:.1f}–{high:.1f}, median {middle:.1f}, on {numbers['cores']} cores")
    for name, taken in ("idle", numbers["health_idle_s"]), ("beside the visitors", numbers["health_s"]):
        ordered = sorted(taken)
        p99 = ordered[int(0.99 * (len(ordered) - 1))]
        print(
            f"  health check, {name:22} median {1000 * statistics.median(ordered):6.0f} ms   99% {1000 * p99:6.0f} ms"
            f"   worst {1000 * ordered[-1]:6.0f} ms   of {len(ordered)}"
        )
    for key, ratio in ratios(numbers).items():
        idle, beside = sorted(numbers["idle_ms"][key]), sorted(numbers["beside_ms"][key])
        print(
            f"  click on {key:10} idle {statistics.median(idle):6.0f} ms   beside {statistics.median(beside):6.0f} ms"
            f"   {ratio:.2f} times   90% {beside[int(0.9 * (len(beside) - 1))]:6.0f} ms   of {len(beside)}"
        )
    for name in ("start", "end"):
        one = memory[name]
        print(
            f"  memory at the {name:6} {one['server'] / _MB:7.0f} MB resident in the server; without files, and with "
            f"{one['children']} child processes {one['together'] / _MB:7.0f} MB"
        )
    print(f"  the latter at its peak {memory['peak'] / _MB:7.0f} MB")
    print(
        f"  captures compared {counts['captures']}, largest difference {seen['worst']:.1e}; wrong {counts['wrong']}, "
        f"left out with a sentence {counts['left out']}, without one {counts['silent']}"
    )
    print(f"  uploads over a budget {counts['refused']}, visits that failed {counts['failed']}")
    print("  seconds of a visit, medians: " + ", ".join(f"{kind} {took:.1f}" for kind, took in seen["seconds"].items()))
    for problem in seen["problems"]:
        print(f"  ! {problem}")
    for bar, met in numbers["met"].items():
        print(f"  {bar}: {'met' if met else 'MISSED'}")


def main() -> int:
    """Print the table; return 0 if the bars are met."""
    parser = arguments(__doc__)
    parser.add_argument("--minutes", type=float, default=6.0, help="how long the visits are spread over")
    options = parser.parse_args()
    sessions, uploads, seconds = (4, 12, 3.0) if options.quick else (32, 1000, 60 * options.minutes)
    clicks, freed = (2, 2.0) if options.quick else (_CLICKS, _FREED)
    variables = {"SE_VIZ_RECONNECT_SECONDS": "1"} if options.quick else {}
    server = Server(None, variables)
    with Crowd(server.address, sessions, uploads, seconds) as crowd, server:
        try:
            numbers = measured(server, crowd, clicks, freed)
        except Exception:
            print(server.log())
            raise
    numbers["met"] = judged(numbers)
    report(numbers)
    write(options.json, numbers)
    return 0 if options.quick or all(numbers["met"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
