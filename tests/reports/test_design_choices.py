from dataclasses import replace

import numpy as np
import pytest
from support.synthetic_family import counted, with_answers

from se_viz.demo import pretrained as demo
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.figures.palette import MUTED, RATIOS, ratio_colour
from se_viz.reports.beside_paper import beside_paper
from se_viz.reports.design_choices import conclusions, design_report
from se_viz.reports.design_verdicts import family_comparisons, images_table, seeds_table

SQUEEZE, GATE = DESIGN_CHOICES[1], DESIGN_CHOICES[2]
IMAGES = 3925


def card(seed=0, lost=(), gained=(), correct=None, **config):
    """A card that is right on the first 3,500 images but ``lost``, and on ``gained`` of the others.

    With ``correct`` its accuracy counts this number of images, and it does not say which.
    """
    name = "-".join([*map(str, config.values()), f"seed{seed}"])
    blank = replace(demo.card("r16"), name=name, network=SEResNetConfig(**config), seed=seed, right=None)
    if correct is not None:
        return replace(blank, accuracy=counted(correct, IMAGES))
    right = np.arange(IMAGES) < 3500
    right[list(lost)] = False
    right[[3500 + place for place in gained]] = True
    return with_answers(blank, right)


def test_what_is_not_significant_is_no_effect_and_its_size_comes_before_p():
    said = conclusions(RATIO, [card(), card(r=2, lost=range(50), gained=range(60)), card(r=32, lost=[1])]).sentences
    assert said[0] == (
        "**Reduction ratio r: no measurable effect here.** Of 2 differences on the same 3,925 images, the clearest is "
        "r = 2 compared with r = 16, as trained: +0.25 points (95% interval −0.28 to +0.79), exact McNemar p = 0.39, "
        "or "
        "0.78 after Holm's correction for 2 tests. Nothing is known over seeds, because these networks do not have "
        "several seeds each."
    )
    assert said[-1].startswith("On these images, a difference below about ")
    assert said[-1].endswith("In the paper's Table 10 (ImageNet), r = 2 differs from r = 16 by −0.01 points.")
    other = conclusions(RATIO, [card(), card(r=24, lost=[1])]).sentences
    assert other[-1].endswith("In the paper's Table 10 (ImageNet), r = 4 is better than r = 32 by 0.5 points.")


def test_a_difference_of_the_networks_as_trained_is_said_to_be_one():
    said = conclusions(SQUEEZE, [card(), card(squeeze="max", lost=range(60), gained=range(20)), card(r=None)]).sentences
    assert said[0].startswith(
        "**Squeeze operator: yes, between the networks as trained.** On the same 3,925 images, max compared with "
        "avg, as "
        "trained: −1.02 points (95% interval −1."
    )
    assert "p < 0.0001" in said[0]
    assert len(said) == 2
    assert "SE at all" not in " ".join(said)


def test_one_significant_test_among_several_is_neither_yes_nor_no_effect():
    others = [card(gate="relu", lost=[1]), card(gate="tanh", lost=[2]), card(r=4, lost=[3])]
    lost = card(squeeze="max", lost=range(40), gained=range(20))
    said = conclusions(SQUEEZE, [card(), lost, *others]).sentences[0]
    assert said.startswith(
        "**Squeeze operator: not clear (significant alone, but not with the correction for all tests).** On the"
    )
    assert "as trained: −0.51 points" in said
    assert "exact McNemar p = 0.013, or 0.054 after Holm's correction for 4 tests" in said


def test_se_at_all_is_judged_by_its_own_test_and_over_seeds():
    gated = [card(), card(seed=1, lost=[1]), card(seed=2, gained=[1])]
    without = [card(r=None, lost=range(30)), card(seed=1, r=None, lost=range(28)), card(seed=2, r=None, lost=range(29))]
    said = conclusions(RATIO, [*gated, *without, card(r=2)]).sentences
    assert said[0].startswith("**Reduction ratio r: no measurable effect here.** On the same 3,925 images,")
    assert "r = 2 compared with r = 16, as trained: 0.00 points" in said[0]
    assert said[1].startswith(
        "**SE at all: yes, both between the networks as trained and over seeds.** On the same 3,925 images, no SE "
        "compared with r = 16, as trained: −0.76 points"
    )
    assert "Between means of seeds, no SE compared with r = 16 (3 seeds each): " in said[1]
    assert "t-test p < 0.0001" in said[1]
    assert "exact permutation p = 0.1, two-sided, the smallest that so few seeds allow." in said[1]
    assert "with three seeds each, one below about 0.1 points may be missed" in said[2]


