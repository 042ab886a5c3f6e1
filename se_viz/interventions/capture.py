"""Reading of the gates of a model or of any network, with edits of s."""

import warnings
from collections.abc import Callable, Collection, Mapping
from functools import cache

import numpy as np
from torch import nn

from se_viz.gates.capture import Capture, read_gates
from se_viz.gates.errors import NotFiniteValues
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.interventions.baseline import mean_weights
from se_viz.interventions.edits import Edits, Sources, resolve
from se_viz.interventions.suffix import instrument_and_inputs
from se_viz.model.capture import captured
from se_viz.model.model import Images, Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import AnyFloats


def capture(
    network: Model | Instrument | nn.Module,
    images: Images,
    maps: Collection[str | Gate] | None = None,
    *,
    batch: int = 32,
    edits: Edits | None = None,
    profiles: ClassProfiles | None = None,
) -> Capture:
    """Run images through a network and read its gates, with other weights in place of s where ``edits`` say so.

    Where values are NaN or infinite, a ``NotFiniteValues`` warning says which (``Capture.not_finite``).

    Several threads may capture from one network at the same time, each with its own edits. The network's mode and
    gradients are left as they are. No hook stays behind, unless the network is already an ``Instrument``.

    Args:
        network: a ``Model``, or any network, whose gates are then found at its first capture.
        images: preprocessed (N, 3, H, W) on any device; for a ``Model`` also an image or several, as ``Model.inputs``
            takes them.
        maps: the gates whose U and X̃ to keep, or their names, for instance ``["SE_5_2"]``.
        batch: images per forward pass, 1 or more. Where the device has no room for a batch, the rest is read in
            batches of half as many, down to single images.
        edits: what multiplies U instead of s, by a gate's name, "stage 4" or "all": a number, C numbers, (N, C),
            "mean", ``mean_of(class)``, ``swap(image)``, ``shuffle(seed)``, ``scale(factor)``, or {channel: any of
            these}. ``GateCapture.s`` is s as computed, in a pass with all edits; ``GateCapture.s_applied`` is what
            multiplied U.
        profiles: where "mean" is taken from; the bundled class profiles of a demo model if not given.

    Raises:
        KeyError: a name in maps or edits is not that of a gate, or there is no such channel.
        ValueError, TypeError: an edit is not one of these, or does not fit the gate.
        NoMean: no class profiles say what the mean is.
        InputRefused: the images cannot be read as images, or their layout or range is unknown.
        NotAnImageModel: the network rejects the images.
        InstrumentError: the network cannot be read, see ``find_gates``; or it has been changed since its gates were
            found, or makes other calls for these images.
        DeviceFull: the device has no room for a single image.
    """
    if edits is None or (isinstance(edits, Mapping) and not edits):
        read = captured(network, images, maps, batch=batch)
    else:
        read = _edited(network, images, maps, batch, edits, profiles)
    if said := read.not_finite:
        warnings.warn(said, NotFiniteValues, stacklevel=2)
    return read


def _edited(
    network: Model | Instrument | nn.Module,
    images: Images,
    maps: Collection[str | Gate] | None,
    batch: int,
    edits: Edits,
    profiles: ClassProfiles | None,
) -> Capture:
    instrument, inputs = instrument_and_inputs(network, images)
    computed: Callable[[], Capture] = cache(lambda: read_gates(instrument, inputs, batch=batch))

    def computed_of(image: object, gate: str) -> AnyFloats:
        other = captured(network, image, batch=batch)  # type: ignore[arg-type]  # which says what is no image
        if other.images != 1:
            raise ValueError(f"swap takes one image, not {other.images}.")
        return other[gate].s

    def mean(gate: str, name: str | None) -> AnyFloats:
        channels = instrument.gate(gate).channels
        return np.asarray(mean_weights(network, gate, profiles, name, channels=channels))

    sources = Sources(len(inputs), lambda gate: computed()[gate].s, computed_of, mean)
    return read_gates(instrument, inputs, maps, batch=batch, edits=resolve(edits, instrument.gates, sources))
