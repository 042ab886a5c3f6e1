"""Reading of the gates of a model, or of any network."""

from collections.abc import Collection
from typing import cast

from torch import Tensor, nn

from se_viz.gates.capture import Capture, read_gates
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.model.model import Images, Model


def captured(
    network: Model | Instrument | nn.Module,
    images: Images,
    maps: Collection[str | Gate] | None = None,
    *,
    batch: int = 32,
) -> Capture:
    """Return what ``se_viz.capture`` returns without edits; the caller must check ``Capture.not_finite``."""
    if isinstance(network, Model):
        return read_gates(network.instrument, network.inputs(images), maps, batch=batch)
    return read_gates(network, cast("Tensor", images), maps, batch=batch)  # raises an error for anything but a tensor