def test_cards_without_answers_are_compared_over_seeds_only():
    older = [card(correct=3556), card(seed=1, correct=3557), card(r=2, correct=3400), card(seed=1, r=2, correct=3401)]
    said = conclusions(RATIO, [*older, card(r=4, correct=3400)]).sentences[0]
    assert said.startswith(
        "**Reduction ratio r: yes, over seeds.** These networks are not compared by image, because a card has no "
        "answers"
    )
    assert "r = 2, r = 4" in said
    assert "(2 seeds each)" in said
    alone = conclusions(SQUEEZE, [card(correct=3556), card(squeeze="max", correct=3556)]).sentences[0]
    assert alone.startswith("**Squeeze operator: not tested.**")


def test_one_network_allows_no_conclusion():
    (said,) = conclusions(RATIO, [card(), card(r=4, squeeze="max")]).sentences
    assert "Two networks" in said


def test_the_table_has_the_numbers_of_the_sentences():
    cards = [card(), card(seed=1, lost=[1]), card(r=2, lost=range(50), gained=range(60)), card(r=4, correct=3556)]
    table = images_table(family_comparisons(cards)).set_index("network")
    assert (table.loc["r = 2", "lost"], table.loc["r = 2", "gained"]) == (50, 60)
    assert table.loc["r = 2", "points"] == pytest.approx(100 * 10 / IMAGES)
    assert table.loc["r = 2", "95% interval"] == "−0.28 to +0.79"
    assert list(table.index) == ["r = 2"]  # the card of r = 4 does not say which images
    cards += [card(seed=1, r=2, lost=range(49), gained=range(60))]
    (row,) = seeds_table(family_comparisons(cards)).to_dict("records")
    assert (row["network"], row["seeds"], row["smallest possible"]) == ("r = 2", "2 and 2", pytest.approx(2 / 6))


def test_the_paper_is_beside_what_was_measured_here():
    integration = DESIGN_CHOICES[4]
    cards = [card(), card(seed=1, lost=[1, 2]), card(integration="pre", lost=[1])]
    table = beside_paper(integration, cards).set_index("place in the block")
    assert list(table.index) == ["standard", "pre", "post", "identity"]
    assert table.loc["standard", "seeds"] == 2
    assert table.loc["standard", "mean of seeds, %"] == pytest.approx(100 * 3499 / IMAGES)
    assert table.loc["pre", "top-1 here, %"] == pytest.approx(100 * 3499 / IMAGES)
    assert list(table["top-1 in the paper, %"]) == pytest.approx([77.72, 77.77, 77.22, 77.80])
    assert table.loc["identity", "top-1 here, %":"highest, %"].drop("seeds").isna().all()
    stages = beside_paper(DESIGN_CHOICES[3], [card(), card(gated_stages=(2, 3, 4))])
    assert list(stages["gated stages"])[-1] == "stages 2–4"  # the paper has no such network
    assert np.isnan(stages["top-1 in the paper, %"].iloc[-1])


def test_no_shipped_verdict_calls_a_significant_test_no_effect():
    cards = demo.cards()
    for one in family_comparisons(cards):
        said = conclusions(one.choice, cards).sentences
        told = said[1] if one.without_se else said[0]
        if one.images.p <= 0.05:
            assert ": no measurable effect" not in told


def test_ratios_are_on_a_numeric_axis_with_a_dot_for_each_seed():
    cards = [card(), card(seed=1, lost=[1]), card(seed=2, lost=[2, 3]), card(r=2), card(r=24), card(r=None)]
    figure = design_report(RATIO, cards).charts["family"].figure
    networks, seeds = (trace for trace in figure.data if trace.text)  # the others name symbols in the legend
    assert dict(zip(networks.text, networks.x, strict=True)) == {
        "r = 2": 2, "r = 16": 16, "r = 24": 24, "no SE": 96}  # fmt: skip
    assert figure.layout.xaxis.type == "log"
    assert list(seeds.text) == ["r = 16, seed 1", "r = 16, seed 2"]
    assert [round(y, 3) for y in seeds.y] == [round(100 * right / IMAGES, 3) for right in (3499, 3498)]
    assert dict(zip(networks.text, networks.marker.color, strict=True)) == {
        "r = 2": RATIOS[0], "r = 16": RATIOS[3], "r = 24": ratio_colour(24), "no SE": MUTED}  # fmt: skip
    assert set(seeds.marker.color) == {RATIOS[3]}
    by_cost = design_report(RATIO, cards, cost="parameters").charts["family"].figure
    assert by_cost.data[0].x[0] == pytest.approx(demo.card("r16").params / 1e6)


def test_a_ratio_has_the_same_colour_in_all_charts():
    report = design_report(RATIO)
    family = next(trace for trace in report.charts["family"].figure.data if trace.text)
    expected = dict(zip(family.text, family.marker.color, strict=True))
    for name in ("spread_by_gate", "saturation_by_gate", "rank_by_gate", "cka_by_gate"):
        drawn = [line for line in report.charts[name].figure.data if line.name in expected]
        assert len(drawn) >= 4
        assert {line.name: line.line.color for line in drawn} == {line.name: expected[line.name] for line in drawn}
