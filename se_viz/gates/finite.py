"""NaN and infinite numbers: where they arise in a network, and which values of a capture contain them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.trace import watched
from se_viz.types import Bools, Float32s
from se_viz.weights.finite_outputs import suspicious
from se_viz.weights.matching import some
from se_viz.weights.tensor_kinds import array_of, numbers_of
from se_viz.wording import listed

ADVICE = "Check the weights of the network, and read it in fp32 if it ran in fp16 or bf16."
_SOME = (
    "The other images are read as usual. Check how these differ (a flat image, another range of values), and read the "
    "network in fp32 if it ran in fp16 or bf16."
)
_MAPS = 3  # least number of axes of a tensor that gates may still follow: maps (N, C, H, W), or tokens


@dataclass(frozen=True, slots=True)
class Origin:
    """The place where numbers stop being finite in a pass.

    Attributes:
        path, kind: path and class of the innermost module that took finite numbers and returned others.
        what: "NaN" or "infinite".
        maps: whether the returned values are maps, which gates may follow.
    """

    path: str
    kind: str
    what: str
    maps: bool

    @property
    def where(self) -> str:
        """The place as a clause of a sentence."""
        become = "NaN" if self.what == "NaN" else "infinity"
        place = f"{self.path} ({self.kind})" if self.path else f"the code of {self.kind} itself"
        return f"numbers turn to {become} in {place} for an image of noise"


def advice(network: nn.Module) -> str:
    """Return sentences that name the suspicious weights of a network and say what to do."""
    weights = list(suspicious(network))
    return f"{f'Suspicious weights: {some(weights, 3)}. ' if weights else ''}{ADVICE}"


def origin(network: nn.Module, images: Tensor) -> Origin | None:
    """Return where the numbers of a network in eval mode stop being finite for images (N, 3, H, W); None if nowhere.

    This takes one forward pass, so call it only if something else suggests that numbers are not finite.
    """
    paths = {module: path for path, module in network.named_modules()}
    under_way: list[nn.Module] = []
    found: list[Origin] = []

    def look(module: nn.Module, value: object) -> None:
        what = "" if found else what_is_in([value])
        if what:
            maps = any(isinstance(leaf, Tensor) and leaf.ndim >= _MAPS for leaf in tree_leaves(value))
            found.append(Origin(paths[module], type(module).__name__, what, maps))

    def before(module: nn.Module, value: object) -> None:
        look(under_way[-1] if under_way else module, value)
        under_way.append(module)

    def after(module: nn.Module, value: object) -> None:
        look(module, value)
        under_way.pop()

    try:
        with watched(paths, before, after), torch.no_grad():
            network(images)
    except REJECTIONS as error:
        if is_out_of_memory(error):
            raise
    return found[0] if found else None


def what_is_in(values: Iterable[object]) -> str:
    """Return "NaN", "infinite", or "" (all finite) for the tensors and arrays in containers of any depth."""
    worst = ""
    leaves = tree_leaves(list(values))
    for table in numbers_of(leaves):
        if table.is_floating_point() and not bool(table.isfinite().all()):
            if bool(table.isnan().any()):
                return "NaN"
            worst = "infinite"
    for leaf in leaves:
        if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" and not np.isfinite(leaf).all():
            if np.isnan(leaf).any():
                return "NaN"
            worst = "infinite"
    return worst


def not_finite(
    gates: Mapping[str, Mapping[str, Float32s | None]],
    output: object,
    images: int,
    edited: Sequence[str] = (),
) -> str:
    """Return sentences on the values of a capture that are not finite, first gate first; "" if all are finite.

    Args:
        gates: for each gate in execution order, its values by name ("z", "s", "U", "X̃"), each with N images on the
            first axis.
        output: the output of the network.
        images: N.
        edited: names of the gates whose s was replaced in this pass, which may be the cause of what comes after them.
    """
    if isinstance(output, Tensor) and output.dtype == torch.float32 and output.layout == torch.strided:
        array = array_of(output)
        output = output if array is None else array
    read = [value for values in gates.values() for value in values.values() if value is not None]
    # This runs at every capture, so the many small tables are checked as one array.
    if isinstance(output, np.ndarray):
        tables = [value.ravel() for value in (*read, output) if value.ndim <= 2]
        maps = [value for value in (*read, output) if value.ndim > 2]
        if all(np.isfinite(one).all() for one in (np.concatenate(tables), *maps)):
            return ""
    broken = {name: bad for name, values in gates.items() if (bad := _broken(values))}
    returned = what_is_in([output])
    if not broken:
        if not returned:
            return ""
        rows = _broken({"": output if isinstance(output, np.ndarray) else None}).get("")
        where = "" if rows is None or len(rows) != images else f" for {_images(rows, images)}"
        advised = _of_edits(edited) or ADVICE
        return f"The network returned {_called(returned)}{where}; the values of its gates are finite. {advised}"
    first, bad = next(iter(broken.items()))
    rows = np.logical_or.reduce(list(bad.values()))
    what = what_is_in(gates[first][label] for label in bad)
    count = f"{len(broken)} of {len(gates)}" if len(broken) < len(gates) else f"all {len(gates)}"
    of = f"In {'both' if count == 'all 2' else count} gates" if len(gates) > 1 else ""
    said = f"{of} numbers are not finite, first in {first}: its " if of else f"Of {first}, "
    said += f"{listed(list(bad))} {'is' if len(bad) == 1 else 'are'} {what} for {_images(rows, images)}."
    said += f" The network returned {_called(returned)}, too." if returned else ""
    names = list(gates)
    before = names[: names.index(first) + (set(bad) == {"X̃"})]  # U and s of a gate do not depend on its own edit
    return f"{said} {_of_edits([name for name in edited if name in before]) or (ADVICE if rows.all() else _SOME)}"


def _of_edits(edited: Sequence[str]) -> str:
    """Return what to do where edits before these values may be their cause; "" without such edits."""
    if not edited:
        return ""
    return (
        f"s of {some(edited, 3)} was replaced in this pass: read the images without edits, and give smaller weights if "
        "the values are finite then."
    )


def _broken(values: Mapping[str, Float32s | None]) -> dict[str, Bools]:
    """Return for each value that is not finite the images (N,) in which it is not."""
    found: dict[str, Bools] = {}
    for label, value in values.items():
        if value is not None and not np.isfinite(value).all():
            found[label] = np.asarray(~np.isfinite(value).reshape(len(value), -1).all(axis=1))
    return found


def _called(what: str) -> str:
    return "NaN" if what == "NaN" else "infinite numbers"


def _images(rows: Bools, images: int) -> str:
    if images == 1:
        return "the image"
    if rows.all():
        return "both images" if images == 2 else f"all {images:,} images"
    numbers = [str(index + 1) for index in np.flatnonzero(rows)]
    return f"{len(numbers):,} of {images:,} images (number {some(numbers)})"
