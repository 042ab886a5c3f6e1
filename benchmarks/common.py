"""What the benchmarks share: their arguments, timing turn by turn, and the file of numbers."""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

_VERSIONS = ("torch", "timm", "streamlit", "plotly", "numpy")


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """A parser with the two options that every benchmark has."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few repeats, for CI: proves that it runs, not how fast")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the numbers to this file")
    return parser


def write(path: Path | None, numbers: object) -> None:
    """Write the numbers with the machine and the versions they were taken on; no path, no file."""
    if path is not None:
        machine = {"machine": platform.machine(), "python": platform.python_version()}
        about = {**machine, **{name: version(name) for name in _VERSIONS}}
        path.write_text(json.dumps({"about": about, "numbers": numbers}, indent=2) + "\n")


_clocks = [time.perf_counter]


def use_processor_time() -> None:
    """Count the processor time of this process from now on, on a machine that others use as well."""
    _clocks[:] = [time.process_time]


def milliseconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    clock = _clocks[0]
    start = clock()
    work()
    return 1000 * (clock() - start)


def turns(
    ways: Mapping[str, Callable[[], object]], seconds: float, least: int, most: int = 200
) -> dict[str, list[float]]:
    """Call all ways in turn until the time is up: milliseconds of each, whose i-th entries were taken side by side.

    Every turn has an order of its own, so that none always profits from what the one before it left in the caches.
    """
    shuffle = np.random.default_rng(0).permutation
    for work in ways.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in ways}
    end = time.perf_counter() + seconds
    for turn in range(most):
        for name in shuffle(list(ways)):
            times[name].append(milliseconds(ways[name]))
        if turn + 1 >= least and time.perf_counter() > end:
            break
    return times


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """25 %, 50 % and 75 %."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high
