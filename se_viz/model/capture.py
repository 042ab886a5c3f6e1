"""Reading of the gates of a model, or of any network."""

import warnings
from collections.abc import Collection
from typing import cast

from torch import Tensor, nn

from se_viz.gates.capture import Capture, read_gates
from se_viz.gates.errors import NotFiniteValues
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.model.model import Images, Model


def capture(
    network: Model | Instrument | nn.Module,
    images: Images,
    maps: Collection[str | Gate] | None = None,
    *,
    batch: int = 32,
) -> Capture:
    """Run images through a network and read its gates.

    If values are NaN or infinite, a ``NotFiniteValues`` warning says which ones (``Capture.not_finite``).

    Any number of threads may call this on one network at the same time. The mode and the gradients of the network are
    not changed, and no hooks remain on a network that is neither a ``Model`` nor an ``Instrument``.

    Args:
        network: a ``Model``, or any network, whose gates are then found at its first capture.
        images: preprocessed images (N, 3, H, W) on any device; for a ``Model`` also one image or several, as
            ``Model.inputs`` takes them.
        maps: the gates whose U and X̃ to keep, or their names, for instance ``["SE_5_2"]``.
        batch: number of images per forward pass, 1 or more. If the device has not enough memory, the remaining images
            are read in batches of half the size, down to single images.

    Raises:
        KeyError: a name in ``maps`` is not the name of a gate.
        InputRefused: ``images`` are not images, or their layout or range is unknown.
        NotAnImageModel: the network rejects the images.
        InstrumentError: the network cannot be read, see ``find_gates``; or it has been changed since its gates were
            found, or runs other code for these images.
        DeviceFull: the device has not enough memory for a single image.
    """
    found = captured(network, images, maps, batch=batch)
    if said := found.not_finite:
        warnings.warn(said, NotFiniteValues, stacklevel=2)
    return found


def captured(
    network: Model | Instrument | nn.Module,
    images: Images,
    maps: Collection[str | Gate] | None = None,
    *,
    batch: int = 32,
) -> Capture:
    """Return the same as ``capture`` without the warning, for callers that check ``Capture.not_finite`` themselves."""
    if isinstance(network, Model):
        return read_gates(network.instrument, network.inputs(images), maps, batch=batch)
    return read_gates(network, cast("Tensor", images), maps, batch=batch)  # raises an error for anything but a tensor
