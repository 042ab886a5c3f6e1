"""The way of one channel of one image through a block with a gate: X → V ∗ X → U → z → h → s → X̃ → the output."""

from dataclasses import dataclass

import numpy as np

from se_viz.analysis.channel_change import change, choose_channels
from se_viz.device.memory import raise_if_full
from se_viz.gates.block_values import BlockValues, Operation, block_values
from se_viz.gates.capture import GateCapture
from se_viz.gates.gate import Gate
from se_viz.gates.layer_calls import LayerCall, Products
from se_viz.model.capture import captured
from se_viz.model.model import Images, Model
from se_viz.types import Float32s, Floats
from se_viz.weights.tensor_kinds import singles


@dataclass(frozen=True, slots=True)
class Term:
    """One product of a sum: its place among the inputs, its two factors and their product.

    Attributes:
        place: position of the input: (channel, row, column) of X, or (channel,) of a vector.
        value: the input.
        weight: the weight.
    """

    place: tuple[int, ...]
    value: float
    weight: float

    @property
    def product(self) -> float:
        """Return the product."""
        return self.value * self.weight


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """The way of one channel of one image through a block with a gate.

    z, s, U and X̃ are those that ``capture`` returns; X, V, h, the operations beside them and the output come from a
    pass of the network as published, which agrees with them to 1e-5.

    Attributes:
        gate_capture: the values of the gate for the image, with maps.
        values: the values on the path through the block.
        channel: c, counted from 0.
        size: height and width of the network's input in pixels.
    """

    gate_capture: GateCapture
    values: BlockValues
    channel: int
    size: tuple[int, int]

    @property
    def gate(self) -> Gate:
        """The gate."""
        return self.gate_capture.gate

    @property
    def convolution(self) -> LayerCall | None:
        """The last convolution before the gate; None if no convolution can be followed."""
        return self.values.convolution

    @property
    def x(self) -> Float32s | None:
        """X, the input of this convolution (I, H, W)."""
        return None if self.convolution is None else singles(self.convolution.input)

    @property
    def filter(self) -> Floats | None:
        """The filter v_c of this channel (I / groups, k, k)."""
        return None if self.convolution is None else self.convolution.products(self.channel, (0, 0)).weights

    @property
    def convolved(self) -> Float32s | None:
        """(V ∗ X)_c, with the bias of the convolution if it has one (H, W)."""
        return None if self.convolution is None else singles(self.convolution.output[self.channel])

    @property
    def u(self) -> Float32s:
        """U_c, the map of this channel before the gate (H, W)."""
        u: Float32s = _with_maps(self.gate_capture.u)[0, self.channel]
        return u

    @property
    def x_tilde(self) -> Float32s:
        """X̃_c = s_c · U_c (H, W)."""
        x: Float32s = _with_maps(self.gate_capture.x)[0, self.channel]
        return x

    @property
    def z(self) -> float | None:
        """z_c, the squeeze descriptor of this channel; None if z could not be read."""
        return None if self.gate_capture.z is None else float(self.gate_capture.z[0, self.channel])

    @property
    def s(self) -> float:
        """s_c, the excitation weight of this channel."""
        return float(self.gate_capture.s[0, self.channel])

    @property
    def h(self) -> Float32s | None:
        """The numbers between the two FC layers, (C/r,); None if there are no two layers, or h was not seen."""
        layers = self.values.layers
        return None if layers.h is None else singles(layers.h)

    @property
    def logit(self) -> float | None:
        """The number whose gate function is s_c; None if the last layer was not seen."""
        last = self.values.layers.last
        return None if last is None else float(last.output.detach().reshape(-1)[self.channel])

    @property
    def brightest(self) -> tuple[int, int]:
        """Row and column of the pixel where |U_c| is largest."""
        row, column = np.unravel_index(int(np.abs(self.u).argmax()), self.u.shape)
        return int(row), int(column)

    def products(self, row: int, column: int) -> Products:
        """Return the products that add up to one pixel of (V ∗ X)_c.

        Raises:
            ValueError: there is no such pixel, or no convolution.
        """
        height, width = self.u.shape
        if not (0 <= row < height and 0 <= column < width):
            raise ValueError(f"There is no pixel {row},{column}: rows are 0 to {height - 1}, columns 0 to {width - 1}.")
        if self.convolution is None:
            raise ValueError(f"There is no convolution to open: {self.values.missing}.")
        return self.convolution.products(self.channel, (row, column))

    def pixel_terms(self, row: int, column: int) -> list[Term]:
        """Return the products of one pixel of (V ∗ X)_c, the largest first; those with padding are left out."""
        made = self.products(row, column)
        call = self.convolution
        assert call is not None  # noqa: S101 - products checked it
        (top, left), (down, across) = made.corner, call.dilation
        height, width = call.input.shape[1:]
        terms = [
            Term((made.first + i, top + y * down, left + x * across), float(made.inputs[i, y, x]), float(weight))
            for (i, y, x), weight in np.ndenumerate(made.weights)
            if 0 <= top + y * down < height and 0 <= left + x * across < width
        ]
        return sorted(terms, key=lambda term: -abs(term.product))

    def excitation_terms(self) -> list[Term]:
        """Return the products that add up to ``logit``, in the order of the inputs; the bias is ``excitation_bias``.

        The inputs are h, or z if there is no bottleneck. Empty if the last layer was not seen.
        """
        last = self.values.layers.last
        if last is None:
            return []
        made = self._excitation(last)
        values, weights = made.inputs.reshape(-1), made.weights.reshape(-1)
        start = made.corner[0] if self.values.layers.kind == "neighbours" else made.first
        places = range(start, start + len(values))
        channels = self.gate.channels
        extra = (last.input.numel() - channels) // 2 if self.values.layers.kind == "neighbours" else 0
        return [
            Term(((place - extra) % channels if extra else place,), float(value), float(weight))
            for place, value, weight in zip(places, values, weights, strict=True)
            if extra or 0 <= place < last.input.numel()
        ]

    @property
    def excitation_bias(self) -> float:
        """The bias of the last layer; 0 if it has no bias, or was not seen."""
        last = self.values.layers.last
        return 0.0 if last is None else self._excitation(last).bias

    def hidden_terms(self, number: int) -> list[Term]:
        """Return the products W₁[j, c] · z_c that add up to one number before h, the largest first."""
        first = self.values.layers.first
        if first is None:
            return []
        made = first.products(number, (0,) * (first.weight.ndim - 2))
        values, weights = made.inputs.reshape(-1), made.weights.reshape(-1)
        terms = [
            Term((made.first + at,), float(value), float(weight))
            for at, (value, weight) in enumerate(zip(values, weights, strict=True))
        ]
        return sorted(terms, key=lambda term: -abs(term.product))

    def at(self, operation: Operation, row: int, column: int) -> float:
        """Return the number of this channel after an operation, at one pixel."""
        return float(operation.output[self.channel, row, column])

    def _excitation(self, last: LayerCall) -> Products:
        if self.values.layers.kind == "neighbours":
            return last.products(0, (self.channel,))
        return last.products(self.channel, (0,) * (last.weight.ndim - 2))


