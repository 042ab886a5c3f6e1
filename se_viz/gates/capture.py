"""Reading z and s of every gate, and U and X̃ of the gates asked for."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from se_viz.gates.errors import GatesChanged, NotAnImageModel
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument, Sink, Spot
from se_viz.gates.model import Images, Model
from se_viz.gates.registry import instrument_of
from se_viz.gates.trace import REJECTIONS, placement

Array = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """One gate on N images, float32.

    Attributes:
        gate: which one.
        z: squeeze descriptor, eq. 2 (N, C).
        s: excitation weights, eq. 3 (N, C).
        u: feature maps into the gate (N, C, H, W), or None if they were not asked for.
        x: recalibrated maps X̃ = s · U, eq. 4 (N, C, H, W), or None.
    """

    gate: Gate
    z: Array
    s: Array
    u: Array | None = None
    x: Array | None = None


@dataclass(frozen=True, slots=True)
class Capture:
    """What one look at N images read.

    Attributes:
        readings: a ``Reading`` for each gate by name, in execution order.
        logits: the network's output (N, K).
    """

    readings: Mapping[str, Reading]
    logits: Array

    def __getitem__(self, name: str) -> Reading:
        """The reading of a gate, for instance ``capture["SE_4_2"]``."""
        try:
            return self.readings[name]
        except KeyError:
            raise KeyError(f"No gate {name!r}; there are {', '.join(self.readings)}") from None

    def __iter__(self) -> Iterator[Reading]:
        """Readings in execution order."""
        return iter(self.readings.values())

    def __len__(self) -> int:
        """How many gates were read; the number of images is ``len(capture.logits)``."""
        return len(self.readings)


def capture(
    network: Model | Instrument | nn.Module,
    images: Images,
    maps: Collection[str] | None = None,
    *,
    batch: int = 32,
) -> Capture:
    """Run images through a network and read its gates.

    Any number of threads may do so on one network at once. Its mode and gradients are left as they are, and no hook
    stays behind on a network that is not already an ``Instrument``.

    Args:
        network: a ``Model``, or any network, whose gates are then found at its first capture.
        images: preprocessed (N, 3, H, W) on any device; for a ``Model`` also a picture, or several.
        maps: names of the gates whose U and X̃ to keep, for instance ``["SE_5_2"]``.
        batch: images per forward pass, 1 or more.

    Raises:
        KeyError: a name in maps is no gate's.
        NotAnImageModel: the network rejects the images, or returns something else than logits (N, K).
        InstrumentError: the network cannot be read, see ``find_gates``.
    """
    if isinstance(network, Model):
        images, network = network.inputs(images), network.instrument
    if not isinstance(images, Tensor):
        raise NotAnImageModel("A bare network takes preprocessed images (N, 3, H, W): wrap it in a Model for pictures.")
    if images.ndim != 4 or not len(images):
        raise NotAnImageModel(f"Images must be (N, 3, H, W) with N ≥ 1, not {tuple(images.shape)}.")
    if batch < 1:
        raise ValueError(f"batch must be 1 or more, not {batch}.")
    height, width = images.shape[2:]
    instrument = network if isinstance(network, Instrument) else instrument_of(network, (height, width))
    gates = instrument.gates
    wanted = frozenset([maps] if isinstance(maps, str) else maps or ())
    unknown = wanted - {gate.name for gate in gates}
    if unknown:
        raise KeyError(f"No gate {', '.join(sorted(unknown))}; there are {', '.join(gate.name for gate in gates)}")
    device, dtype = placement(instrument.network)
    chunks = images.split(batch) if len(images) > batch else [images]
    parts = [_run(instrument, chunk.to(device, dtype), wanted) for chunk in chunks]
    arrays = iter(parts[0] if len(parts) == 1 else [np.concatenate(same) for same in zip(*parts, strict=True)])
    pairs = {gate.name: (next(arrays), next(arrays)) for gate in gates}
    logits = next(arrays)
    readings = {
        gate.name: Reading(gate, *pairs[gate.name], *((next(arrays), next(arrays)) if gate.name in wanted else ()))
        for gate in gates
    }
    return Capture(readings, logits)


def _run(instrument: Instrument, images: Tensor, maps: frozenset[str]) -> list[Array]:
    """One forward pass: z and s of each gate in turn, the logits, then U and X̃ of each gate of ``maps``."""
    name = type(instrument.network).__name__
    # Grad mode is a thread's own, so it is set here and not once for the network.
    with instrument.reading(maps) as sink, torch.inference_mode():
        try:
            logits = instrument.network(images)
        except torch.OutOfMemoryError:
            raise
        except REJECTIONS as error:
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
