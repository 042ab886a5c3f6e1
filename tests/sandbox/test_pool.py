"""Calls in child processes: what comes back, and what each limit ends."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import hostile_calls
import hostile_torch
import numpy as np
import pytest
from hostile_calls import Other, Ours

from se_viz import sandbox
from se_viz.sandbox import Ended, Limits, pool, processes

LIMITS = Limits(memory=500_000_000, cpu=20, wall=30, output=10_000_000)
BRIEF = Limits(memory=500_000_000, cpu=0.5, wall=20, output=10_000_000)

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have this limit")


@pytest.fixture(params=["forked", "started"], autouse=True, scope="module")
def way(request):
    """Both ways of making children, on any system that has both."""
    if request.param == "forked" and not processes.FORKS:
        pytest.skip("nothing is forked on this system")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pool, "FORKS", request.param == "forked")
        patch.setattr(pool, "_pool", pool._Pool())
        yield request.param
        sandbox.close()


def gone(pid):
    """Wait until a process has ended; a test that waits in vain is ended by the number of tries."""
    for _ in range(3000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_values_of_all_kinds_come_back():
    values = [None, True, 3, -(2**80), 0.1, float("inf"), "é\ud800\0", b"\0\xff", [1, [2]], {"$": {"bytes": 0}}, {}]
    assert sandbox.run(hostile_calls.echo, *values, limits=LIMITS) == values
    assert sandbox.run(hostile_calls.kinds, b"", (1,), "", limits=LIMITS) == ["bytearray", "list", "str"]
    array = np.arange(12, dtype=np.float32).reshape(3, 4)[:, ::2]
    answer = sandbox.run(hostile_calls.mean, array, limits=LIMITS)
    assert answer["mean"] == array.mean()
    np.testing.assert_array_equal(answer["plus"], array + 1)


def test_a_child_reads_one_file_only_where_it_is_forked(way):
    numbers = [sandbox.run(hostile_calls.pid, limits=LIMITS) for _ in range(4)]
    assert os.getpid() not in numbers
    assert len(set(numbers)) == (4 if way == "forked" else 1)


@pytest.mark.slow
@linux
@pytest.mark.parametrize("function", [hostile_calls.fill, hostile_torch.fill])
def test_memory_is_bounded_and_the_next_call_goes_on(function):
    assert sandbox.run(function, 100_000_000, limits=LIMITS) == 100_000_000
    with pytest.raises(Ended, match=r"took more than 500 MB of memory\.$") as caught:
        sandbox.run(function, 700_000_000, limits=LIMITS)
    assert caught.value.reason == "memory"
    assert sandbox.run(function, 100_000_000, limits=LIMITS) == 100_000_000


@pytest.mark.slow
@linux
def test_memory_of_the_arguments_is_not_counted():
    large = bytes(600_000_000)
    limits = Limits(memory=100_000_000, cpu=20, wall=60, output=1000)
    assert sandbox.run(hostile_calls.kinds, large, limits=limits) == ["bytearray"]


@pytest.mark.slow
@linux
@pytest.mark.parametrize("function", [hostile_calls.spin, hostile_calls.spin_holding_the_interpreter])
def test_processor_time_is_bounded(function):
    with pytest.raises(Ended, match=r"took more than 0\.5 s\.$") as caught:
        sandbox.run(function, limits=BRIEF)
    assert caught.value.reason == "time"
    assert sandbox.run(hostile_calls.echo, 1, limits=BRIEF) == [1]


@pytest.mark.slow
def test_wall_time_is_bounded():
    with pytest.raises(Ended, match=r"took more than 0\.5 s") as caught:
        sandbox.run(hostile_calls.sleep, 600, limits=Limits(memory=10**8, cpu=10, wall=0.5, output=1000))
    assert caught.value.reason == "time"


@pytest.mark.parametrize(("function", "count"), [(hostile_calls.many, 10_000_001), (hostile_calls.names, 100_000)])
def test_output_is_bounded(function, count):
    with pytest.raises(Ended, match="returned more than 10 MB") as caught:
        sandbox.run(function, count, limits=LIMITS)
    assert caught.value.reason == "output"


@linux
def test_no_file_is_written_and_no_core(tmp_path):
    with pytest.raises(Ended, match="failed"):
        sandbox.run(hostile_calls.write, str(tmp_path / "x"), limits=LIMITS)
    assert not (tmp_path / "x").exists() or (tmp_path / "x").stat().st_size == 0
    assert sandbox.run(hostile_calls.limits_of_files, limits=LIMITS) == 0


@pytest.mark.slow
def test_a_crash_is_told_and_the_next_call_goes_on():
    with pytest.raises(Ended, match=r"crashed the process that read it \(by signal 11\)") as caught:
        sandbox.run(hostile_calls.crash, limits=LIMITS)
    assert caught.value.reason == "died"
    with pytest.raises(Ended, match=r"with status 7"):
        sandbox.run(hostile_calls.leave, limits=LIMITS)
    assert sandbox.run(hostile_calls.echo, 1, limits=LIMITS) == [1]


def test_only_exceptions_that_are_asked_for_pass():
    with pytest.raises(Ours, match=r"^x\.pth is broken$"):
        sandbox.run(hostile_calls.refuse, "ours", "x.pth is broken", limits=LIMITS, passes=(Ours,))
    with pytest.raises(Ended, match=r"failed \(Other: x\)") as caught:
        sandbox.run(hostile_calls.refuse, "other", "x", limits=LIMITS, passes=(Ours,))
    assert caught.value.reason == "failed"
    assert "hostile_calls" in caught.value.__notes__[0]
    assert not issubclass(Other, Ours)


def test_no_object_comes_back():
    with pytest.raises(Ended, match="cannot be sent to another process"):
        sandbox.run(hostile_calls.object_of_code, limits=LIMITS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x10" + bytes(7) + b"\x80\x04cos\nsystem\n.",
        (20).to_bytes(8, "little") + b'{"value":1,"sizes":[]',
        (2**60).to_bytes(8, "little"),
        (30).to_bytes(8, "little") + b'{"value":1,"sizes":[99999999]}',
        (26).to_bytes(8, "little") + b'{"value":1,"sizes":[1e99]}',
        (28).to_bytes(8, "little") + b'{"value":{"dict":3},"sizes":[]}'[:28],
        (40).to_bytes(8, "little") + b'{"value":{"value":{"bytes":7}},"sizes":[]}'[:40],
        (11).to_bytes(8, "little") + b"[[[[[[[[[[[",
        (23).to_bytes(8, "little") + b'{"value":1,"sizes":[]} ',
    ],
)
def test_what_a_child_that_was_taken_over_says_is_only_read(content):
    with pytest.raises(Ended):
        sandbox.run(hostile_calls.babble, content, limits=LIMITS)
    assert sandbox.run(hostile_calls.echo, 1, limits=LIMITS) == [1]


ENDLESS = Limits(memory=10**8, cpu=600, wall=600, output=1000)


@linux
@pytest.mark.parametrize("told_by", ["event", "question", "exception"])
def test_a_child_ends_when_its_caller_leaves(told_by, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    sleeper, left = [], threading.Event()

    def visitor():
        sleeper.append(int((tmp_path / "pipe").read_text()))
        left.set()

    def asked():
        if left.is_set() and told_by == "exception":
            raise KeyboardInterrupt
        return left.is_set()

    thread = threading.Thread(target=visitor)
    thread.start()
    with pytest.raises(KeyboardInterrupt if told_by == "exception" else Ended):
        sandbox.run(
            hostile_calls.sleep,
            600,
            str(tmp_path / "pipe"),
            limits=ENDLESS,
            cancelled=left if told_by == "event" else asked,
        )
    thread.join()
    assert gone(sleeper[0])
    assert sandbox.run(hostile_calls.echo, 1, limits=LIMITS) == [1]


def test_who_waits_for_a_turn_may_leave(monkeypatch):
    monkeypatch.setattr(pool._pool, "turns", threading.Semaphore(0))
    left = threading.Event()
    left.set()
    with pytest.raises(Ended) as caught:
        sandbox.run(hostile_calls.echo, 1, limits=LIMITS, cancelled=left)
    assert caught.value.reason == "cancelled"


@pytest.mark.slow
def test_calls_of_several_threads_keep_their_answers_apart():
    answers = {}

    def ask(number):
        answers[number] = [sandbox.run(hostile_calls.echo, number, bytes([number]) * 10_000, limits=LIMITS)
                           for _ in range(5)]  # fmt: skip

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: [[number, bytes([number]) * 10_000]] * 5 for number in range(8)}


SCRIPT = """
import os, sys, threading
sys.path[:0] = {places!r}
print("run", flush=True)
import hostile_calls
from se_viz import sandbox
from se_viz.sandbox import pool
pool.FORKS = {forks}
limits = sandbox.Limits(memory=10**9, cpu=600, wall=600, output=1000)
{body}
"""


def _places():
    """Where other processes find these modules and the project's."""
    return [str(Path(hostile_calls.__file__).parent), str(Path(sandbox.__file__).parents[2])]


