"""Weights that a file stores in parts: weight_norm, spectral_norm, pruning."""

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, strided
from torch.linalg import multi_dot, vector_norm

# Suffixes of the parts of a weight, as torch.nn.utils writes them after the name of the module; {p} is "weight" or
# "bias". The first one is used to find the name.
_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("weight_norm", ("parametrizations.{p}.original0", "parametrizations.{p}.original1")),
    ("weight_norm", ("{p}_g", "{p}_v")),
    ("spectral_norm", ("parametrizations.{p}.original", "parametrizations.{p}.0._u", "parametrizations.{p}.0._v")),
    ("spectral_norm", ("{p}_orig", "{p}_u", "{p}_v")),
    ("pruning", ("{p}_orig", "{p}_mask")),
)
_NAMES = ("weight", "bias")

# The results may take this many times the bytes of the file. So a tensor of a few bytes that a stride of 0 expands to
# 10¹² numbers is not multiplied out.
_TIMES = 2


def multiplied_out(state: Mapping[str, Tensor], network: Iterable[str]) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of a file with weights computed from their parts, and sentences on that.

    Parts that the network itself has are kept.

    Args:
        state: tensors of the file.
        network: names of the tensors of the network.
    """
    own = {_ending(name) for name in network}
    found = dict(state)
    notes = []
    left = _TIMES * _held(state)
    for what, forms in _FORMS:
        count = 0
        for parameter in _NAMES:
            tails = [form.format(p=parameter) for form in forms]
            if any(tail in own for tail in tails):
                continue
            for name in [name for name in found if name.endswith(tails[0])]:
                stem = name.removesuffix(tails[0])
                parts = [found.get(f"{stem}{tail}") for tail in tails]
                size = _size(parts)
                weight = _COMPUTED[what](*parts) if size <= left and _whole(stem, parts) else None
                if weight is None:
                    continue
                left -= size
                for tail in tails:
                    del found[f"{stem}{tail}"]
                found[f"{stem}{parameter}"] = weight
                count += 1
        if count:
            notes.append(f"{count} weight{'s' * (count > 1)} stored in parts ({what}) multiplied out")
    return found, notes


def _held(state: Mapping[str, Tensor]) -> int:
    """Return the bytes of the numbers of a file; numbers that tensors share count once."""
    plain = (tensor for tensor in state.values() if tensor.layout == strided and not tensor.is_meta)
    storages = [tensor.untyped_storage() for tensor in plain]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _size(parts: Iterable[Tensor | None]) -> int:
    """Return the bytes of the largest part if none of its elements share memory."""
    return max(part.numel() * part.itemsize for part in parts if part is not None)


def _whole(stem: str, parts: list[Tensor | None]) -> bool:
    """Return whether a stem is the name of a module, and all parts exist and are plain floating-point tensors."""
    return (not stem or stem.endswith(".")) and all(
        part is not None and part.is_floating_point() and not part.is_meta and not part.is_sparse for part in parts
    )


def _weight_norm(g: Tensor, v: Tensor) -> Tensor | None:
    """Return g · v / ‖v‖, the norm over the axes along which g is 1."""
    if g.ndim not in (0, v.ndim) or any(a not in (1, b) for a, b in zip(g.shape, v.shape, strict=False)):
        return None
    axes = [axis for axis in range(v.ndim) if g.ndim == 0 or g.shape[axis] == 1]
    v = v.float()
    norm: Tensor = vector_norm(v, dim=axes, keepdim=g.ndim > 0)
    return g.float() * v / norm


def _spectral_norm(weight: Tensor, u: Tensor, v: Tensor) -> Tensor | None:
    """Return W / (uᵀ W v), as in eval mode; the rows of the matrix W are the axis of the length of u."""
    if weight.ndim < 2 or u.ndim != 1 or v.ndim != 1 or u.numel() not in weight.shape[:2]:
        return None
    axis = list(weight.shape).index(u.numel())
    matrix = weight.float().movedim(axis, 0).flatten(1)
    if matrix.shape[1] != v.numel():
        return None
    sigma: Tensor = multi_dot((u.float(), matrix, v.float()))
    return weight.float() / sigma


def _pruned(weight: Tensor, mask: Tensor) -> Tensor | None:
    return weight * mask if weight.shape == mask.shape else None


_COMPUTED: dict[str, Callable[..., Tensor | None]] = {
    "weight_norm": _weight_norm,
    "spectral_norm": _spectral_norm,
    "pruning": _pruned,
}


def _ending(name: str) -> str:
    """Return the end of a name that a form may match: from "parametrizations" on, or after the last dot."""
    _, there, rest = name.partition("parametrizations.")
    return f"parametrizations.{rest}" if there else name.rpartition(".")[2]
