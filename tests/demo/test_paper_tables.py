from dataclasses import replace

from se_viz.demo import pretrained as demo
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO, choice_label, variants_of
from se_viz.demo.paper_tables import TABLE_10, TABLE_14
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.demo.variants import VARIANTS


def card(seed=0, **config):
    return replace(demo.card("r16"), name=str(config), network=SEResNetConfig(**config), seed=seed)


def family():
    return [replace(card(), name=member.name, network=member.config, seed=member.seed) for member in VARIANTS]


def test_members_differ_in_the_one_choice_and_come_in_the_order_of_the_papers_table():
    found = {one.field: [choice_label(one, c.network) for c in variants_of(one, family())] for one in DESIGN_CHOICES}
    assert found == {
        "r": ["r = 2", "r = 4", "r = 8", "r = 16", "r = 32", "no SE"],
        "squeeze": ["max", "avg"],
        "gate": ["ReLU", "tanh", "sigmoid"],
        "gated_stages": ["all stages", "stages 2–4", "no SE"],
        "integration": ["standard", "pre", "post", "identity"],
    }


def test_what_differs_in_two_things_belongs_nowhere():
    both = card(r=4, squeeze="max")
    assert all(both not in variants_of(one, [card(), both]) for one in DESIGN_CHOICES)


def test_other_seeds_are_left_aside_unless_asked_for():
    cards = [card(), card(seed=1), card(seed=2, r=None)]
    assert variants_of(RATIO, cards) == (cards[0],)
    assert variants_of(RATIO, cards, seed=None) == tuple(cards)


def test_stages_are_spelled_for_people():
    stages = next(one for one in DESIGN_CHOICES if one.field == "gated_stages")
    spelled = [choice_label(stages, SEResNetConfig(gated_stages=given)) for given in ((3,), (2, 3), (2, 5))]
    assert spelled == ["stage 3", "stages 2–3", "stages 2, 5"]


def test_the_papers_tables_agree_where_they_show_the_same_network():
    rows = {row.name: row for row in TABLE_10}
    assert (rows["r = 16"].top1, rows["r = 16"].top5) == (TABLE_14[0].top1, TABLE_14[0].top5)
    errors = {
        (row.top1, row.top5) for one in DESIGN_CHOICES for row in one.rows if row.name in ("r = 16", "avg", "sigmoid")
    }
    assert errors == {(22.28, 6.03)}
