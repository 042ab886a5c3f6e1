"""The index of tensor names, ``file_kinds.npz``, by which the architectures for the tensors of a file are found.

It contains a sample of the tensors of every architecture (the smallest hashes of name and shape, "bottom-k MinHash"),
so the share of tensors in common with a file is estimated without building the architecture. Made by
``python -m se_viz discover --names``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt
from torch import Tensor

from se_viz.disk.atomic import replacing
from se_viz.disk.sole_writer import sole_writer
from se_viz.types import Int32s, UInt32s
from se_viz.weights.key_wrappers import endings
from se_viz.weights.meta_model import sketched
from se_viz.zoo import libraries

PATH = Path(__file__).with_name("names.npz")

# Number of hashes of each architecture: the standard deviation of the estimated share is 9%.
_KEPT = 32

# Maximum number of tensors of a file that is looked up; no network has more.
_MOST = 20_000

# Bytes of each hash.
_BYTES = 4


@dataclass(frozen=True, slots=True)
class Alike:
    """Architectures whose tensors have the same names and shapes.

    Attributes:
        models: names of the architectures, for instance ("timm/efficientnet_b0", "timm/tf_efficientnet_b0").
        share: tensors in common with the file as a share of those in either, 0–1; an estimate.
    """

    models: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class _Index:
    """The index of M architectures in G groups of equal tensors.

    Attributes: ``models`` (M,) names, ``group`` (M,) row of each, ``sizes`` (G,) tensors, ``hashes`` (G, K).
    """

    models: npt.NDArray[np.str_]
    group: Int32s
    sizes: Int32s
    hashes: UInt32s


def likely(state: Mapping[str, Tensor], path: Path = PATH) -> list[Alike]:
    """Return the architectures that the tensors of a file may be for, the most likely first, by the index alone.

    Prefixes of the names and wrappers in them are ignored.

    Args:
        state: tensors of the file.
        path: path of the index; if it does not exist, the list is empty.
    """
    if not path.exists() or not 0 < len(state) <= _MOST:
        return []
    index = _read(path)
    by_prefix: dict[str, set[int]] = {}
    for name, tensor in state.items():
        for prefix, rest in endings(name):
            by_prefix.setdefault(prefix, set()).add(_hash(rest, tuple(tensor.shape)))
    known = np.unique(index.hashes)
    # A prefix of few names is the name of a module of the network.
    tried = sorted(by_prefix, key=lambda prefix: -len(by_prefix[prefix]))[:100]
    best = np.zeros(len(index.sizes))
    for prefix in tried:
        found = by_prefix[prefix]
        hits = np.isin(index.hashes, np.intersect1d(known, np.fromiter(found, np.uint32, len(found))))
        kept = np.minimum(index.sizes, index.hashes.shape[1])
        both = hits.sum(1) / kept * index.sizes
        best = np.maximum(best, both / (index.sizes + np.maximum(len(found) - both, 0)))
    order = np.argsort(-best, kind="stable")
    return [
        Alike(tuple(index.models[index.group == row].tolist()), float(best[row])) for row in order[:20] if best[row] > 0
    ]


def make(path: Path, wanted: Callable[[str], bool], report: Callable[[str], None]) -> None:
    """Write the index of every architecture of the libraries that is ``wanted``, from sketches.

    Raises:
        InUse: another process is writing ``path``.
        WriteFailed: ``path`` cannot be written.
    """
    with sole_writer(path):
        _write(path, _sketch_all(wanted, report))


def _sketch_all(wanted: Callable[[str], bool], report: Callable[[str], None]) -> _Index:
    rows: dict[tuple[int, ...], int] = {}
    sizes: list[int] = []
    placed: dict[str, int] = {}
    for name in filter(wanted, libraries.architectures()):
        library, plain, _ = libraries.split(name)
        try:
            state = sketched(lambda: library.create(plain)).state_dict()  # noqa: B023 - called at once
        except Exception as error:  # noqa: BLE001 - networks without numbers fail in many ways
            report(f"{name} is left out: {type(error).__name__}")
            continue
        hashes = sorted({_hash(key, tuple(tensor.shape)) for key, tensor in state.items()})
        if tuple(hashes) not in rows:
            rows[tuple(hashes)] = len(sizes)
            sizes.append(len(hashes))
        placed[name] = rows[tuple(hashes)]
        report(name)
    table = np.zeros((len(sizes), _KEPT), np.uint32)
    for hashes_of, row in rows.items():
        smallest = hashes_of[:_KEPT]
        # The hashes of a network with fewer tensors are filled up with 0, which is not a hash of any tensor.
        table[row, : len(smallest)] = smallest
    return _Index(np.array(list(placed)), np.array(list(placed.values()), np.int32), np.array(sizes, np.int32), table)


def _write(path: Path, index: _Index) -> None:
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.savez_compressed(file, models=index.models, group=index.group, sizes=index.sizes, hashes=index.hashes)


@cache
def _read(path: Path) -> _Index:
    with np.load(path, allow_pickle=False) as stored:
        return _Index(stored["models"], stored["group"], stored["sizes"], stored["hashes"])


def _hash(name: str, shape: Iterable[int]) -> int:
    text = f"{name} {'x'.join(map(str, shape))}".encode(errors="replace")
    return int.from_bytes(blake2b(text, digest_size=_BYTES).digest(), "little") or 1
