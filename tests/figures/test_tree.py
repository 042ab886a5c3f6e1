"""The gates of a network as a tree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.figures.tree import gate_tree


@pytest.fixture(scope="module")
def gate(captured):
    return captured["SE_2_1"].gate


def made(gate, widths):
    """Gates of the widths given for each stage."""
    return [
        replace(gate, name=f"SE_{stage}_{block}", stage=stage, channels=width, bottleneck=width // 16)
        for stage, blocks in enumerate(widths, start=2)
        for block, width in enumerate(blocks, start=1)
    ]


def leaves(tree):
    icicle = tree.figure.data[0]
    return [label for label, parent in zip(icicle.labels, icicle.parents, strict=True) if parent.startswith("stage")]


def test_few_gates_have_a_leaf_each(gate):
    assert len(leaves(gate_tree("a", made(gate, [[64] * 3, [128] * 4, [256] * 6, [512] * 3])))) == 16


def test_of_many_gates_those_that_are_alike_share_a_leaf_but_for_the_chosen_one(gate):
    tree = gate_tree("a", made(gate, [[64] * 3, [128] * 36, [256] * 2 + [512]]), "SE_3_20")
    assert leaves(tree) == [
        "<b>SE_2_1 … 3</b>  64 → 4 → 64",
        "<b>SE_3_1 … 19</b>  128 → 8 → 128",
        "<b>SE_3_20</b>  128 → 8 → 128",
        "<b>SE_3_21 … 36</b>  128 → 8 → 128",
        "<b>SE_4_1 … 2</b>  256 → 16 → 256",
        "<b>SE_4_3</b>  512 → 32 → 512",
    ]
    assert "to SE_3_19: 19 gates" in " ".join(tree.figure.data[0].customdata)
    assert tree.figure.layout.height == 300


@given(st.lists(st.lists(st.sampled_from([32, 64]), min_size=1, max_size=40), min_size=1, max_size=4), st.data())
def test_every_gate_is_in_one_leaf(gate, widths, data):
    gates = made(gate, widths)
    chosen = data.draw(st.sampled_from(gates)).name
    tree = gate_tree("a", gates, chosen)
    ids = tree.figure.data[0].ids
    assert len(set(ids)) == len(ids)
    assert chosen in ids
    # A leaf begins where the one before it ended.
    assert [name for name in (gate.name for gate in gates) if name in ids] == [i for i in ids if i.startswith("SE_")]
    assert all(f"{gate.name} " in tree.alt for gate in gates)
