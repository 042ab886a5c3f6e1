import math
from dataclasses import replace

import numpy as np
import pytest

from se_viz.analysis.by_depth import Depth, Saturation
from se_viz.analysis.class_noise import ClassNoise
from se_viz.analysis.class_similarity import GateSimilarity
from se_viz.reports.observations import eta2_by_chance, observations, similar_gates

MANY = ClassNoise((9, 4000), 0.01, 1e-4)


def gate(name, share, between=0.03, class_cosine=0.9, opened=0.01, significant_share=1.0):
    saturation = Saturation(0.1, opened, 0.5, 0.1)
    return Depth(
        name,
        int(name[3]),
        int(name[5]),
        share,
        (0, 0, 0),
        0.01,
        0.02,
        significant_share,
        False,
        between,
        class_cosine,
        saturation,
        MANY,
    )


PAPER = [
    gate("SE_2_1", 0.1),
    gate("SE_3_1", 0.2),
    gate("SE_4_1", 0.5, 0.2),
    gate("SE_5_1", 0.6, 0.01, opened=0.97),
    gate("SE_5_2", 0.7, class_cosine=0.999),
]


def test_a_network_like_the_papers_has_all_three():
    early, growing, last = observations(PAPER)
    assert [one.verdict for one in (early, growing, last)] == ["holds"] * 3
    assert "class means is at most 0.030" in early.said
    assert "10% of the variance" in early.said
    assert "is 1.00" in growing.said
    assert "97.0% of s within 0.1 of 1" in last.said


def test_a_network_that_is_otherwise_has_none():
    network = [gate("SE_2_1", 0.6, 0.2), gate("SE_2_2", 0.5), gate("SE_3_1", 0.3), gate("SE_5_1", 0.2)]
    early, growing, last = observations(network)
    assert [one.verdict for one in (early, growing, last)] == ["does not hold"] * 3
    assert "50 to 60%" in early.said
    assert "is −1.00" in growing.said


@pytest.mark.parametrize("gates", [PAPER[:1], [gate("SE_2_1", math.nan), *PAPER[3:]]])
def test_few_gates_that_move_say_nothing_of_depth(gates):
    assert observations(gates)[1].verdict == "cannot be determined"
    assert "nan" not in " ".join(one.said for one in observations(gates))


def test_gates_that_explain_alike_say_nothing_of_depth():
    growing = observations([gate("SE_2_1", 1.0), gate("SE_3_1", 1.0), gate("SE_4_1", 1.0)])[1]
    assert growing.verdict == "cannot be determined"
    assert growing.said == "The class explains 100% of the variance in every gate."


def test_chance_is_told_with_the_gate_that_is_nearest_to_it():
    assert "1.0% of the variance on average; the 95th percentile for a channel is at most 2.0%" in eta2_by_chance(PAPER)
    assert "All channels whose s varies" in eta2_by_chance(PAPER)
    assert "is SE_3_1 with 60%" in eta2_by_chance([gate("SE_2_1", 0.1), gate("SE_3_1", 0.02, significant_share=0.6)])
    assert "too few" in eta2_by_chance([gate("SE_2_1", math.nan, significant_share=math.nan)])


def test_gates_that_are_alike_are_named_with_what_chance_gives():
    cka = np.array([[1, 0.9, 0.2], [0.9, 1, 0.7], [0.2, 0.7, 1]])
    said = similar_gates(("SE_2_1", "SE_3_1", "SE_4_1"), GateSimilarity(cka, np.full((3, 3), 0.3)))
    assert "SE_2_1 and SE_3_1 are the most similar gates" in said
    assert "SE_2_1 and SE_4_1 the least similar (0.20); the mean of neighbouring gates is 0.80" in said
    assert "shuffled classes, the mean would be 0.30" in said
    cka[1] = cka[:, 1] = math.nan
    assert "nan" not in similar_gates(("SE_2_1", "SE_3_1", "SE_4_1"), GateSimilarity(cka, cka))
    nothing = np.full((3, 3), math.nan)
    assert "not defined" in similar_gates(("SE_2_1", "SE_3_1", "SE_4_1"), GateSimilarity(nothing, nothing))


def test_one_class_tells_nothing_of_classes():
    alone = [replace(one, expected_eta2=0.0, share=math.nan, between=0.0, class_cosine=math.nan) for one in PAPER]
    found = observations([replace(one, saturation=Saturation(0.1, 0.01, 0.5, 0.1)) for one in alone])
    assert [one.verdict for one in found] == ["cannot be determined"] * 3
    assert "two classes" in found[0].said
    assert "no patterns of two classes to compare in SE_5_1, SE_5_2" in found[2].said
    assert "nan" not in " ".join(one.said for one in found)


def test_a_stage_that_is_not_finite_is_told_as_such():
    nan = math.nan
    broken = [replace(one, between=nan, class_cosine=nan, saturation=Saturation(nan, nan, nan, nan)) for one in PAPER]
    early, _, last = observations(broken)
    assert (early.verdict, last.verdict) == ("cannot be determined", "cannot be determined")
    assert "In stage 2 s is not finite" in early.said
    assert "In stage 5 s is not finite" in last.said


def test_a_saturated_stage_needs_no_pattern():
    dead = [replace(one, class_cosine=math.nan, saturation=Saturation(0, 0.99, 1, 0)) for one in PAPER]
    assert observations(dead)[2].verdict == "holds"
