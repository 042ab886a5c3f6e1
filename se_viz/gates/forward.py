"""One forward pass of a network that is being read."""

from collections.abc import Iterator
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from se_viz.gates.errors import GatesChanged, NotAnImageModel
from se_viz.gates.instrument import Instrument, Sink, Spot
from se_viz.gates.trace import REJECTIONS
from se_viz.zoo.memory import is_out_of_memory

Array = npt.NDArray[np.float32]


def read(instrument: Instrument, images: Tensor, maps: frozenset[str]) -> list[Array]:
    """One forward pass: z and s (N, C) of each gate in turn, the logits (N, K), then U and X̃ of each gate of ``maps``.

    Args:
        instrument: the network and its gates.
        images: (N, 3, H, W), where the network is and in what it computes in.
        maps: names of gates.

    Raises:
        NotAnImageModel: the network rejects the images, or returns something else than logits (N, K).
        GatesChanged: a gate did not run as it did when it was found.
        RuntimeError: there is no room, see ``zoo.memory.is_out_of_memory``.
    """
    name = type(instrument.network).__name__
    # Grad mode is a thread's own, so it is set here and not once for the network.
    with instrument.reading(maps) as sink, torch.inference_mode():
        try:
            logits = instrument.network(images)
        except REJECTIONS as error:
            if is_out_of_memory(error):
                raise
            raise NotAnImageModel(f"{name} does not take images of shape {tuple(images.shape)}: {error}") from error
        if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
            raise NotAnImageModel(f"{name} returns no logits (N, K), so it is no classifier.")
        tables = _to_host([*_descriptors(instrument, sink, len(images)), logits])
        kept = [_nchw(spot, sink.kept[spot]) for spot in instrument.map_spots if spot.gate.name in maps]
        return [*tables, *(tensor.float().cpu().contiguous().numpy() for tensor in kept)]


def _to_host(tables: list[Tensor]) -> Iterator[Array]:
    """The same tables in memory, moved as one tensor, as every transfer holds up a GPU."""
    flat = torch.cat([table.reshape(-1) for table in tables]).float().cpu().numpy()
    ends = accumulate(table.numel() for table in tables)
    for table, end in zip(tables, ends, strict=True):
        yield flat[end - table.numel() : end].reshape(table.shape)


def _descriptors(instrument: Instrument, sink: Sink, images: int) -> Iterator[Tensor]:
    """Z and s (N, C) of each gate in turn."""
    for spot in instrument.spots:
        gate, value = spot.gate, sink.kept.get(spot)
        finished = None if value is None or value.numel() % images else spot.tap.finish(value, images, gate.channels)
        if finished is None or finished.shape[1] != gate.channels:
            raise GatesChanged(
                f"{gate.name} at {gate.path} did not run as it did when it was found: the network has been changed "
                f"since, or it takes another way for these images. Load it anew."
            )
        yield finished


def _nchw(spot: Spot, maps: Tensor) -> Tensor:
    return maps if spot.gate.layout == "nchw" else maps.movedim(-1, 1)
