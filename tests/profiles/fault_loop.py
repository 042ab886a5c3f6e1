"""Passes into one folder by several processes, killed at random moments, their files damaged: same bytes or a sentence.

Usage: python fault_loop.py FOLDER RUNS [SEED]; it prints what happened as JSON and ends with 1 if a run was wrong. It
forks, so that a run takes a fraction of a second: Linux and macOS.
"""

import faulthandler
import json
import logging
import math
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from threading import RLock

import torch
from support.profiling import SETTINGS, make_images, tiny
from tqdm import tqdm

from se_viz.disk import sole_writer
from se_viz.disk.errors import DiskError
from se_viz.profiles.class_profiles import open_profiles
from se_viz.profiles.errors import ProfilesError, ProfilesRefused
from se_viz.profiles.profile import profile

SAME, SENTENCE, WRONG = 0, 3, 4
NAMES = {SAME: "same bytes", SENTENCE: "sentence", WRONG: "WRONG", -signal.SIGKILL: "killed"}


def attempt(model, data, out, expected, log):
    """Profile; return whether the bytes are the expected ones, or there is a sentence."""
    faulthandler.dump_traceback_later(120, exit=True, file=log)  # a process that never ends is wrong
    try:
        profile(model, data, out, **SETTINGS)
        if (out / "profiles.safetensors").read_bytes() == expected:
            return SAME
        open_profiles(out)  # it may have been damaged since, which is found
    except (DiskError, ProfilesError, FileNotFoundError) as error:
        if type(error) is FileNotFoundError:  # of read_bytes: another process, or the damage, was between
            return SENTENCE
        log.write(f"{type(error).__name__}: {error}\n")
        return SENTENCE if str(error).endswith(".") and len(str(error)) > 40 else WRONG
    except Exception:  # noqa: BLE001 - whatever else it is, it is wrong
        log.write(traceback.format_exc())
    return WRONG


def begin(work, delay=0.0):
    """Fork a process that waits and works; return its id."""
    pid = os.fork()
    if pid:
        return pid
    code = WRONG
    try:
        time.sleep(delay)
        code = work()
    finally:
        os._exit(code)


def damage(rng, out, shorten):
    """Flip bytes, zero a stretch, or cut off the end of a file of the pass; return its name, or None for no file."""
    files = [path for path in out.rglob("*") if path.is_file()] if out.is_dir() else []
    files = [path for path in sorted(files) if path.stat().st_size]
    if not files:
        return None
    path = rng.choice(files)
    size = path.stat().st_size
    with path.open("r+b") as file:
        if shorten and rng.random() < 0.2:
            file.truncate(rng.randrange(size))
            return f"cut {path.name}"
        start = rng.randrange(size)
        file.seek(start)
        if rng.random() < 0.5:
            old = file.read(1)
            file.seek(start)
            file.write(bytes([old[0] ^ 1 << rng.randrange(8)]))
            return f"flip {path.name}"
        length = min(rng.choice([8, 64, 4096]), size - start)
        if not any(file.read(length)):
            return None
        file.seek(start)
        file.write(bytes(length))
        return f"zero {path.name}"


def finish(model, data, out, expected, report, log, outcomes):
    """Profile once more, twice if the class profiles themselves are damaged, and look at what is there; add to the
    outcomes.
    """
    sole_writer.PATIENCE = 1.0
    for _ in range(2):
        pid = begin(lambda: attempt(model, data, out, expected, log))
        outcomes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        if outcomes[-1] != SENTENCE:
            break
        try:  # the only sentence left says that the class profiles themselves are damaged, and to remove them
            open_profiles(out)
        except ProfilesRefused:
            (out / "profiles.safetensors").unlink()
    # A process that was killed may leave its lock, which keeps no other from going on.
    left = sorted(
        {path.name for path in out.iterdir()} - {".profiles.safetensors.lock", ".profiles.safetensors.writer"}
    )
    if outcomes[-1] != SAME or left != ["profiles.safetensors", "report.json"]:
        outcomes.append(WRONG)
        log.write(f"left {left}\n")
    elif (out / "report.json").read_bytes() != report:
        outcomes.append(WRONG)
        log.write("another report\n")


