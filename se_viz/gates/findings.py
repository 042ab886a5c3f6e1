"""Findings in the calls of a forward pass: products that may be gates, and those that are not, or cannot be read."""

from dataclasses import dataclass, field

from se_viz.gates.channel_products import Product
from se_viz.gates.excitation import Excitation
from se_viz.gates.values import Call, Frame, Value


@dataclass(frozen=True, slots=True, eq=False)
class Event:
    """A call that multiplied maps by one factor per channel, with the maps and the way the factor was computed."""

    call: Call
    product: Product
    excitation: Excitation
    u: Value


@dataclass(slots=True)
class Findings:
    """Findings in the calls of a forward pass.

    Attributes:
        events: the calls that multiplied maps by one factor per channel.
        others: the frames of calls that multiplied maps by other numbers computed from the images, with the reason why
            they are no gates.
        unread: the cases in which maps equal other maps times one factor per channel, but the computation cannot be
            read: the frames that were running, and the name of the call ("" if no call was seen).
        kernels: convolutions whose weights were computed from the images.
        reordered: the frames of calls that put the images of the batch, or of their maps, into another order.
        quantized: whether a quantised tensor was seen.
    """

    events: list[Event] = field(default_factory=list)
    others: list[tuple[tuple[Frame, ...], str]] = field(default_factory=list)
    unread: list[tuple[tuple[Frame, ...], str]] = field(default_factory=list)
    kernels: list[Call] = field(default_factory=list)
    reordered: list[tuple[Frame, ...]] = field(default_factory=list)
    quantized: bool = False
