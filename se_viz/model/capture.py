"""Reading the gates of a model, or of any network."""

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

    Where values are NaN or infinite, a ``NotFiniteValues`` warning says which (``Capture.not_finite``).

    Any number of threads may do so on one network at once. Its mode and gradients are left as they are, and no hook
    stays behind on a network that is not already an ``Instrument``.

    Args:
        network: a ``Model``, or any network, whose gates are then found at its first capture.
        images: preprocessed (N, 3, H, W) on any device; for a ``Model`` also an image or several, as ``Model.inputs``
            takes them.
        maps: the gates whose U and X̃ to keep, or their names, for instance ``["SE_5_2"]``.
        batch: images per forward pass, 1 or more. Where the device has no room for so many, the rest is read in
            batches of half as many, down to single images.

    Raises:
        KeyError: a name in maps is no gate's.
        InputRefused: these are no images, or of an unknown layout or range.
        NotAnImageModel: the network rejects the images.
        InstrumentError: the network cannot be read, see ``find_gates``; or it has been changed since its gates were
            found, or takes another way for these images.
        DeviceFull: the device has no room for a single image.
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
    """``capture`` for callers that look at ``Capture.not_finite`` themselves, or refuse what is not finite."""
    if isinstance(network, Model):
        return read_gates(network.instrument, network.inputs(images), maps, batch=batch)
    return read_gates(network, cast("Tensor", images), maps, batch=batch)  # which says what is no tensor
