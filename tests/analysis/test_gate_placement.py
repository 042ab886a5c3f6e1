"""Where a gate is said to sit, on blocks written down by hand."""

import pytest

from se_viz.analysis.gate_placement import describe_placement
from se_viz.gates.block import Block, Join
from se_viz.gates.block_part import BlockPart

NOT_ALL = "in a block whose branches could not all be followed"


def parts(letters, branch=""):
    """c a convolution, n a normalisation, G the gate."""
    kinds = {
        "c": ("convolution", "3 × 3 convolution"),
        "n": ("norm", "batch norm"),
        "p": ("convolution", "1 × 1 convolution, stride 2"),
        "G": ("gate", "SE_2_1"),
    }
    return tuple(BlockPart(f"{branch}{at}", *kinds[letter], (8, 4, 4)) for at, letter in enumerate(letters))


def block(way, *joins, begins=True, ends=True):
    return Block("b", "B", "SE_2_1", (8, 4, 4), (8, 4, 4), parts(way), joins, begins, ends)


def join(after, branch="", *, begins=True):
    return Join(after, parts(branch, "other."), begins)


@pytest.mark.parametrize("ends", [True, False])
@pytest.mark.parametrize(
    ("way", "joined", "said"),
    [
        ("Gcncn", join(5), "SE-PRE"),
        ("G", join(1, "cncn"), "SE-Identity"),
    ],
)
def test_a_place_at_the_blocks_input_is_claimed_only_where_that_was_seen(way, joined, said, ends):
    assert said in describe_placement(block(way, joined, ends=ends))
    unseen = describe_placement(block(way, joined, begins=False, ends=ends))
    assert "paper" not in unseen
    assert unseen.endswith(NOT_ALL)


@pytest.mark.parametrize(
    ("joined", "followed", "claimed"),
    [
        (join(4), (True, True), True),
        (join(4, "pn"), (True, True), True),
        (join(4), (False, True), False),
        (join(4), (True, False), False),
        (join(4, "pn", begins=False), (True, True), False),
        (join(4, "cncn"), (True, True), False),
        # A branch that leaves the way behind its first convolution.
        (Join(4, parts("cn")), (True, True), False),
    ],
)
def test_after_an_addition_is_the_papers_place_only_behind_a_shortcut(joined, followed, claimed):
    begins, ends = followed
    said = describe_placement(block("cncnG", joined, begins=begins, ends=ends))
    assert ("SE-POST" in said) == claimed
    assert (NOT_ALL in said) == (not all(followed))


@pytest.mark.parametrize(
    ("way", "joined", "said"),
    [
        (
            "cG",
            [join(2, "c", begins=False)],
            f"after a 3 × 3 convolution and before another branch is added, {NOT_ALL}",
        ),
        ("G", [], NOT_ALL),
        ("cGp", [], f"after a 3 × 3 convolution and before a 1 × 1 convolution, {NOT_ALL}"),
        ("ncGp", [join(2)], f"after an addition of branches and before a 1 × 1 convolution, {NOT_ALL}"),
        (
            "cG",
            [join(2)],
            "at the end of the residual branch, before the identity is added (the paper's standard place)",
        ),
    ],
)
def test_of_a_block_that_was_not_followed_wholly_what_was_seen_is_said(way, joined, said):
    assert describe_placement(block(way, *joined, begins=False, ends=False)) == said


@pytest.mark.parametrize(
    ("way", "said"),
    [
        ("cG", "at the end of a block without a shortcut"),
        ("cGc", "inside a block without a shortcut, before its last convolution"),
    ],
)
def test_without_a_shortcut(way, said):
    assert describe_placement(block(way)) == said
