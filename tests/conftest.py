"""How tests are chosen, ordered and shared out; their fixtures are in support/fixtures.py."""

import gc
import os
import shutil
import sys
from pathlib import Path

import pytest

# Tests that share the server of the page and a Chromium, and tests whose servers and other programs are forks of one
# process, see support/forked.py.
_BROWSER, _SERVERS = "browser", "servers"


def pytest_addoption(parser):
    """Add the options of `make test-exhaustive` and of .ci/run."""
    parser.addoption("--exhaustive", action="store_true", help="run every case of the long lists")
    parser.addoption("--browser-tries", type=int, default=1, help="runs of a browser test until one passes")


def pytest_configure(config):
    """Load the fixtures, and torch with them, except in a process that hands out tests and runs none.

    Figures are drawn by the headless shell where there is one, as the fixture ``chromium`` is.
    """
    if path := shutil.which("chromium-headless-shell"):
        os.environ.setdefault("BROWSER_PATH", path)
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        gc.disable()  # what imports make stays; see pytest_collection_finish
        config.pluginmanager.import_plugin("support.fixtures")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config, items):
    """Leave out what only `make test-exhaustive` runs, give each test its group, and let slow tests begin first.

    Processes that share the work (`--dist loadgroup`) give the tests of a group to one of them, so that a server, a
    Chromium, a Ray cluster or the models of a page are there once. No process is left alone with a long test.
    """
    if not config.getoption("exhaustive"):
        left_out = [item for item in items if item.get_closest_marker("exhaustive")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("exhaustive")]
    for item in items:
        folder = item.path.parent.relative_to(Path(__file__).parent).as_posix()
        if folder == "browser":
            item.add_marker(pytest.mark.slow)
            # A machine of CI may be so busy that Chromium stands still; the summary counts what ran twice.
            item.add_marker(pytest.mark.flaky(reruns=config.getoption("browser_tries") - 1))
        if _group(item):
            continue
        if "cluster" in item.fixturenames:
            item.add_marker(pytest.mark.xdist_group("ray"))
            continue
        definitions = item._fixtureinfo.name2fixturedefs.values()
        if "open_page_of" in item.fixturenames or folder == "ui/server":
            item.add_marker(pytest.mark.xdist_group(_SERVERS))
        elif folder == "browser":
            item.add_marker(pytest.mark.xdist_group(_BROWSER))
        elif folder.partition("/")[0] == "ui" or any(found[-1].scope == "module" for found in definitions):
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    groups = {}
    for item in items:
        groups[_group(item)] = min(_turn(item), groups.get(_group(item), _turn(item)))
    # A group keeps its order, in which pytest has put tests with the same parameter of a fixture side by side.
    items.sort(key=lambda item: groups[_group(item)] if _group(item) else _turn(item))


def pytest_collection_finish(session):
    """Keep the garbage collector from what was imported, and refuse to go on in a process that was told of no groups.

    A collection would look at two million objects each time: half of what the collection of tests takes. To look for
    garbage after 10,000 new objects in place of 700 takes a tenth off the tests, which make and drop many networks. A
    process without groups would start servers that another one has.
    """
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    if getattr(session.config.option, "loadgroup", False):
        lost = [item.nodeid for item in session.items if _group(item) and "@" not in item.nodeid.rpartition("]")[2]]
        if lost:
            raise pytest.UsageError(f"This pytest-xdist makes no groups with this pytest: {lost[0]}.")


def _group(item) -> str:
    """Return the name of a test's group, or ""."""
    marker = item.get_closest_marker("xdist_group")
    return marker.args[0] if marker else ""


def _turn(item) -> int:
    """Return a number that is smaller for what begins earlier."""
    if item.get_closest_marker("longest"):
        return 0
    if _group(item) in (_BROWSER, _SERVERS):
        return 1
    if not item.get_closest_marker("slow"):
        return 4
    return 2 if _group(item) else 3


def pytest_runtest_setup(item):
    """Tests of a GPU are skipped on a machine that has none."""
    import torch

    for marker, kind in (("gpu", torch.cuda), ("mps", torch.mps), ("xpu", torch.xpu)):
        if item.get_closest_marker(marker) and not kind.is_available():
            pytest.skip(f"no {'CUDA' if marker == 'gpu' else marker.upper()} device on this machine")


def pytest_runtest_teardown(item, nextitem):
    """End the Ray cluster after the last test that takes it."""
    last = nextitem is None or "cluster" not in nextitem.fixturenames
    if "cluster" in item.fixturenames and last and (ray := sys.modules.get("ray")):
        ray.shutdown()
