"""A faster copy of a network for the CPU with the same values: BatchNorm folded, maps in channels_last order."""

from copy import Error as CopyError

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from se_viz.device.memory import is_out_of_memory
from se_viz.gates.errors import InstrumentError
from se_viz.gates.eval_mode import hold_eval_mode
from se_viz.gates.forward_pass import Pass, read
from se_viz.gates.gate import Gate
from se_viz.gates.instrument import Instrument
from se_viz.gates.refusals import REJECTIONS
from se_viz.gates.trace import IMAGES
from se_viz.model.fold_batchnorm import fold_batchnorm, trace_bn_pairs
from se_viz.types import Float32s
from se_viz.weights.tensor_kinds import numbers_of

# Largest difference of z, s, logits and maps from those of the plain network: absolute if they are at most 1 (as every
# s of a sigmoid is), otherwise relative to the largest of them.
TOLERANCE = 1e-5


def make_fast_copy(network: nn.Module, gates: tuple[Gate, ...], size: tuple[int, int]) -> nn.Module | None:
    """Return a faster copy of a network with the same values to 1e-5; None if no such copy can be made.

    The copy is compared with the network on two images: z and s of all gates, the logits, U and X̃ of the first and the
    last gate. Gates keep their classes and paths. Both networks share the tensors of all weights that are not folded.

    Args:
        network: the network, on the CPU and in float32; it is not changed.
        gates: its gates.
        size: height and width of its images, in pixels.
    """
    images = (torch.rand((IMAGES, 3, *size), generator=torch.Generator().manual_seed(0)) - 0.45) / 0.25
    maps = frozenset((gates[0].name, gates[-1].name))
    try:
        with hold_eval_mode(network):
            # Only gates that are modules are excluded: a block that has no module for its gate is folded as usual.
            modules = [gate.path for gate in gates if gate.product is None]
            with trace_bn_pairs(network, modules) as seen:
                expected = read(Instrument(network, gates), images, maps)
            twin = fold_batchnorm(network, seen.pairs())
        _to_channels_last(twin)
        found = read(Instrument(twin, gates), images, maps)
    except (InstrumentError, CopyError, *REJECTIONS) as error:
        if is_out_of_memory(error):
            raise
        return None  # it cannot be copied, or its code needs a module that was folded away
    return twin if _reads_the_same(found, expected) else None


def _to_channels_last(network: nn.Module) -> None:
    """Give convolutions kernels in channels_last order, so that maps keep this order; shared weights do not change."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and not _in_order(module.weight):
            ordered = module.weight.detach().contiguous(memory_format=torch.channels_last)
            module.weight = nn.Parameter(ordered, requires_grad=False)


def _in_order(weight: Tensor) -> bool:
    return weight.is_contiguous(memory_format=torch.channels_last)


def _reads_the_same(found: Pass, expected: Pass) -> bool:
    tables = ((found.z, expected.z), (found.s, expected.s), (found.u, expected.u), (found.x, expected.x))
    return all(_close(one[name], other[name]) for one, other in tables for name in other) and _same_output(
        found.output, expected.output
    )


def _same_output(found: object, expected: object) -> bool:
    kinds = [[type(leaf) for leaf in tree_leaves(output)] for output in (found, expected)]
    one, other = (numbers_of([output]) for output in (found, expected))
    return (
        kinds[0] == kinds[1]
        and len(one) == len(other)
        and all(_close(a.float().numpy(), b.float().numpy()) for a, b in zip(one, other, strict=True))
    )


def _close(found: Float32s, expected: Float32s) -> bool:
    allowed = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    return found.shape == expected.shape and bool((np.abs(found - expected) <= allowed).all())
