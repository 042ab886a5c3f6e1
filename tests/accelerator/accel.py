"""A device that is not the CPU, on any machine: "accel:0" and "accel:1", whose tensors are computed by the CPU.

Torch takes it for an accelerator, as it does a GPU: ``torch.accelerator`` names it, ``torch.accel`` tells its memory,
of which there is as much as a test says, and an operation that is given tensors of two devices fails. From the import
of this module on it is the accelerator of the whole process.
"""

import threading
import weakref
from collections import Counter
from contextlib import contextmanager
from functools import cache

import torch
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils.backend_registration import _DummyBackendModule, _setup_privateuseone_for_python_backend

DEVICES = 2
_aten = torch.ops.aten
_COPIES = {_aten.copy_.default, _aten._to_copy.default}
_lock = threading.RLock()  # reentrant, as a tensor may be collected in the middle of a count


class Memory:
    """Bytes of a device: all that it has, those of its tensors (now, and at most), and those kept for later tensors."""

    def __init__(self):
        self.total = 8 << 30
        self.live = self.kept = self.peak = 0
        self._users = Counter()

    @property
    def free(self):
        return self.total - self.live - self.kept

    def take(self, storage):
        """Count a storage that a tensor uses; the error of a full GPU if there is no room."""
        address, size = storage.data_ptr(), storage.nbytes()
        with _lock:
            if not self._users[address]:
                if self.live + size > self.total:
                    raise torch.OutOfMemoryError(f"Accelerator out of memory. Tried to allocate {size} bytes.")
                self.live += size
                self.peak = max(self.peak, self.live)
                self.kept = max(0, min(self.kept - size, self.total - self.live))
            self._users[address] += 1
        return address, size

    def give(self, address, size):
        """End the use of a storage by one tensor."""
        with _lock:
            self._users[address] -= 1
            if not self._users[address]:
                self.live -= size
                self.kept += size

    @contextmanager
    def limited(self, free):
        """Inside the block the device has this number of bytes beside those of the tensors on it."""
        before = self.total
        self.total, self.kept = self.live + int(free), 0
        try:
            yield
        finally:
            self.total = before


memory = [Memory() for _ in range(DEVICES)]
fetched: list[torch.Size] = []  # shapes of what went from the device to the CPU


class AccelTensor(torch.Tensor):
    """A tensor of the device; ``numbers`` are what it holds, on the CPU."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # as of a plain tensor

    @staticmethod
    def __new__(cls, inner, index):
        return torch.Tensor._make_wrapper_subclass(
            cls,
            inner.size(),
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=f"accel:{index}",
        )

    def __init__(self, inner, index):
        self.numbers = inner
        weakref.finalize(inner, memory[index].give, *memory[index].take(inner.untyped_storage())).atexit = False

    def __repr__(self):
        return f"{self.numbers}, on {self.device}"

    def __reduce_ex__(self, protocol):
        # As torch saves those of devices without storages.
        rebuild = torch._utils._rebuild_device_tensor_from_cpu_tensor
        return rebuild, (self.numbers, self.dtype, str(self.device), self.requires_grad)

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return _run(func, *args, **(kwargs or {}))


def _leaves(value):
    """The tensors and other values in arguments; torch nests them in lists and tuples only."""
    if type(value) in (list, tuple):
        for one in value:
            yield from _leaves(one)
    else:
        yield value


def _mapped(function, kind, value):
    """The same arguments or results with a function applied to those of a kind."""
    if isinstance(value, kind):
        return function(value)
    if type(value) in (list, tuple):
        return type(value)(_mapped(function, kind, one) for one in value)
    return value


@cache
def _aliases(func):
    """Whether an operation returns views of its arguments, or changes them."""
    return any(one.alias_info is not None for one in (*func._schema.arguments, *func._schema.returns))


def _numbers(tensor):
    return tensor.numbers


def _run(func, *args, **kwargs):
    """An operation on tensors of the device, or one that makes them, computed on the CPU."""
    tensors = [value for value in _leaves((*args, *kwargs.values())) if isinstance(value, torch.Tensor)]
    devices = {tensor.device for tensor in tensors if tensor.ndim or tensor.device.type != "cpu"}
    if len(devices) > 1 and func not in _COPIES:
        raise RuntimeError(f"Expected all tensors of {func} to be on the same device, not on {devices}.")
    to = kwargs.get("device") or (args[0].device if func is _aten.copy_.default else devices.pop())
    plain_args = _mapped(_numbers, AccelTensor, args)
    plain_kwargs = {name: _mapped(_numbers, AccelTensor, value) for name, value in kwargs.items()}
    if "device" in kwargs:
        plain_kwargs["device"] = "cpu"
    out = func(*plain_args, **plain_kwargs)
    if to.type == "cpu":
        fetched.extend(tensor.shape for tensor in tensors if isinstance(tensor, AccelTensor))
        return args[0] if func is _aten.copy_.default else out
    if any(isinstance(one, torch.Tensor) and one.dtype == torch.float64 for one in _leaves(out)):
        raise TypeError(f"{func} makes float64 numbers, which this device does not have, as those of Apple.")
    wrapped = _mapped(lambda tensor: AccelTensor(tensor, to.index or 0), torch.Tensor, out)
    return return_and_correct_aliasing(func, args, kwargs, wrapped) if _aliases(func) else wrapped


class Module(_DummyBackendModule):
    """``torch.accel``, with what ``torch.cuda`` has under the same names."""

    def device_count(self):
        return DEVICES

    def get_device_name(self, _device=None):
        return "Test accelerator"

    def mem_get_info(self, device=None):
        one = memory[torch.device(device).index or 0]
        return one.free, one.total

    def empty_cache(self):
        for one in memory:
            one.kept = 0

    def is_bf16_supported(self, including_emulation=True):  # noqa: ARG002
        return True

    def get_amp_supported_dtype(self):
        return [torch.bfloat16, torch.float16]

    def get_rng_state(self, _device=None):
        return torch.get_rng_state()

    def set_rng_state(self, state, _device=None):
        torch.set_rng_state(state)


def _copy_from(source, target, non_blocking=False):
    """What torch does itself, below the dispatch to Python, when it makes a tensor of a list."""
    target.numbers.copy_(source)
    return target


def _casting(name):
    """An operation that autocast runs in its own type, as convolutions and FC layers on a GPU."""
    function = getattr(torch.nn.functional, name, None) or getattr(torch, name)

    def cast(*args, **kwargs):
        dtype = torch.get_autocast_dtype("accel")
        with torch.autocast("accel", enabled=False):
            return function(
                *_mapped(lambda t: t.to(dtype) if t.is_floating_point() else t, torch.Tensor, args), **kwargs
            )

    return cast


_setup_privateuseone_for_python_backend("accel", backend_module=Module())
# Held here, as what they register goes with them.
_libraries = [torch.library.Library(*names) for names in (("_", "IMPL"), ("aten", "IMPL"))]
_libraries[0].fallback(_run, "PrivateUse1")
_libraries[0].fallback(torch.library.fallthrough_kernel, "AutocastPrivateUse1")
_libraries[1].impl("_copy_from", _copy_from, "PrivateUse1")
for _name in ("conv2d", "linear", "matmul"):
    _libraries[1].impl(_name, _casting(_name), "AutocastPrivateUse1")
# Every operation is finished when it returns, which a device that is made in Python cannot tell torch.
torch.accelerator.synchronize = lambda _device=None: None
