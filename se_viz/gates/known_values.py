"""Tensors of a forward pass: the calls that made them, and the parameters that they were made from."""

from collections import deque
from collections.abc import Mapping

from torch import Tensor, nn
from torch.utils._pytree import tree_iter
from torch.utils.weak import WeakTensorKeyDictionary

from se_viz.gates.aliases import Aliases
from se_viz.gates.channel_products import name_of
from se_viz.gates.tensor_memory import same_storage, shows, version
from se_viz.gates.values import Call, Value
from se_viz.weights.tensor_kinds import plain

# Number of maps that are kept although nothing else refers to them.
_LATEST = 4

# Functions that return the same numbers in other memory, or in another type.
_COPYING = frozenset({"contiguous", "clone", "to", "float", "half", "bfloat16", "double", "detach", "type", "dropout"})


class KnownValues:
    """The tensors of a forward pass, as far as its calls are seen.

    Args:
        images: the images of the pass (N, 3, H, W).
        parameters: names of the parameters of the network, by identity.
    """

    def __init__(self, images: Tensor, parameters: Mapping[int, str]) -> None:
        self._count = len(images)
        self._parameters = parameters
        # Weak references, so that no feature map lives longer than in a pass that is not watched.
        self._values = WeakTensorKeyDictionary()
        source = Value(None, 0, images.shape, is_map=True, source=None, data=None)
        self._values[images] = source
        self._aliases = Aliases()
        self._aliases.note(images, source)
        self._derived = WeakTensorKeyDictionary()
        self._slices: dict[tuple[object, ...], Value] = {}
        # The last maps, which code whose calls are not seen may have multiplied.
        self._latest: deque[Tensor] = deque(maxlen=_LATEST)

    def get(self, tensor: object) -> Value | None:
        """Return what is known of a tensor; None if the pass has not computed it from its images."""
        return self._values.get(tensor) if isinstance(tensor, Tensor) else None

    def find(self, tensor: Tensor) -> Value | None:
        """Return what is known of a tensor, or of another one in the same memory, as which it counts from then on."""
        value: Value | None = self._values.get(tensor)
        if value is None and (value := self._aliases.find(tensor)) is not None:
            self._values[tensor] = value
        return value

    def may_be_map(self, tensor: Tensor) -> bool:
        """Return whether a tensor of which nothing is known may be maps, made by a script whose calls are not seen."""
        return (
            tensor.ndim == 4
            and len(tensor) == self._count
            and tensor.shape[2:].numel() > 1
            and not isinstance(tensor, nn.Parameter)
            and not self.names(tensor)
            and tensor.is_floating_point()
        )

    def note_map(self, tensor: Tensor) -> Value:
        """Record maps that were made by calls that are not seen, and return what is known of them."""
        value = self._values[tensor] = Value(None, 0, tensor.shape, is_map=True, source=None, data=None)
        return value

    def note_derived(self, result: object, names: tuple[str, ...]) -> None:
        """Record that tensors made from parameters alone (a transposed weight, weight norm) count as parameters."""
        for tensor in tree_iter(result) if names else ():
            if isinstance(tensor, Tensor):
                self._derived[tensor] = names

    def names(self, tensor: Tensor) -> tuple[str, ...]:
        """Return the names of the parameters that a tensor is, or was made from."""
        name = self._parameters.get(id(tensor))
        return (name,) if name is not None else self._derived.get(tensor, ())

    def has_maps(self, numel: int) -> bool:
        """Return whether there still are maps (N, C, H, W) with this number of elements."""
        return any(
            tensor.ndim == 4 and tensor.numel() == numel and tensor.shape[2:].numel() > 1 and value.is_map
            for tensor, value in list(self._values.items())
        )

    def maps_like(self, maps: Tensor) -> list[Tensor]:
        """Return the other tensors of the pass that still exist and have the same shape."""
        return [readable(tensor) for tensor in list(self._values) if tensor is not maps and tensor.shape == maps.shape]

    def note(self, call: Call, item: int, tensor: Tensor, sources: list[Tensor], written: set[int]) -> None:
        """Record a tensor that a call has made or written to.

        Args:
            call, item: the call, and the position of the tensor among those that it made.
            tensor: the tensor.
            sources: the tensors that the call took.
            written: the identities of those that it wrote to.
        """
        shape = tensor.shape
        maps = [value.numel for value in call.inputs if value.is_map]
        axes = sum(length > 1 for length in shape[1:])
        is_map = bool(maps) and not (axes <= 1 and tensor.numel() < max(maps))
        value = Value(call, item, shape, is_map, None, None)
        for source in sources:
            known = self._values.get(source)
            # An in-place operation returns the tensor that it took, with other numbers.
            copies = name_of(call.function) in _COPYING and tensor.shape == source.shape
            same = source is tensor or shows(tensor, source) or copies
            if known is not None and same and id(source) not in written and call.function is not Tensor.__setitem__:
                # A map that only gave the shape (``expand_as``) is not shown.
                value.source, value.is_map = known.origin, known.is_map
                break
        for source in sources if len(sources) == 1 else ():
            known = self._values.get(source)
            key = self._slice(tensor, source, known) if known is not None else None
            if key is not None:
                # The same part taken again has the same numbers.
                first = self._slices.setdefault(key, value)
                value.source = None if first is value else first.origin
        longest = max((length for length in shape[1:]), default=1)
        if tensor.is_floating_point() and 0 < tensor.numel() <= 4 * len(tensor if tensor.ndim else [0]) * longest:
            value.data = readable(tensor).detach().clone()
        if is_map and tensor.ndim == 4:
            self._latest.append(tensor)
        self._values[tensor] = value
        self._aliases.note(tensor, value)

    def _slice(self, tensor: Tensor, source: Tensor, known: Value) -> tuple[object, ...] | None:
        """Return a key that identifies a part of a tensor; None if ``tensor`` is not a part of ``source``."""
        if tensor.numel() >= source.numel() or not same_storage(tensor, source):
            return None
        return id(known.origin), version(source), tensor.storage_offset(), tensor.shape, tensor.stride()


def readable(tensor: Tensor) -> Tensor:
    """Return a tensor that can be computed with beside plain ones, if there is one with the same numbers."""
    if type(tensor) in (Tensor, nn.Parameter):
        return tensor
    table = plain(tensor)
    return tensor if table is None else table
