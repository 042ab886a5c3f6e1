"""What a child process is asked to do in tests; some of it harms the process that does it."""

import ctypes
import os
import sys
import time
from pathlib import Path

import numpy as np


class Ours(ValueError):
    pass


class Other(ValueError):
    pass


def echo(*values):
    return list(values)


def kinds(*values):
    return [type(value).__name__ for value in values]


def mean(array):
    return {"mean": float(np.mean(array)), "plus": array + 1}


def pid():
    return os.getpid()


def main_module():
    return str(getattr(sys.modules["__main__"], "__file__", ""))


def fill(size):
    return len(bytearray(b"x") * size)


def many(size):
    return bytes(size)


def names(count):
    return ["x" * 100] * count


def spin():
    while True:
        pass


def spin_holding_the_interpreter():
    hash_me = ()
    for _ in range(60):
        hash_me = (hash_me, hash_me)
    return hash(hash_me)


def sleep(seconds, pipe=""):
    """Say who sleeps, through a named pipe, and sleep."""
    if pipe:
        with Path(pipe).open("w") as file:
            file.write(str(os.getpid()))
    time.sleep(seconds)


def crash():
    ctypes.string_at(0)


def leave():
    os._exit(7)


def write(path):
    Path(path).write_bytes(b"x")


def refuse(kind, *arguments):
    raise {"ours": Ours, "other": Other}[kind](*arguments)


def object_of_code():
    return Ours


def babble(content):
    """Write to whatever the child speaks through, past its protocol."""
    for number in range(3, 10):
        try:
            os.write(number, content)
        except OSError:
            continue
    os._exit(0)


def limits_of_files():
    import resource

    return resource.getrlimit(resource.RLIMIT_CORE)[0]
