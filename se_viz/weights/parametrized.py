"""Weights that a file holds in parts, multiplied out: weight_norm, spectral_norm, pruning."""

from collections.abc import Callable, Iterable, Mapping

from torch import Tensor, strided
from torch.linalg import multi_dot, vector_norm

# A weight's parts, by what stands behind its name, as torch.nn.utils writes them: in place of {p} "weight", say, and
# before the dot the module. The first is the part from which the name is taken.
_FORMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("weight_norm", ("parametrizations.{p}.original0", "parametrizations.{p}.original1")),
    ("weight_norm", ("{p}_g", "{p}_v")),
    ("spectral_norm", ("parametrizations.{p}.original", "parametrizations.{p}.0._u", "parametrizations.{p}.0._v")),
    ("spectral_norm", ("{p}_orig", "{p}_u", "{p}_v")),
    ("pruning", ("{p}_orig", "{p}_mask")),
)
_NAMES = ("weight", "bias")

# What is multiplied out may take so many times what a file holds: a tensor of a few bytes, which a step of 0 makes one
# of a million million numbers, stays as it is.
_TIMES = 2


def multiplied_out(state: Mapping[str, Tensor], network: Iterable[str]) -> tuple[dict[str, Tensor], list[str]]:
    """Return a file's tensors with weights that are stored in parts computed from them, and sentences on that.

    Parts that the network itself has, as it was made with them, stay.

    Args:
        state: the file's.
        network: names of the network's tensors.
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
    """Return how many bytes the numbers of a file take, those that tensors share once."""
    plain = (tensor for tensor in state.values() if tensor.layout == strided and not tensor.is_meta)
    storages = [tensor.untyped_storage() for tensor in plain]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def _size(parts: Iterable[Tensor | None]) -> int:
    """Return how many bytes the largest part takes once each of its numbers has a place of its own."""
    return max(part.numel() * part.itemsize for part in parts if part is not None)


def _whole(stem: str, parts: list[Tensor | None]) -> bool:
    """Return whether a name ends at a module, and all parts are there and are numbers."""
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
    """Return W / (uᵀ W v), as in eval mode; W as a matrix whose rows are the axis that u is as long as."""
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
    """Return the part of a name that a form may describe: from "parametrizations" on, or behind the last dot."""
    _, there, rest = name.partition("parametrizations.")
    return f"parametrizations.{rest}" if there else name.rpartition(".")[2]
