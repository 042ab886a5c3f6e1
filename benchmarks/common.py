"""Parts that the benchmarks share: their arguments, timing turn by turn, and the file of numbers."""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import TypeVar

import numpy as np

Result = TypeVar("Result")

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


_KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(1 << 32), "MALLOC_TRIM_THRESHOLD_": str(1 << 35)}


def keep_memory() -> None:
    """Start this script again with the C library told to keep the memory that is freed.

    Otherwise glibc returns the maps of a pass to the system now and then, and the next pass has their pages made again:
    the same pass takes 88 or 118 ms, which hides a difference of a hundredth between two ways of making it.
    """
    if any(os.environ.get(name) != value for name, value in _KEEP_MEMORY.items()):
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, **_KEEP_MEMORY})  # noqa: S606


def use_processor_time() -> None:
    """Count the processor time of this process from now on, on a machine that others use as well."""
    _clocks[:] = [time.process_time]


def milliseconds(work: Callable[[], object]) -> float:
    """Return the time of one call in milliseconds."""
    clock = _clocks[0]
    start = clock()
    work()
    return 1000 * (clock() - start)


def turns(
    ways: Mapping[str, Callable[[], object]], seconds: float, least: int, most: int = 200
) -> dict[str, list[float]]:
    """Call all ways in turn until the time is up: milliseconds of each, whose i-th entries were taken side by side.

    Every turn has another order, so that none always profits from what the one before it left in the caches.
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
    """25%, 50% and 75%."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def in_fresh_process(work: Callable[..., Result], *arguments: object, imported: Sequence[str] = ()) -> Result | str:
    """Return what a function returns in a separate process, or a sentence if that fails, even if the process dies.

    The process is a fork of one that has imported these modules and done nothing else; where a system cannot fork, it
    imports them itself.
    """
    method = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"
    context = get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(list(imported))
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(work, *arguments).result()
        except Exception as error:  # noqa: BLE001
            return f"failed: {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
