"""The gates of a network as a tree."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from se_viz.figures.gate_tree import gate_tree


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


def tiles(tree, *ids):
    icicle = tree.figure.data[0]
    return [dict(zip(icicle.ids, icicle.labels, strict=True))[one].split("<br>") for one in ids]


def test_what_all_gates_agree_on_is_said_once(gate):
    tree = gate_tree("demo/r16", made(gate, [[64] * 2, [128]]))
    network, stage, leaf = tiles(tree, "network", "stage 2", "SE_2_1")
    assert network == ["demo/r16", "3 gates", "r = 16", "sigmoid"]
    assert stage == ["stage 2", "2 gates", "1/4 of the image's side"]
    assert leaf == ["<b>SE_2_1</b>  64 → 4 → 64"]
    assert "The 3 gates of demo/r16 (r = 16, sigmoid)." in tree.alt


def test_what_a_stage_agrees_on_is_said_there_and_what_differs_in_it_at_each_gate(gate):
    gates = made(gate, [[64] * 2, [128] * 3])
    gates[:2] = [replace(one, bottleneck=6) for one in gates[:2]]
    gates[3] = replace(gates[3], gate_function="hard-sigmoid", bottleneck=None)
    network, second, third, *few = tiles(
        gate_tree("a", gates), "network", "stage 2", "stage 3", "SE_2_1", "SE_3_1", "SE_3_2"
    )
    assert network == ["a", "5 gates"]
    assert second == ["stage 2", "2 gates", "r = 10.7", "sigmoid", "1/4 of the image's side"]
    assert third == ["stage 3", "3 gates", "1/8 of the image's side"]
    assert few == [
        ["<b>SE_2_1</b>  64 → 6 → 64"],
        ["<b>SE_3_1</b>  128 → 8 → 128", "r = 16, sigmoid"],
        ["<b>SE_3_2</b>  128", "no bottleneck, hard-sigmoid"],
    ]


def test_a_files_name_is_no_markup_and_fits_its_tile(gate):
    (network,) = tiles(gate_tree(f"<i>mine</i>{'x' * 200}.pt", made(gate, [[64]])), "network")
    assert network[0] == "&lt;i&gt;mine&lt;/i&gt;xxxxxxx"
    assert len(network) == 6
    assert network[2].endswith("…")


@pytest.mark.slow
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