def script(body, folder, way):
    """Start a script that has no guard."""
    path = folder / "script.py"
    path.write_text(SCRIPT.format(places=_places(), body=body, forks=way == "forked"))
    return subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@linux
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_no_child_outlives_the_process_that_asked(how, tmp_path, way):
    os.mkfifo(tmp_path / "pipe")
    with script(
        f"sandbox.run(hostile_calls.sleep, 600, {str(tmp_path / 'pipe')!r}, limits=limits)", tmp_path, way
    ) as asking:
        sleeper = int((tmp_path / "pipe").read_text())
        asking.send_signal(how)
        asking.wait(30)
    assert gone(sleeper)


@pytest.mark.slow
def test_a_script_without_a_guard_is_run_once(tmp_path, way):
    with script("print(sandbox.run(hostile_calls.main_module, limits=limits) or 'no script')", tmp_path, way) as asking:
        said, _ = asking.communicate(timeout=120)
    assert said.split("\n") == ["run", "no script", ""]
    assert asking.returncode == 0


@pytest.mark.slow
@linux
def test_a_fork_of_the_process_that_asked_has_its_own_children(tmp_path, way):
    body = """
print(sandbox.run(hostile_calls.echo, 1, limits=limits), flush=True)
if not os.fork():
    print(sandbox.run(hostile_calls.echo, 2, limits=limits), flush=True)
    sandbox.close()
    os._exit(0)
os.wait()
print(sandbox.run(hostile_calls.echo, 3, limits=limits), flush=True)
"""
    with script(body, tmp_path, way) as asking:
        said, _ = asking.communicate(timeout=120)
    assert said.split("\n") == ["run", "[1]", "[2]", "[3]", ""]


