"""Tests of the demo family: each network against the standard one, over images and over seeds.

The tests answer two questions. *Over images*: does one trained network classify more images correctly than another?
McNemar's exact test compares them image by image; it says nothing about other trainings of the same networks. *Over
seeds*: do trainings of two configurations differ on these images? Student's t-test compares the means of their seeds,
with a standard deviation between seeds that is pooled over all networks with several seeds.

All tests of the family are corrected together (Holm 1979): if no choice had an effect, the probability that any of them
is called significant would be at most 5%, whatever their dependence.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb, sqrt
from statistics import fmean

import numpy as np
import scipy

from se_viz.demo.card import Card
from se_viz.demo.design_choices import DESIGN_CHOICES, RATIO, DesignChoice, choice_label, comparable, variants_of
from se_viz.demo.paired_comparison import Change, accuracy_change, mcnemar
from se_viz.demo.seresnet import SEResNetConfig

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class ImageTest:
    """Two networks as trained, on the same images.

    Attributes:
        images: number of images.
        right: images that the standard network gets right.
        lost, gained: images that only the standard network gets right, and only the other one.
        p: McNemar's exact p, two-sided.
        adjusted: p with Holm's correction for all tests of the family.
    """

    images: int
    right: int
    lost: int
    gained: int
    p: float
    adjusted: float = 1.0

    @property
    def change(self) -> Change:
        """Accuracy of the other network minus that of the standard one, with Newcombe's 95% interval for pairs."""
        return accuracy_change(self.right, self.lost, self.gained, self.images)


@dataclass(frozen=True, slots=True)
class SeedTest:
    """Several trainings of two networks.

    Attributes:
        seeds: number of seeds of the standard network and of the other one.
        change: mean accuracy of the other network minus that of the standard one, as a share, with the 95% interval of
            Student's t for the pooled standard deviation.
        p: p of that t-test, two-sided.
        exact: exact permutation p, two-sided: the share of all assignments of the seeds to the two networks whose means
            differ at least as much.
        lowest: the smallest ``exact`` that this number of seeds allows.
        adjusted: p with Holm's correction for all tests of the family.
    """

    seeds: tuple[int, int]
    change: Change
    p: float
    exact: float
    lowest: float
    adjusted: float = 1.0


@dataclass(frozen=True, slots=True)
class SeedSpread:
    """Standard deviation of accuracy between seeds of one network, as a share, pooled over networks.

    Attributes:
        deviation: the standard deviation.
        freedom: its degrees of freedom: the number of seeds minus the number of networks.
        networks: number of networks with several seeds.
    """

    deviation: float
    freedom: int
    networks: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """A network compared with the standard one, from which it differs in one choice.

    Attributes:
        choice: the design choice; None for a network of the user.
        label, standard: values of the choice in both.
        card, reference: cards of seed 0 of both.
        images: None if a card does not have the answers to the same images.
        seeds: None if one of both has a single seed.
    """

    choice: DesignChoice | None
    label: str
    standard: str
    card: Card
    reference: Card
    images: ImageTest | None
    seeds: SeedTest | None

    @property
    def without_se(self) -> bool:
        """True if the network has no gates, so that the question is whether SE matters at all."""
        return not self.card.network.gated

    @property
    def over_images(self) -> bool:
        """True if the networks as trained differ significantly."""
        return self.images is not None and self.images.adjusted <= ALPHA

    @property
    def over_seeds(self) -> bool:
        """True if the means of the seeds differ significantly."""
        return self.seeds is not None and self.seeds.adjusted <= ALPHA


def family_comparisons(cards: Sequence[Card]) -> tuple[Comparison, ...]:
    """Compare every network that differs from the standard one in one choice with it, and correct all p together.

    Args:
        cards: the cards of the family, with all seeds. Cards with another recipe than the standard network's are left
            out, because their accuracy depends on it, too.
    """
    standard = SEResNetConfig()
    reference = next((card for card in cards if card.network == standard and not card.seed), None)
    if reference is None:
        return ()
    cards = comparable(cards)
    spread = seed_spread(cards)
    found: dict[str, Comparison] = {}
    for choice in DESIGN_CHOICES:
        for card in variants_of(choice, cards):
            if card.name not in found and card.network != standard:
                found[card.name] = _compare(choice, card, reference, cards, spread)
    return corrected(list(found.values()))