def run(rng, model, data, out, expected, report, took, log):
    """One run; return the outcomes of its processes and what was damaged."""
    outcomes, damaged = [], []
    if rng.random() < 0.6:  # a process that was killed has left shards, some of them damaged
        pid = begin(lambda: attempt(model, data, out, expected, log))
        time.sleep(rng.uniform(0.3, 1.1) * took)
        os.kill(pid, signal.SIGKILL)
        outcomes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        damaged += [damage(rng, out, shorten=True) for _ in range(rng.choice([0, 1, 1, 3]))]
    sole_writer.PATIENCE = rng.choice([0.0, 0.05, 1.0])
    children = {}
    for _ in range(rng.choice([2, 4])):
        delay = rng.uniform(0, 2 * took)
        pid = begin(lambda: attempt(model, data, out, expected, log), delay)
        children[pid] = time.monotonic() + delay + rng.uniform(0, 2 * took) if rng.random() < 0.5 else None
    harm = [time.monotonic() + rng.uniform(0, 4 * took) for _ in range(rng.choice([0, 0, 1, 2]))]
    while children:
        now = time.monotonic()
        for pid, at in list(children.items()):
            if at is not None and now > at:
                os.kill(pid, signal.SIGKILL)
                children[pid] = None
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                del children[pid]
                outcomes.append(os.waitstatus_to_exitcode(status))
        for at in [at for at in harm if now > at]:
            harm.remove(at)
            try:
                damaged.append(damage(rng, out, shorten=False))  # a mapped file that is cut ends its reader (SIGBUS)
            except FileNotFoundError:
                damaged.append(None)
        time.sleep(0.002)
    damaged += [damage(rng, out, shorten=True) for _ in range(rng.choice([0, 1, 1, 3]))]
    finish(model, data, out, expected, report, log, outcomes)
    return outcomes, [one for one in damaged if one]


def main(folder, runs, seed=0):
    """Do all runs and print what happened; return whether one was wrong."""
    torch.set_num_threads(1)
    # Nothing that is shared by a fork and may be held by a process that is killed: tqdm's lock, and its thread.
    tqdm.set_lock(RLock())
    tqdm.monitor_interval = 0
    logging.basicConfig(filename=folder / "log", level=logging.WARNING)
    model, data = tiny(), make_images(folder / "photos")
    profile(model, data, folder / "warm", **SETTINGS)
    took = math.inf
    for _ in range(3):
        shutil.rmtree(folder / "whole", ignore_errors=True)
        begun = time.monotonic()
        expected = profile(model, data, folder / "whole", **SETTINGS).path.read_bytes()
        took = min(took, time.monotonic() - begun)
    begun = time.monotonic()
    report = (folder / "whole" / "report.json").read_bytes()
    total, harmed, wrong = Counter(), Counter(), []
    for number in range(runs):
        out = folder / f"run {number}"
        with (folder / f"run {number}.log").open("a", buffering=1) as log:
            outcomes, damaged = run(
                random.Random(seed * 1_000_003 + number), model, data, out, expected, report, took, log
            )
        total.update(NAMES.get(code, f"WRONG: exit {code}") for code in outcomes)
        harmed.update(damaged)
        if set(outcomes) - {SAME, SENTENCE, -signal.SIGKILL}:
            wrong.append(number)
        else:
            shutil.rmtree(out)
            (folder / f"run {number}.log").unlink()
    said = (folder / "log").read_text() if (folder / "log").exists() else ""
    sys.stdout.write(json.dumps({"runs": runs, "wrong": wrong, "seconds": round(time.monotonic() - begun, 1),
        "a pass takes": round(took, 3), "processes": dict(total), "shards made again": said.count("is made again"),
        "damaged": dict(sorted(harmed.items()))}, indent=1))  # fmt: skip
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *map(int, sys.argv[2:])))