def walk(
    model: Model,
    image: Images,
    gate: str | None = None,
    channel: int | None = None,
    *,
    gate_capture: GateCapture | None = None,
) -> Walk:
    """Follow one channel of one image through the block of a gate.

    Args:
        model: the model.
        image: one image, in any form that ``capture`` takes.
        gate: name of the gate; by default the first one, whose maps have most pixels.
        channel: the channel, counted from 0; by default the one that the gate changes most.
        gate_capture: the values of this gate for this image with maps, if it is captured already.

    Raises:
        KeyError: there is no such gate.
        ValueError: there is no such channel, or more than one image.
        GatesChanged: the gate no longer runs.
    """
    inputs = model.inputs(image)
    if len(inputs) != 1:
        raise ValueError(f"One image is followed at a time, not {len(inputs)}.")
    chosen = model.gates[0] if gate is None else model.gate(gate)
    if gate_capture is None:
        gate_capture = captured(model, inputs, [chosen.name])[chosen.name]
    return follow_channel(model, trace_values(model, inputs, gate_capture), gate_capture, channel)


def trace_values(model: Model, image: Images, gate_capture: GateCapture) -> BlockValues:
    """Return the values of one image on the path through the block of a gate, for all channels.

    Args:
        model: the model.
        image: one image.
        gate_capture: the values of the gate for this image, with maps.

    Raises:
        GatesChanged: the gate no longer runs.
        DeviceFull: the device has not enough memory for the image.
    """
    z = None if gate_capture.z is None else gate_capture.z[0]
    with raise_if_full(model.device, "one image"):
        return block_values(model.network, gate_capture.gate, model.inputs(image), z, gate_capture.s[0])


def follow_channel(model: Model, values: BlockValues, gate_capture: GateCapture, channel: int | None = None) -> Walk:
    """Return the way of one channel through values that are traced already; no pass is made.

    Raises:
        ValueError: there is no such channel.
    """
    count = gate_capture.gate.channels
    if channel is None:
        channel = most_changed(gate_capture)
    if not 0 <= channel < count:
        raise ValueError(f"{gate_capture.gate.name} has no channel {channel}: its channels are 0 to {count - 1}.")
    return Walk(gate_capture, values, channel, model.preprocess.crop)


def most_changed(gate_capture: GateCapture) -> int:
    """Return the channel of the image that the gate changes most."""
    return choose_channels(gate_capture.s[0], change(gate_capture)[0], "largest change", 1)[0]


def _with_maps(maps: Float32s | None) -> Float32s:
    if maps is None:
        raise ValueError("The maps of the gate were not captured: pass maps=[gate] to capture.")
    return maps
