"""Where a gate sits in its block, in words (Figures 3 and 5, Table 14 of the paper)."""

from collections.abc import Iterable

from se_viz.gates.block import Block
from se_viz.gates.part import Part


def place(block: Block) -> str:
    """A clause about the gate, for instance "at the end of the residual branch, before the identity is added"."""
    at = block.position
    later = next((join for join in block.joins if join.after > at), None)
    before, after = block.parts[:at], block.parts[at + 1 : later.after if later else None]
    if later is not None:
        added = "what the other branch makes of the block's input" if later.parts else "the identity"
        if _convolutions(later.parts) > _convolutions(before) and not _convolutions(after):
            return "on the identity branch, beside the convolutions (the paper's SE-Identity)"
        if not _convolutions(before):
            return "at the start of the residual branch, before its convolutions (the paper's SE-PRE)"
        if not _convolutions(after):
            return f"at the end of the residual branch, before {added} is added (the paper's standard place)"
        return f"inside the residual branch, before its last convolution; {added} is added after that"
    if block.joins:
        return "after the addition of the branches (the paper's SE-POST)"
    if not (block.begins and block.ends):
        return "in a block whose branches could not all be followed"
    if _convolutions(after):
        return "inside a block without a shortcut, before its last convolution"
    return "at the end of a block without a shortcut"


def _convolutions(parts: Iterable[Part]) -> int:
    return sum(part.kind == "convolution" for part in parts)
