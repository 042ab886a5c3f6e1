import pytest

from se_viz.analysis.inserted_block import EXAMPLES, inserted_block

WHERE = {
    "ResNet-50": "at the end of the residual branch, before the identity is added",
    "ResNeXt-50 (32×4d)": "at the end of the residual branch, before the identity is added",
    "VGG-16 with batch norm": "at the end of a block without a shortcut",
    "Inception v3": "at the end of a block without a shortcut",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_gate_is_put_into_a_block_of_each_kind(name):
    made = inserted_block(name)
    assert made.where.startswith(WHERE[name])
    assert made.block.begins
    assert made.block.ends
    assert made.gate.stage == 4
    assert made.gate.r == 16
    assert made.block.parts[made.block.position].shape == (made.gate.channels, 14, 14)
