"""The search for products of maps and factors among what the calls of a forward pass take and make."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.channel_products import (
    adds_first,
    find_product,
    is_convolution,
    is_normalisation,
    is_plain,
    is_scaled,
    may_multiply,
    may_reorder,
    mixes,
    name_of,
    of_several,
)
from se_viz.gates.excitation import follow
from se_viz.gates.findings import Event, Findings
from se_viz.gates.known_values import KnownValues, readable
from se_viz.gates.other_products import PER_BRANCH, SUMMED, other_product
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.values import Call, Frame


class ProductSearch:
    """A search in a forward pass that is running.

    Args:
        images: N, the number of images of the pass.
        values: what is known of the tensors of the pass.
        findings: what the search adds to.
    """

    def __init__(self, images: int, values: KnownValues, findings: Findings) -> None:
        self._count = images
        self._values = values
        self._found = findings
        # Calls that multiplied values in an order of axes in which no factor per channel was recognised, and those that
        # only rearranged what such a call made.
        self._unexplained: set[Call] = set()

    def look(
        self, call: Call, inputs: list[Tensor], inputs_before: list[Tensor], outputs: list[Tensor], weight: object
    ) -> None:
        """Record what a call computed; for tensors that do not do what this takes, that they cannot be read."""
        try:
            self._look_for_products(call, inputs, inputs_before, outputs)
            self._look_at_kind(call, inputs, outputs, weight)
        except REJECTIONS as error:
            kinds = dict.fromkeys(
                type(t).__name__ for t in (*inputs, *outputs) if type(t) not in (Tensor, nn.Parameter)
            )
            if is_out_of_memory(error) or not kinds:
                raise
            self._found.unread.append((call.frames, f"tensors of the class {', '.join(kinds)}"))

    def look_at_unseen(self, maps: Tensor, frames: tuple[Frame, ...]) -> None:
        """Record maps that no call has made if they equal other maps times a factor per channel."""
        if any(is_scaled(readable(maps), other) for other in self._values.maps_like(maps)):
            self._found.unread.append((frames, ""))

    def look_at_module(self, output: object, inputs: object, frames: tuple[Frame, ...]) -> None:
        """Record a module whose calls are not seen if its output equals its input times a factor per channel."""
        if not (isinstance(output, Tensor) and isinstance(inputs, Tensor) and self._values.get(output) is None):
            return
        if output.is_nested or inputs.is_nested:
            return
        if self._values.find(output) is not None:
            return
        # What the module multiplied may be its input, or maps that it has computed.
        if any(is_scaled(readable(output), maps) for maps in (readable(inputs), *self._values.maps_like(output))):
            self._found.unread.append((frames, ""))
            self._values.note_map(output)

    def _look_at_kind(self, call: Call, inputs: list[Tensor], outputs: list[Tensor], weight: object) -> None:
        """Record convolutions and normalisations whose weights are computed from the images, and other orders."""
        if is_convolution(call.function) and (kernels := self._values.get(weight)) and kernels.call:
            self._found.kernels.append(call)
        if is_normalisation(call.function) and any(v.call for v in map(self._values.get, inputs[1:]) if v):
            self._found.unread.append((call.frames, name_of(call.function)))
        if len(outputs) == 1 and may_reorder(call.function) and self._reorders(inputs, outputs[0]):
            self._found.reordered.append(call.frames)

    def _reorders(self, inputs: Sequence[Tensor], output: Tensor) -> bool:
        """Return whether a call returned the images in another order, or in one that it has computed from them."""
        source, value = inputs[0], self._values.get(inputs[0])
        if value is None or not value.is_map or output.shape != source.shape or len(output) != self._count:
            return False
        indices = [self._values.get(index) for index in inputs[1:] if index.shape[:1] == output.shape[:1]]
        computed = any(index is not None and index.shape == output.shape[:1] for index in indices)
        return computed or (not torch.equal(output, source) and torch.equal(output, source.flip(0)))

    def _look_for_products(
        self, call: Call, inputs: list[Tensor], inputs_before: list[Tensor], outputs: list[Tensor]
    ) -> None:
        """Record the products of maps and factors among what a call took, and what it made."""
        if len(inputs) == len(outputs) == 1 and self._rearranges(call, inputs[0], outputs[0]):
            return
        multiplies = may_multiply(call.function) and len(inputs) > 1
        joins = len(call.inputs) > 1 or mixes(call.function)
        if not multiplies and not joins:
            return  # before anything is read: to read a tensor of another class may take a copy
        outputs = [readable(tensor) for tensor in outputs]
        inputs_before = [readable(tensor) for tensor in inputs_before]
        if of_several(call.function):
            lists = len(inputs) // max(1, len(outputs))
            groups = [[at * len(outputs) + item for at in range(lists)] for item in range(len(outputs))]
        else:
            groups = [list(range(len(inputs)))]
        for item, tensor in enumerate(outputs):
            group = groups[min(item, len(groups) - 1)]
            if multiplies and self._note_product(call, inputs, inputs_before, tensor, group, item):
                continue
            if joins:
                self._check_scaled(call, inputs, inputs_before, tensor, group)

    def _note_product(
        self,
        call: Call,
        inputs: list[Tensor],
        inputs_before: list[Tensor],
        output: Tensor,
        group: Sequence[int],
        item: int,
    ) -> bool:
        """Record a call that may multiply, and return whether this tells all that it computed.

        ``group`` has the positions of the tensors from which ``output``, number ``item`` of the results, was computed.
        """
        product = find_product(call.function, [inputs_before[at] for at in group], output, self._count)
        if product is not None:
            product = replace(product, u=group[product.u], s=group[product.s], item=item)
        if product is not None and not product.whole and self._note_other(call, inputs, inputs_before, output, group):
            return True  # maps with other axes in front, and not parts of images
        u = None if product is None else self._values.get(inputs[product.u])
        # For a part of the images, a factor that was not computed from them is a constant.
        if product is not None and u is not None and (product.whole or self._values.get(inputs[product.s])):
            maps = inputs_before[product.u] if product.layout == "nchw" else inputs_before[product.u].movedim(-1, 1)
            excitation = follow(self._values.get(inputs[product.s]), u, maps, product.factor)
            self._found.events.append(Event(call, product, excitation, u))
            return True
        if self._note_other(call, inputs, inputs_before, output, group):
            return True
        if product is None and len(call.inputs) > 1:
            self._unexplained.add(call)
        return product is not None or (is_plain(call.function) and not output.is_complex())

    def _note_other(
        self, call: Call, inputs: list[Tensor], inputs_before: list[Tensor], output: Tensor, group: Sequence[int]
    ) -> bool:
        """Record a call that multiplied maps by other numbers than a factor per channel, and return whether it did."""
        values = [self._values.get(inputs[at]) for at in group]
        reason = other_product(call.function, [inputs_before[at] for at in group], values, output, self._count)
        if reason in (PER_BRANCH, SUMMED) and not self._values.has_maps(output.numel()):
            return False  # a sum over pixels, as of a squeeze that weighs them
        if reason:
            self._found.others.append((call.frames, reason))
        return bool(reason)

    def _check_scaled(
        self, call: Call, inputs: list[Tensor], inputs_before: list[Tensor], output: Tensor, group: Sequence[int]
    ) -> None:
        """Record a call that is not a known product if its output still equals maps times a factor per channel."""
        if self._holds_product(call, steps=4):
            return  # u + s · u, or u + w · (s · u) + b, whose product is seen
        if self._note_other(call, inputs, inputs_before, output, group):
            return
        first = inputs_before[group[0]]
        pairs = [
            (output, inputs_before[at])
            for at in group
            if inputs_before[at].shape == output.shape and self._values.get(inputs[at]) is not None
        ]
        if adds_first(call.function) and first.shape == output.shape:
            pairs += [(output - first, maps) for _, maps in pairs]
            pairs += [(output - first, maps - first) for _, maps in pairs]  # lerp: x + s · (u - x)
        elif is_convolution(call.function) and output.ndim > 2:
            # An addition of one number per channel: a bias.
            pairs += [(_centred(output), _centred(maps)) for _, maps in pairs]
        elif output.ndim == 4 and (not pairs or mixes(call.function) or call.function is Tensor.__setitem__):
            # Assembled from parts, or computed together.
            pairs = [(output, maps) for maps in self._values.maps_like(output)]
        # Images may lie beside each other among the channels, (1, N · C, H, W), as for a grouped convolution.
        folded = output.ndim == 4 and len(output) == 1 < self._count and output.shape[1] % self._count == 0
        if output.is_complex():
            pairs = [(one.abs(), maps.abs()) for one, maps in pairs]
        if folded:
            pairs = [
                (one.reshape(self._count, -1, *one.shape[2:]), two.reshape(self._count, -1, *two.shape[2:]))
                for one, two in pairs
            ]
        if any(is_scaled(one, two) for one, two in pairs):
            self._found.unread.append((call.frames, name_of(call.function)))

    def _rearranges(self, call: Call, source: Tensor, output: Tensor) -> bool:
        """Return whether a call rearranged what an unexplained multiplication has made; record the gate if it is one.

        For maps in the order (H, W, N, C) only this shows that each channel was multiplied by one number.
        """
        value = self._values.get(source)
        origin = None if value is None else value.origin.call
        if origin not in self._unexplained or output.numel() != source.numel():
            return False
        self._unexplained.add(call)
        maps = readable(output)
        if len(maps) == self._count and any(is_scaled(maps, other) for other in self._values.maps_like(maps)):
            self._found.unread.append((call.frames, name_of(call.function)))
        return True

    def _holds_product(self, call: Call, steps: int) -> bool:
        """Return whether an input of a call was made from a product within ``steps`` calls in the same module."""
        products = {id(event.call) for event in self._found.events}
        calls = {id(one): one for value in call.inputs if (one := value.origin.call) is not None}
        for _ in range(steps):
            if products & calls.keys():
                return True
            calls = {
                id(inner): inner
                for one in calls.values()
                if one.frames[-1:] == call.frames[-1:]
                for value in one.inputs
                if (inner := value.origin.call) is not None
            }
        return False


def _centred(maps: Tensor) -> Tensor:
    """Return maps (N, C, …) with the mean of each channel taken away."""
    return maps - maps.mean(tuple(range(2, maps.ndim)), keepdim=True)
