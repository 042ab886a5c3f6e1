"""Imagenette, the ten easy ImageNet classes that the demo networks are trained and evaluated on.

It is read from a folder with ``train/`` and ``val/`` (as ``torchvision.datasets.Imagenette(download=True)`` makes it),
from the folder that contains it, or from a tar file of it, compressed or not. A training takes whole splits, so this
does not go through ``dataset_sources.dataset``, which finds single images and therefore reads plain tar files only.
"""

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias

import numpy as np
from PIL import Image

from se_viz.types import Int64s, UInt8s

Split: TypeAlias = Literal["train", "val"]

# WordNet ids in the order of the logits, named as ImageNet names them.
CLASSES = {
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03000684": "chain saw",
    "n03028079": "church",
    "n03394916": "French horn",
    "n03417042": "garbage truck",
    "n03425413": "gas pump",
    "n03445777": "golf ball",
    "n03888257": "parachute",
}


@dataclass(frozen=True)
class Labelled:
    """Images of one size and their classes.

    Attributes:
        pixels: uint8 (N, 3, H, W).
        labels: int64 (N,), indices into CLASSES.
        names: names of the files (N,).
        sha256: sha256 of each file, hexadecimal (N,); empty for images that were not read from files.
    """

    pixels: UInt8s
    labels: Int64s
    names: tuple[str, ...]
    sha256: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


def load(path: Path, split: Split, pixels: Callable[[Image.Image], UInt8s]) -> Labelled:
    """Decode a whole split into memory, sorted by class and file name.

    Args:
        path: a tar file, a folder with ``train/`` and ``val/``, or a folder that holds such a folder.
        split: "train" (9,469 images) or "val" (3,925).
        pixels: RGB image → uint8 (3, H, W), one size for all, for instance ``Preprocess.pixels``.

    Raises:
        FileNotFoundError: no image of the ten classes was found; the message says which names were looked for.
    """
    read = _from_tar if path.is_file() else _from_folder

    def decode(item: tuple[str, bytes]) -> tuple[str, str, UInt8s]:
        name, content = item
        with Image.open(io.BytesIO(content)) as image:
            return name, hashlib.sha256(content).hexdigest(), pixels(image.convert("RGB"))

    with ThreadPoolExecutor() as pool:
        decoded = sorted(pool.map(decode, read(path, split)), key=lambda one: one[0])
    if not decoded:
        raise FileNotFoundError(
            f"No Imagenette images in {path}: looked for {split}/{next(iter(CLASSES))}/*.JPEG and nine more classes. "
            "Get them with torchvision.datasets.Imagenette(root, download=True)."
        )
    order = list(CLASSES)
    return Labelled(
        pixels=np.stack([array for *_, array in decoded]),
        labels=np.array([order.index(name.split("/")[0]) for name, *_ in decoded]),
        names=tuple(name for name, *_ in decoded),
        sha256=tuple(sha256 for _, sha256, _ in decoded),
    )


def _from_folder(path: Path, split: Split) -> Iterator[tuple[str, bytes]]:
    for root in (path, *sorted(path.glob("imagenette2*"))):
        files = [file for wnid in CLASSES for file in sorted((root / split / wnid).glob("*.JPEG"))]
        if files:
            yield from ((f"{file.parent.name}/{file.name}", file.read_bytes()) for file in files)
            return


def _from_tar(path: Path, split: Split) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            parts = PurePosixPath(member.name).parts
            if member.isfile() and len(parts) >= 3 and parts[-3] == split and parts[-2] in CLASSES:
                content = archive.extractfile(member)
                if content is not None:
                    yield f"{parts[-2]}/{parts[-1]}", content.read()
