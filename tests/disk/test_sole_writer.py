"""A file or folder has one writer, who is named; a dead one is no obstacle."""

import errno
import json
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
from threading import Thread

import pytest
from support.faulty_disk import read_only

from se_viz.disk import sole_writer as module
from se_viz.disk.errors import FolderGone, InUse, WriteFailed
from se_viz.disk.sole_writer import Holder, lock_of, record_of, sole_writer

HOLD = (
    "import sys; from pathlib import Path; from se_viz.disk.sole_writer import sole_writer\n"
    "with sole_writer(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PATIENCE", 0.05)
    return tmp_path / "new" / "out" / "main.bin"


@pytest.fixture
def other(path):
    """Another process that holds the lock until it is told to end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_the_folder_is_made_and_the_lock_is_removed(path):
    with sole_writer(path) as writer:
        assert record_of(path).exists()
        writer.require_held()
    assert list(path.parent.iterdir()) == []


def test_another_process_is_named_with_its_command_and_time(path, other):
    with pytest.raises(InUse) as refused, sole_writer(path):
        pass
    said = str(refused.value)
    since = json.loads(record_of(path).read_text())["since"]
    assert said.startswith(f"{path} is being written by process {other.pid} on {socket.gethostname()} (`")
    assert "python" in said
    assert f"since {since}: wait until it has finished and try again, or name a folder other than" in said
    assert "remove" not in said
    other.communicate("")
    with sole_writer(path):
        pass


def test_the_lock_of_a_process_that_was_killed_is_taken_over(path, other):
    other.send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
    other.wait()
    assert record_of(path).exists()
    with sole_writer(path) as writer:
        assert Holder.read(record_of(path)) == writer.holder
    assert list(path.parent.iterdir()) == []


def test_another_thread_of_this_process_is_kept_out_too(path):
    said = []

    def try_it():
        try:
            with sole_writer(path):
                said.append("in")
        except InUse as refused:
            said.append(str(refused))

    with sole_writer(path):
        thread = Thread(target=try_it)
        thread.start()
        thread.join()
    assert "is being written by another thread of this process since" in said[0]


def test_the_lock_is_released_after_an_exception(path):
    with pytest.raises(KeyboardInterrupt), sole_writer(path):
        raise KeyboardInterrupt
    with sole_writer(path):
        pass


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"[]", b'{"pid": "x"}', b'{"pid": 1}', b"\xff"])
def test_a_damaged_record_is_no_obstacle_and_no_name(path, other, content):
    record_of(path).write_bytes(content)
    said = r"by another process: wait .*If that process has ended.* remove .*main\.bin\.lock"
    with pytest.raises(InUse, match=said), sole_writer(path):
        pass
    other.communicate("")
    with sole_writer(path):
        pass


def test_a_record_of_another_machine_says_what_to_remove(path, other):
    said = json.loads(record_of(path).read_text())
    record_of(path).write_text(json.dumps(said | {"host": "far\naway", "command": "x" * 1000}))
    with (
        pytest.raises(
            InUse, match=r"on far away \(`x{160} …`\).* If that process has ended, or its machine is off, remove"
        ),
        sole_writer(path),
    ):
        pass


def test_a_folder_that_is_removed_or_taken_over_meanwhile_is_noticed_and_left_alone(path):
    with sole_writer(path) as writer:
        shutil.rmtree(path.parent)
        with pytest.raises(FolderGone, match="was removed, moved or emptied while it was being written"):
            writer.require_held()
        with sole_writer(path) as new:
            with pytest.raises(InUse, match=r"was taken over by process .* so this process no longer writes to it"):
                writer.require_held()
            new.require_held()
    assert not record_of(path).exists()
    with sole_writer(path):
        shutil.rmtree(path.parent)
        path.parent.mkdir()
        record_of(path).write_text("another's")
        lock_of(path).write_text("another's")
    assert record_of(path).read_text() == "another's"
    assert lock_of(path).exists()


def _without_locks(monkeypatch, code):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)


@pytest.mark.slow
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_has_a_file_for_one_and_dead_processes_are_taken_over(path, monkeypatch, code):
    _without_locks(monkeypatch, code)
    with sole_writer(path), pytest.raises(InUse, match="another thread of this process"), sole_writer(path):
        pass
    soft = lock_of(path).with_suffix(".softlock")
    assert not soft.exists()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_die_holding, args=(path, code))
    child.start()
    child.join()
    assert soft.exists()
    monkeypatch.setattr(module, "PATIENCE", 5.0)
    with sole_writer(path):
        pass
    assert not soft.exists()


def _die_holding(path, code):
    with pytest.MonkeyPatch.context() as patch:
        _without_locks(patch, code)
        with sole_writer(path):
            os._exit(1)


def test_a_folder_that_cannot_be_made_or_written_has_its_sentence(path, tmp_path):
    with (
        read_only(tmp_path),
        pytest.raises(WriteFailed, match=r"main\.bin cannot be written \(Read-only file system\): make .*out writable"),
        sole_writer(path),
    ):
        pass
    path.parent.mkdir(parents=True)
    with read_only(tmp_path), pytest.raises(WriteFailed, match="cannot be written"), sole_writer(path):
        pass
    (tmp_path / "file").touch()
    with (
        pytest.raises(WriteFailed, match=r"file is not a folder: name another one"),
        sole_writer(tmp_path / "file" / "x"),
    ):
        pass
