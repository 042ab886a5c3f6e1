from se_viz.analysis.relative_depth import nearest_gate, relative_depths

FOUR = ("SE_2_1", "SE_3_1", "SE_4_1", "SE_5_1")


def test_depth_runs_from_the_first_gate_to_the_last():
    assert relative_depths(FOUR) == {"SE_2_1": 0, "SE_3_1": 1 / 3, "SE_4_1": 2 / 3, "SE_5_1": 1}
    assert relative_depths(("SE_5_1",)) == {"SE_5_1": 1}


def test_the_gate_at_the_same_share_of_another_network_is_nearest():
    others = tuple(f"gate {place}" for place in range(13))
    assert [nearest_gate(gate, FOUR, others) for gate in FOUR] == ["gate 0", "gate 4", "gate 8", "gate 12"]
    assert nearest_gate("SE_3_1", FOUR, FOUR) == "SE_3_1"
    assert nearest_gate("b", ("a", "b", "c"), ("x", "y")) == "y"  # as near to both: the deeper one
    assert nearest_gate("SE_2_1", FOUR, ("only",)) == "only"
