"""The folder of downloaded weights. A file there carries the start of its sha256 in its name, as releases do."""

import hashlib
import os
import re
from pathlib import Path

from platformdirs import user_cache_dir

_HASH = re.compile(r"-([0-9a-f]{8,64})\.[^/]+$")


def folder() -> Path:
    """``SE_VIZ_CACHE`` where that is set, else this user's cache folder on this system."""
    own = os.environ.get("SE_VIZ_CACHE")
    return Path(own).expanduser() if own else Path(user_cache_dir("se-viz", appauthor=False))


def hash_in(name: str) -> str | None:
    """The hexadecimal digits (8 to 64) of sha256 that a file name ends in: "ce0d4300" of se_resnet50-ce0d4300.pth."""
    found = _HASH.search(name)
    return found[1] if found else None


def holds(path: Path, sha256: str) -> bool:
    """Whether a file is there and is the one whose sha256 begins with these digits."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(sha256)
