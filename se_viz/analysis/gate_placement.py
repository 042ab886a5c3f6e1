"""The position of a gate in its block, in words (Figures 3 and 5, Table 14 of the paper)."""

from collections.abc import Sequence

from se_viz.gates.block import Block, Join
from se_viz.gates.block_part import BlockPart


def describe_placement(block: Block) -> str:
    """Return the position as a clause: "at the end of the residual branch, before the identity is added"."""
    at = block.position
    later = next((join for join in block.joins if join.after > at), None)
    before = _convolutions(block.parts[:at])
    after = _convolutions(block.parts[at + 1 : later.after if later else None])
    whole = block.begins and block.ends
    if later is not None:
        beside = len(_convolutions(later.parts)) > len(before) and not after
        if beside and block.begins:
            return "on the identity branch, beside the convolutions (the paper's SE-Identity)"
        if block.begins and not before:
            return "at the start of the residual branch, before its convolutions (the paper's SE-PRE)"
        if before and not beside and later.begins:
            added = _added(later)
            if not after:
                return f"at the end of the residual branch, before {added} is added (the paper's standard place)"
            return f"inside the residual branch, before its last convolution; {added} is added after that"
    elif whole and any(_is_shortcut(join, block) for join in block.joins):
        return "after the addition of the branches (the paper's SE-POST)"
    elif whole and block.joins:
        return "after the addition of branches that run side by side, none of them a shortcut"
    elif whole:
        return f"{'inside' if after else 'at the end of'} a block without a shortcut" + (
            ", before its last convolution" if after else ""
        )
    seen = []
    if any(join.after <= at for join in block.joins):
        seen.append("after an addition of branches")
    elif before:
        seen.append(f"after a {_kind(before[-1])}")
    if after:
        seen.append(f"before a {_kind(after[0])}")
    elif later is not None:
        seen.append(f"before {_added(later)} is added")
    return ", ".join([" and ".join(seen)] * bool(seen) + ["in a block whose branches could not all be followed"])


def _added(join: Join) -> str:
    if not join.parts:
        return "the identity"
    return "what the other branch makes of the block's input" if join.begins else "another branch"


def _is_shortcut(join: Join, block: Block) -> bool:
    """Return whether the added branch is the block's input or a projection with fewer convolutions than the path."""
    way, branch = _convolutions(block.parts[: join.after]), _convolutions(join.parts)
    return join.begins and len(branch) < len(way) and not any(part in way for part in branch)


def _kind(part: BlockPart) -> str:
    """Return the part in words, without its stride and groups."""
    return part.text.partition(",")[0]


def _convolutions(parts: Sequence[BlockPart]) -> list[BlockPart]:
    return [part for part in parts if part.kind == "convolution"]
