"""Networks of the user in words: each compared with the standard one."""

from collections.abc import Sequence

from se_viz.analysis.family_tests import Comparison, compare, corrected, count_tests
from se_viz.demo.card import Card
from se_viz.demo.design_choices import comparable
from se_viz.demo.seresnet import SEResNetConfig
from se_viz.reports.design_verdicts import evidence, verdict

_YOURS = "**Your network"
"""Beginning of each sentence on a network of the user."""
_SAID = 4  # maximum number of networks with sentences; the table has all


def user_comparisons(yours: Sequence[Card], cards: Sequence[Card]) -> tuple[Comparison, ...]:
    """Compare each network of the user with the standard one; their tests are corrected among themselves.

    Args:
        yours: cards of the user, with all seeds; those with another recipe or data are left out.
        cards: the cards of the demo models.
    """
    both = comparable([*cards, *yours])
    reference = next((card for card in both if card.network == SEResNetConfig() and not card.seed), None)
    if reference is None:
        return ()
    return corrected([compare(None, card, reference, both) for card in yours if card in both and not card.seed])


def user_sentences(yours: Sequence[Card], cards: Sequence[Card]) -> list[str]:
    """Return what the comparison with the standard network says of each network of the user."""
    comparisons = user_comparisons(yours, cards)
    tests = count_tests(comparisons)
    said = [
        " ".join([f"{_YOURS} {one.label}: {verdict([one])}.**", *evidence([one], tests)]) for one in comparisons[:_SAID]
    ]
    if len(comparisons) > _SAID:
        said.append(f"{_YOURS}s:** the table of comparisons has {len(comparisons) - _SAID} more.")
    return said


def user_notes(yours: Sequence[Card], compared: Sequence[Card]) -> list[str]:
    """Return a sentence on the user's networks that cannot be compared, because they were trained differently."""
    others = [card.name for card in yours if card not in compared]
    if not others:
        return []
    return [
        f"{', '.join(others)}: trained with another recipe or another number of images than the demo models, so "
        "accuracy is listed, but not compared."
    ]