DAEMON = """
import multiprocessing, sys
sys.path[:0] = {places!r}

def ask(channel):
    import hostile_calls
    from se_viz import sandbox
    limits = sandbox.Limits(memory=10**9, cpu=600, wall=600, output=1000)
    channel.send(sandbox.run(hostile_calls.echo, 1, limits=limits))
    sandbox.close()

if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=ask, args=(theirs,), daemon=True)
    process.start()
    print(ours.recv() if ours.poll(60) else "no answer")
    process.join(60)
"""


@pytest.mark.slow
def test_a_daemonic_process_may_ask(tmp_path):
    path = tmp_path / "script.py"
    path.write_text(DAEMON.format(places=_places()))
    ended = subprocess.run([sys.executable, str(path)], stdout=subprocess.PIPE, text=True, check=True, timeout=300)
    assert ended.stdout == "[1]\n"


@pytest.mark.slow
@linux
def test_when_what_forks_children_dies_another_is_started(way):
    if way == "started":
        pytest.skip("nothing is forked")
    assert sandbox.run(hostile_calls.echo, 1, limits=LIMITS) == [1]
    process = pool._pool._fork_server._process
    process.kill()
    process.wait()
    assert sandbox.run(hostile_calls.echo, 2, limits=LIMITS) == [2]
    pool._pool._fork_server._process.kill()  # and is not reaped yet
    assert sandbox.run(hostile_calls.echo, 3, limits=LIMITS) == [3]


@pytest.mark.slow
def test_a_machine_without_children_is_told(monkeypatch):
    sandbox.close()
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(Ended, match="needs a child process, but none can be started") as caught:
        sandbox.run(hostile_calls.echo, 1, limits=LIMITS)
    assert caught.value.reason == "unavailable"


def test_values_that_cannot_go_are_told_before_a_child_is_asked():
    with pytest.raises(TypeError, match="object cannot be sent"):
        sandbox.run(hostile_calls.echo, object(), limits=LIMITS)
    with pytest.raises(TypeError, match="no module"):
        sandbox.run(lambda: 1, limits=LIMITS)
