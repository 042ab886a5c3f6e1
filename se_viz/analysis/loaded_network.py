"""The numbers of a network that is not a demo model, to show beside those of the demo models."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from se_viz.analysis.cost import Cost, cost
from se_viz.analysis.demo_responses import Response, response
from se_viz.gates.capture import Capture
from se_viz.gates.clone import clone_sharing_weights
from se_viz.model.model import Model
from se_viz.profiles.class_profiles import ClassProfiles
from se_viz.types import AnyFloats


@dataclass(frozen=True, slots=True)
class Measured:
    """Responses of the gates of a network to some images.

    Attributes:
        images: number of images.
        of: the images in words: "the 4 chosen images".
        gates: responses by name of the gate, in execution order; gates whose s is not finite are left out.
        left_out: names of the gates that are left out.
    """

    images: int
    of: str
    gates: dict[str, Response]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadedNetwork:
    """A network that is not a demo model.

    Attributes:
        name: its name as the user named it.
        gates: names of its gates, in execution order.
        side: side of its square input, in pixels.
        cost: its parameters and multiply-accumulates.
        measured: responses of its gates; None if there are fewer than two images.
    """

    name: str
    gates: tuple[str, ...]
    side: int
    cost: Cost
    measured: Measured | None = None


def cost_of(model: Model) -> Cost:
    """Count parameters and multiply-accumulates of a model's network as published, for one image of its input size.

    The hooks of the count are on a copy that shares the weights, so captures of the model are not disturbed.

    Raises:
        InstrumentError: the network does not accept a square image of the height of its input.
    """
    return cost(clone_sharing_weights(model.network), model.preprocess.crop[0], model.gates)


def from_capture(capture: Capture) -> Measured | None:
    """Return the responses to the images of a capture; None for a single image."""
    if capture.images < 2:
        return None
    return _measured(capture.images, f"the {capture.images} chosen images", ((one.gate.name, one.s) for one in capture))


def from_profiles(profiles: ClassProfiles) -> Measured | None:
    """Return the responses to the images of class profiles; None without s of two single images."""
    images = int(profiles.counts.sum())
    if not profiles.header.images or images < 2:
        return None
    named = " and ".join(source.name for source in profiles.header.sources)
    return _measured(
        images,
        f"its class profiles ({named}, {images:,} images)",
        ((gate.name, gate.images().astype(np.float32)) for gate in profiles),
    )


def _measured(images: int, of: str, gates: Iterable[tuple[str, AnyFloats]]) -> Measured:
    found: dict[str, Response] = {}
    left_out = []
    for name, s in gates:
        if np.isfinite(s).all():
            found[name] = response(s.astype(np.float32))
        else:
            left_out.append(name)
    return Measured(images, of, found, tuple(left_out))
