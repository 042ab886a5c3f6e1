"""Counting of multiply-accumulates by one rule for every network, whichever operators compute its products."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from se_viz.gates.mac_rules import formulas
from se_viz.types import Args, Classes, Function, Kwargs

RULE = (
    "MACs are the multiply-accumulates for one image. Counted: convolutions (grouped, transposed and deformable ones, "
    "too), FC layers, recurrent layers, other products of matrices, and the two products of attention (queries with "
    "keys, weights with values), fused or not, and in full even if a mask hides part of them. Not counted: biases, "
    "elementwise products and sums (including squeeze and scale of a gate), normalisation, activations, softmax, "
    "pooling, resizing."
)
"""The counting rule as text for the page and the commands."""


class Count:
    """The operations that have run inside ``counting`` so far."""

    def __init__(self, counter: FlopCounterMode, left_out: Counter[str]) -> None:
        self._counter, self._left_out = counter, left_out

    @property
    def macs(self) -> int:
        """Number of multiply-accumulates by ``RULE``."""
        return int(self._counter.get_total_flops()) // 2

    @property
    def left_out(self) -> Mapping[str, int]:
        """Operators that may multiply and accumulate but have no formula, by name, with how often each ran."""
        return dict(self._left_out)


@contextmanager
def counting() -> Iterator[Count]:
    """Count the multiply-accumulates that this thread runs inside the block.

    torch's counter covers most operators. ``mac_rules`` adds those that it counts as zero: fused attention on a CPU,
    the fused encoder layers of eval mode, matrix times vector, bilinear, recurrent, deformable and quantised layers. An
    operator without a formula, for instance of an extension, is named in ``Count.left_out``. Computations outside
    torch's operators (a kernel called directly from Python) are not seen.
    """
    counter = FlopCounterMode(display=False, custom_mapping=formulas())
    left_out: Counter[str] = Counter()
    # Entered first, so that it sees the operators into which torch's counter decomposes others.
    with _LeftOut(left_out, counter.flop_registry), counter:
        yield Count(counter, left_out)


def not_counted(left_out: Mapping[str, int]) -> str:
    """Return a sentence on the operators without a formula; an empty string if there were no such operators."""
    if not left_out:
        return ""
    named = ", ".join(f"{name} ({times} {'call' if times == 1 else 'calls'})" for name, times in left_out.items())
    return f"The MACs of these operators are not known and not counted: {named}."


class _LeftOut(TorchDispatchMode):
    """A record of the operators that have no formula."""

    supports_higher_order_operators = True

    def __init__(self, left_out: Counter[str], counted: Mapping[object, object]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._left_out, self._counted = left_out, counted

    def __torch_dispatch__(self, func: Function, types: Classes, args: Args = (), kwargs: Kwargs = None) -> object:
        operator = getattr(func, "overloadpacket", None)
        if operator is not None and operator not in self._counted and _may_multiply(str(operator)):
            self._left_out[str(operator)] += 1
        return func(*args, **kwargs or {})


# Names of products in torch's own libraries, and names that only look like products.
_PRODUCT = re.compile(
    r"(^|_)(\w*mm|\w*matmul|addmv|mv|v?dot|q?conv\w*|q?linear\w*|\w*rnn|lstm|gru|attention|fft|\w*dist|trilinear)(_|\d|$)"
)
_NO_PRODUCT = re.compile(r"pack|reorder|convert|flatten|upsample|shift|freq|combination|fused_[a-z]+_cell|_choice")
_OWN = {"aten", "prim", "prims", "quantized", "onednn", "sparse", "mkldnn"}
_POOLING = {f"torchvision.{name}" for name in ("nms", "roi_align", "roi_pool", "ps_roi_align", "ps_roi_pool")}


def _may_multiply(name: str) -> bool:
    """Return whether an operator without a formula, such as "aten._cdist_forward", may multiply and accumulate."""
    library, _, operator = name.partition(".")
    if library not in _OWN:
        return name not in _POOLING
    return bool(_PRODUCT.search(operator)) and not _NO_PRODUCT.search(operator)
