"""The small form of an atlas that ships with a demo model: what the page draws, rounded and compressed.

Of s by gate, class and channel: mean, standard deviation and seven quantiles from the lowest to the highest, rounded
as ``rounding`` says; nothing of z, and no example images. Quantiles and not a histogram, as they do not repeat what
mean and deviation say already, and so take half the bytes.
"""

import lzma
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from se_viz.atlas.header import GateEntry, Header
from se_viz.atlas.rounding import SHARES, pack_mean, pack_quantiles, pack_std, unpack_mean, unpack_std
from se_viz.atlas.store import Atlas, open_atlas
from se_viz.atlas.tensors import Array, Spec, write

# No neighbour foretells a number here, so the coder is told not to look for one.
_FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 1, "pb": 1}]


def compact(atlas: Atlas, path: str | Path) -> Atlas:
    """Write the compact form of an atlas with single images, ``profile(…, images=True)``.

    It answers all questions about s that need no single image; it is not merged.

    Args:
        atlas: the exact atlas.
        path: of the file, which should end in ``.safetensors.xz``.

    Raises:
        NotInAtlas: the atlas has no single images, from which the quantiles are taken.
    """
    path = Path(path)
    labels = atlas.table.labels.astype(np.int64)
    header = replace(atlas.header, form="compact", images=False, examples=0)
    whole = path.with_name(path.name + ".whole")
    write(
        whole,
        header.to_metadata(),
        (spec for gate in header.gates for spec in _specs(gate, header)),
        (array for gate in header.gates for array in _arrays(atlas, gate, labels)),
    )
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_bytes(lzma.compress(whole.read_bytes(), format=lzma.FORMAT_XZ, filters=_FILTERS))
    unfinished.replace(path)
    whole.unlink()
    return open_atlas(path)


def _specs(gate: GateEntry, header: Header) -> Iterator[Spec]:
    shape = (len(header.classes), gate.channels)
    yield Spec(f"{gate.name}.base", "uint16", (gate.channels,))
    yield Spec(f"{gate.name}.mean", "int16", shape)
    yield Spec(f"{gate.name}.std", "uint8", shape)
    yield Spec(f"{gate.name}.quantiles", "int8", (len(SHARES), *shape))


def _arrays(atlas: Atlas, gate: GateEntry, labels: npt.NDArray[np.int64]) -> Iterator[Array]:
    codes, moments = atlas[gate.name].codes(), atlas[gate.name].s()
    # Classes without images are not asked for what they have none of.
    exact = np.nan_to_num((moments.mean - gate.low) / gate.scale.step)
    base = np.rint(exact.sum(axis=0) / max(1, (moments.count > 0).sum())).astype(np.uint16)
    mean = pack_mean(exact, base)
    std = pack_std(np.nan_to_num(moments.std) / gate.scale.step)
    values = np.zeros((len(SHARES), *exact.shape))
    for label in np.unique(labels):
        values[:, label] = np.quantile(codes[labels == label], SHARES, axis=0)
    yield from (base, mean, std)
    yield pack_quantiles(values, unpack_mean(mean, base), unpack_std(std))
