"""Kinds of files by their names: created by a system, an image of a supported format, or one of another format."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePath

from se_viz.data.rejected import shown

SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .avif .gif .bmp .tif .tiff .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
# Folders and files that systems and programs create beside images; names that begin with a dot are skipped, too.
_LEFT_BY_SYSTEMS = frozenset(
    {
        "__macosx",
        "__pycache__",
        "@eadir",
        "$recycle.bin",
        "system volume information",
        "lost+found",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
    }
)
_DRIVE = re.compile(r"^[A-Za-z]:(?=[/\\])")
_RAW = ".3fr .arw .cr2 .cr3 .dng .erf .kdc .mrw .nef .nrw .orf .pef .raf .raw .rw2 .sr2 .srw .x3f"
_FORMATS = (
    dict.fromkeys((".heic", ".heif", ".hif"), "HEIC")
    | dict.fromkeys((".jp2", ".j2k", ".jpf", ".jpx", ".jpm"), "JPEG 2000")
    | dict.fromkeys(_RAW.split(), "camera raw")
    | dict.fromkeys((".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v"), "video")
    | {".zip": "ZIP"}
    | dict.fromkeys((".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"), "archive")
    | {".jxl": "JPEG XL", ".psd": "Photoshop", ".svg": "SVG", ".ico": "ICO", ".tga": "TGA", ".pcx": "PCX"}
    | {".exr": "OpenEXR", ".hdr": "HDR", ".dcm": "DICOM", ".nii": "NIfTI", ".pdf": "PDF", ".npy": "NumPy"}
)
_ADVICE = {
    "archive": "unpack {it}",
    "ZIP": "unpack {it}, or give a ZIP archive by itself, which is read",
    "video": "save frames of {it} as JPEG or PNG",
}


def is_clutter(name: str) -> bool:
    """Return whether a file or folder is hidden or was created by a system, so that it holds no image of the user's."""
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def label_of(path: str) -> str:
    """Return a path safe to show, with ``/`` between its parts; empty if it is hidden or was created by a system."""
    parts = [part for part in re.split(r"[/\\]", _DRIVE.sub("", path)) if part not in ("", ".", "..")]
    return "" if any(map(is_clutter, parts)) else "/".join(map(shown, parts))


def apart(names: Iterable[str]) -> list[str]:
    """Return the names, with a number in each that occurred before: ``a/1.jpg``, ``a/1 (2).jpg``."""
    taken: set[str] = set()
    times: Counter[str] = Counter()
    distinct = []
    for name in names:
        folder, slash, base = name.rpartition("/")
        suffix = PurePath(base).suffix
        new = name
        while new in taken:
            times[name] += 1
            new = f"{folder}{slash}{base.removesuffix(suffix)} ({times[name] + 1}){suffix}"
        taken.add(new)
        distinct.append(new)
    return distinct


def in_turn(labels: Sequence[str], most: int) -> list[int]:
    """Return the indices of files in the order in which they are read: ``most`` of all folders in turn, then the rest.

    Of more files than can be read, the first of each folder are read, so that no folder is missing. Those that are read
    keep their order; without more files than ``most``, all do.

    Args:
        labels: paths from the class folder on, or ``base`` for a file without a folder.
        most: the number of files that are read.
    """
    if len(labels) <= most:
        return list(range(len(labels)))
    times: Counter[str] = Counter()
    turns = []
    for index, label in enumerate(labels):
        folder = label.partition("/")[0] if "/" in label else ""
        turns.append((times[folder], index))
        times[folder] += 1
    order = [index for _, index in sorted(turns)]
    return sorted(order[:most]) + order[most:]


def is_image(name: str) -> bool:
    """Return whether the name has the suffix of a supported image format."""
    return PurePath(name).suffix.lower() in SUFFIXES


def format_of(name: str) -> str:
    """Return the unsupported format that a file's suffix names, if such files may hold images; else an empty string."""
    return _FORMATS.get(name.lower() if name.lower() in _FORMATS else PurePath(name).suffix.lower(), "")


def left_out(suffixes: Mapping[str, int]) -> list[str]:
    """Return sentences on files that are not supported images, from suffix → number of files."""
    formats: Counter[str] = Counter()
    rest: Counter[str] = Counter()
    for suffix, count in suffixes.items():
        called = _FORMATS.get(suffix, "")
        (formats if called else rest)[called or suffix or "without a suffix"] += count
    sentences = [
        f"{_files(count, f'{called} ')} left out: {advice_on(called, count)}."
        for called, count in sorted(formats.items())
    ]
    if rest:
        listed = ", ".join(f"{count:,} {suffix}" for suffix, count in rest.most_common(5))
        more = ", …" if len(rest) > 5 else ""
        why = "as it is not an image" if rest.total() == 1 else "as they are not images"
        sentences.append(f"{_files(rest.total(), 'other ')} left out, {why} ({listed}{more}).")
    return sentences


def advice_on(called: str, count: int) -> str:
    """Return what to do with files of an unsupported format, as ``format_of`` calls it."""
    return _ADVICE.get(called, "convert {it} to JPEG or PNG").format(it="it" if count == 1 else "them")


def _files(count: int, kind: str) -> str:
    return f"1 {kind}file was" if count == 1 else f"{count:,} {kind}files were"
