"""The drawing of a block, of which no two things lie on top of each other."""

from dataclasses import replace
from itertools import combinations

import pytest

from se_viz.figures.block_diagram import block_drawing
from se_viz.gates.block import Block, Join
from se_viz.gates.block_part import BlockPart


@pytest.fixture(scope="module")
def gate(captured):
    return captured["SE_2_1"].gate


def parts(letters, shape=(256, 16, 16)):
    """c a convolution, n a normalisation, l an FC layer, p a pooling, G the gate."""
    kinds = {
        "c": ("convolution", "3 × 3 convolution"),
        "n": ("norm", "batch norm"),
        "l": ("linear", "FC layer"),
        "p": ("pool", "average pooling"),
        "G": ("gate", "SE_2_1"),
    }
    return tuple(BlockPart(letter, *kinds[letter], shape) for letter in letters)


def drawn(gate, way, *joins, begins=True, ends=True, **shape):
    block = Block("b", "B", "SE_2_1", (256, 16, 16), (256, 16, 16), parts(way, **shape), joins, begins, ends)
    return block_drawing(gate, block, "in the middle")


def boxes(chart):
    """Corners of every box and circle."""
    shapes = [shape for shape in chart.figure.layout.shapes if shape.type != "line"]
    return [(shape.x0, shape.x1, shape.y0, shape.y1) for shape in shapes]


def texts(chart):
    return [note.text for note in chart.figure.layout.annotations if note.text]


IDENTITY = Join(5, ())


@pytest.mark.parametrize(
    "joins",
    [
        [Join(2, parts("cncn")), Join(5, parts("cn"))],
        [Join(2, parts("cn")), IDENTITY],
        [Join(2, ()), Join(5, parts("cncn"))],
        [Join(2, ()), IDENTITY],
        [Join(1, parts("c")), Join(2, parts("ccc")), Join(5, parts("c"))],
    ],
)
def test_branches_stand_below_each_other(gate, joins):
    chart = drawn(gate, "cncnG", *joins)
    for (left, right, top, bottom), (x0, x1, y0, y1) in combinations(boxes(chart), 2):
        assert right <= x0 or x1 <= left or bottom <= y0 or y1 <= top
    lines = [shape for shape in chart.figure.layout.shapes if shape.type == "line" and shape.x0 == shape.x1]
    for line in lines:
        for x0, x1, y0, y1 in boxes(chart):
            inside = x0 < line.x0 < x1 and max(line.y0, y0) < min(line.y1, y1)
            assert not inside
    # Two lines that run down beside each other do not share a column of the same rows.
    for one, other in combinations(lines, 2):
        assert one.x0 != other.x0 or max(one.y0, other.y0) >= min(one.y1, other.y1)
    assert texts(chart).count("<b>+</b>") == len(joins)
    low, high = chart.figure.layout.xaxis.range
    assert all(low < x0 and x1 < high for x0, x1, _, _ in boxes(chart))
    # At 350 pixels a box keeps what it has beside one branch, but for a line and its name.
    assert high - low <= 6.6 + 0.25 * len(joins)


def test_one_branch_is_drawn_as_before(gate):
    identity = drawn(gate, "cncnG", IDENTITY)
    assert tuple(identity.figure.layout.xaxis.range) == (-2.15, 3.3)
    assert tuple(drawn(gate, "cncnG", Join(5, parts("cn"))).figure.layout.xaxis.range) == (-3.3, 3.3)
    assert "identity" in texts(identity)


def test_of_maps_with_channels_last_the_last_axis_is_counted(gate):
    last = replace(gate, layout="nhwc")
    shown = texts(drawn(last, "lpG", shape=(7, 7, 64)))
    assert {"FC layer → 64", "average pooling → 64"} <= set(shown)
    # A convolution of torch has them first whatever the gate has.
    assert "3 × 3 conv → 64" in texts(drawn(last, "cG", shape=(64, 7, 7)))
    assert "average pooling → 64" in texts(drawn(gate, "pG", shape=(64, 7, 7)))


@pytest.mark.parametrize(
    ("ends", "branch", "dots"), [((True, True), True, 0), ((False, True), True, 1), ((True, True), False, 1)]
)
def test_it_says_whether_all_of_the_block_was_followed(gate, ends, branch, dots):
    chart = drawn(gate, "cG", Join(2, parts("c"), begins=branch), begins=ends[0], ends=ends[1])
    assert texts(chart).count("⋮") == dots
    assert ("All parts were seen to run" in chart.how_to_read) == (dots == 0)
    assert ("could not be traced any further" in chart.how_to_read) == (dots > 0)
    assert ("Some of the block could not be traced." in chart.alt) == (dots > 0)


def test_a_gate_whose_squeeze_was_not_seen_is_drawn_without(gate):
    assert any("<b>z</b>" in text for text in texts(drawn(gate, "cncnG", IDENTITY)))
    chart = drawn(replace(gate, squeeze="not seen"), "cncnG", IDENTITY)
    assert any("squeeze not seen" in text for text in texts(chart))
    assert not any("<b>z</b>" in text for text in texts(chart))
    assert "not seen to come from one squeeze of U alone" in chart.how_to_read
