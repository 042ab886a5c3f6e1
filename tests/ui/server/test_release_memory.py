"""Memory goes back to the system, and does not stay as large as its peak was."""

import subprocess
import sys
from pathlib import Path

import pytest

# 60 MB in a circle, and 200 MB in blocks that malloc takes from its heap, of which some stay, here and there.
SCRIPT = """
import gc
import numpy as np
from pathlib import Path
from se_viz.ui.server.release_memory import freeze_imports, give_back, share_arenas

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

gc.disable()
share_arenas()
freeze_imports()
circle = [np.ones(60_000_000, np.uint8)]
circle.append(circle)
del circle
blocks = [np.ones(100_000, np.uint8) for _ in range(2_000)]
left = blocks[::50]
del blocks
before = resident()
give_back()
print(before - resident())
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="what a process holds is not to be seen here")
def test_garbage_and_free_memory_inside_the_heap_are_given_back():
    from se_viz.ui.server.release_memory import _libc

    if _libc() is None:
        pytest.skip("this C library has no function for it")
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 220_000_000


@pytest.mark.slow
def test_where_there_is_no_glibc_nothing_happens(monkeypatch):
    from se_viz.ui.server import release_memory

    monkeypatch.setattr(release_memory, "_libc", lambda: None)
    release_memory.share_arenas()
    release_memory.give_back()
