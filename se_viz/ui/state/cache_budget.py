"""Limits in bytes for the caches that sessions share; the least recently used entries are removed first."""

from collections.abc import Callable, Hashable, Iterable
from functools import cache
from itertools import chain
from threading import Lock

from torch import Tensor, nn

from se_viz.device.memory import release
from se_viz.gates.capture import Capture
from se_viz.model.model import Model
from se_viz.ui.server.limits import limits
from se_viz.ui.state import device_queue


class ByteBudget:
    """Cache entries in the order of their last use, with the bytes that each holds; thread-safe."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._entries: dict[Hashable, tuple[int, Callable[[], object]]] = {}

    def used(self, key: Hashable, size: int, forget: Callable[[], object]) -> None:
        """Record the use of an entry of ``size`` bytes, and ``forget`` the oldest others over the limit."""
        with self._lock:
            self._entries.pop(key, None)
            self._entries[key] = size, forget
            leaving = []
            while len(self._entries) > 1 and self.held() > self._limit:
                _, old = self._entries.pop(next(iter(self._entries)))
                leaving.append(old)
        for old in leaving:
            old()

    def held(self) -> int:
        """Return the bytes of all entries."""
        return sum(size for size, _ in self._entries.values())


@cache
def models() -> ByteBudget:
    """Return the budget of the models that sessions share, for weights in CPU memory."""
    return ByteBudget(limits().models)


@cache
def captures() -> ByteBudget:
    """Return the budget of the captures and maps that sessions share."""
    return ByteBudget(limits().captures)


def model_bytes(*networks: nn.Module) -> int:
    """Return the bytes of the networks' weights in CPU memory; weights that several of them share count once."""
    tensors = chain.from_iterable(chain(network.parameters(), network.buffers()) for network in networks)
    return _bytes(tensor for tensor in tensors if tensor.device.type == "cpu")


def capture_bytes(capture: Capture) -> int:
    """Return the bytes of a capture's arrays and output."""
    arrays = (array for one in capture for array in (one.z, one.s, one.u, one.x) if array is not None)
    output = capture.output
    parts = output if isinstance(output, list | tuple) else output.values() if isinstance(output, dict) else (output,)
    return sum(array.nbytes for array in arrays) + _bytes(part for part in parts if isinstance(part, Tensor))


def _bytes(tensors: Iterable[Tensor]) -> int:
    storages = (tensor.untyped_storage() for tensor in tensors)
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def release_model(model: Model) -> None:
    """Move a model to the CPU and free its device; a session that still shows it continues on the CPU."""
    device = model.device
    model.close()
    if device.type == "cpu":
        return

    def free() -> None:
        model.network.cpu()
        release(device)

    device_queue.line(str(device)).submit(free)  # not during a capture