def compare(choice: DesignChoice | None, card: Card, reference: Card, cards: Sequence[Card]) -> Comparison:
    """Compare two networks, without correction for several tests.

    Args:
        choice: the choice in which they differ, None if that is not a single one.
        card, reference: the network and the standard one, of seed 0.
        cards: cards with the same recipe, among them the other seeds of both, and those that give the spread of seeds.
    """
    return _compare(choice, card, reference, cards, seed_spread(cards))


def _compare(
    choice: DesignChoice | None, card: Card, reference: Card, cards: Sequence[Card], spread: SeedSpread | None
) -> Comparison:
    asked = choice or RATIO
    return Comparison(
        choice=choice,
        label=choice_label(asked, card.network) if choice else card.name,
        standard=choice_label(asked, reference.network),
        card=card,
        reference=reference,
        images=_over_images(reference, card),
        seeds=None if spread is None else over_seeds(accuracies(reference, cards), accuracies(card, cards), spread),
    )


def accuracies(card: Card, cards: Sequence[Card]) -> list[float]:
    """Return the accuracies of all seeds of a network, as shares."""
    return [other.accuracy.top1 for other in cards if other.network == card.network]


def seed_spread(cards: Sequence[Card]) -> SeedSpread | None:
    """Return the standard deviation between seeds, pooled over networks; None if no network has several seeds."""
    groups: dict[SEResNetConfig, list[float]] = {card.network: [] for card in cards if not card.seed}
    for card in cards:
        if card.network in groups:
            groups[card.network].append(card.accuracy.top1)
    several = [group for group in groups.values() if len(group) > 1]
    freedom = sum(len(group) - 1 for group in several)
    if not freedom:
        return None
    squares = sum((value - fmean(group)) ** 2 for group in several for value in group)
    return SeedSpread(sqrt(squares / freedom), freedom, len(several))


def _over_images(reference: Card, card: Card) -> ImageTest | None:
    before, after = reference.right, card.right
    if before is None or after is None or not before.same_images(after):
        return None
    known, right = before.unpacked(), after.unpacked()
    lost, gained = int(np.count_nonzero(known & ~right)), int(np.count_nonzero(right & ~known))
    return ImageTest(before.images, reference.accuracy.correct, lost, gained, mcnemar(lost, gained))


def over_seeds(first: Sequence[float], second: Sequence[float], spread: SeedSpread) -> SeedTest | None:
    """Compare the accuracies of several trainings of two networks; None if one of both has a single seed.

    Args:
        first, second: accuracies as shares; the change is from the first network to the second.
        spread: of the seeds of one network.
    """
    n, m = len(first), len(second)
    if min(n, m) < 2:
        return None
    value, error = fmean(second) - fmean(first), spread.deviation * sqrt(1 / n + 1 / m)
    reach = float(scipy.stats.t.ppf(1 - ALPHA / 2, spread.freedom)) * error
    p = 2 * float(scipy.stats.t.sf(abs(value) / error, spread.freedom)) if error else float(value == 0)
    lowest = (2 if n == m else 1) / comb(n + m, n)
    return SeedTest((n, m), Change(value, value - reach, value + reach), p, permutation_p(first, second), lowest)


def permutation_p(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the exact permutation p of a difference of means, two-sided.

    It is the share of all C(n + m, n) assignments of the values to two groups of these sizes, the observed one
    included, whose means differ at least as much. Three against three have 20 assignments, and each has a mirror image,
    so p is at least 2/20.
    """
    values, n = [*first, *second], len(first)
    total, observed = sum(values), abs(fmean(first) - fmean(second))
    spread = [abs(sum(chosen) / n - (total - sum(chosen)) / len(second)) for chosen in combinations(values, n)]
    return sum(difference >= observed - 1e-12 for difference in spread) / len(spread)


def holm(p: Sequence[float]) -> list[float]:
    """Return p values with Holm's correction, in the same order: reject those at or below the level."""
    order = sorted(range(len(p)), key=p.__getitem__)
    adjusted, highest = [1.0] * len(p), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def corrected(comparisons: Sequence[Comparison]) -> tuple[Comparison, ...]:
    """Return comparisons with Holm's correction for all their tests, over images and over seeds together."""
    adjusted = iter(holm([test.p for one in comparisons for test in (one.images, one.seeds) if test is not None]))
    return tuple(
        replace(
            one,
            images=one.images and replace(one.images, adjusted=next(adjusted)),
            seeds=one.seeds and replace(one.seeds, adjusted=next(adjusted)),
        )
        for one in comparisons
    )


def count_tests(comparisons: Sequence[Comparison]) -> int:
    """Return the number of tests that were corrected together."""
    return sum(test is not None for one in comparisons for test in (one.images, one.seeds))
