"""The verdict on a design choice in words: over images for networks as trained, and over seeds."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from statistics import median
from typing import NamedTuple

import pandas as pd

from se_viz.analysis.family_tests import (
    ALPHA,
    Comparison,
    ImageTest,
    SeedSpread,
    SeedTest,
    count_tests,
    family_comparisons,
    seed_spread,
)
from se_viz.analysis.power import visible_over_images, visible_over_seeds
from se_viz.demo.card import Card
from se_viz.demo.design_choices import NO_SE, RATIO, DesignChoice, comparable
from se_viz.demo.paired_comparison import Change, points

NO_EFFECT = "no measurable effect here"
UNCLEAR = "not clear (significant alone, but not with the correction for all tests)"


class Conclusions(NamedTuple):
    """The answer to the question whether accuracy depends on a choice.

    Attributes:
        verdicts: a paragraph for each question, which begins with the verdict in bold.
        limits: what these verdicts do not say, and what the paper says.
    """

    verdicts: tuple[str, ...]
    limits: str

    @property
    def sentences(self) -> tuple[str, ...]:
        """The verdicts, and their limits."""
        return (*self.verdicts, self.limits)


def conclusions(choice: DesignChoice, cards: Sequence[Card]) -> Conclusions:
    """Return whether top-1 depends on a choice, here and in the paper.

    Each network is compared with the standard one. The first verdict names the comparison with the clearest
    difference, first over images for the networks as trained, then over seeds, each with its size, interval and p. For
    the reduction ratio, the second one says the same of SE at all. The limits are the smallest differences that such
    tests would see, and the paper's difference: that of the same two values where its table has both.

    Args:
        choice: the design choice.
        cards: the cards of the demo models, with all seeds.
    """
    comparisons = family_comparisons(cards)
    compared = [one for one in comparisons if one.choice is choice and not one.without_se]
    if not compared:
        return Conclusions((), f"Two networks are needed to say whether accuracy depends on the {choice.title}.")
    tests = count_tests(comparisons)
    plain = [one for one in comparisons if one.without_se] if choice is RATIO else []
    title = choice.title[0].upper() + choice.title[1:]
    said = [" ".join([f"**{title}: {verdict(compared)}.**", *evidence(compared, tests)])]
    if plain:
        said.append(" ".join([f"**SE at all: {verdict(plain)}.**", *evidence(plain, tests)]))
    visible = _visible([*compared, *plain], tests, seed_spread(comparable(cards)))
    return Conclusions(tuple(said), " ".join(filter(None, [visible, _paper(choice, compared)])))


def images_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return a row for each network that is compared with the standard one image by image.

    Columns: network, compared with, points (the change of top-1), 95% interval, lost and gained images, McNemar p, p
    (Holm).
    """
    columns = ("network", "compared with", "points", "95% interval", "lost", "gained", "McNemar p", "p (Holm)")
    tested = [(one, one.images) for one in comparisons if one.images is not None]
    rows = [
        (
            *(one.label, one.standard, test.change.value * 100, _range(test.change)),
            *(test.lost, test.gained, test.p, test.adjusted),
        )
        for one, test in tested
    ]
    return pd.DataFrame(rows, columns=list(columns))


def seeds_table(comparisons: Sequence[Comparison]) -> pd.DataFrame:
    """Return a row for each network that is compared with the standard one over several seeds.

    Columns: network, compared with, seeds (their numbers), points (the change of the mean top-1), 95% interval, t-test
    p, p (Holm), permutation p (exact), smallest possible.
    """
    columns = (
        *("network", "compared with", "seeds", "points", "95% interval"),
        *("t-test p", "p (Holm)", "permutation p", "smallest possible"),
    )
    tested = [(one, one.seeds) for one in comparisons if one.seeds is not None]
    rows = [
        (
            *(one.label, one.standard, f"{test.seeds[1]} and {test.seeds[0]}", test.change.value * 100),
            *(_range(test.change), test.p, test.adjusted, test.exact, test.lowest),
        )
        for one, test in tested
    ]
    return pd.DataFrame(rows, columns=list(columns))


def verdict(compared: Sequence[Comparison]) -> str:
    """Return the verdict on a choice, which says whether it speaks of networks as trained, of seeds, or of both."""
    images, seeds = any(one.over_images for one in compared), any(one.over_seeds for one in compared)
    tests = [test for one in compared for test in (one.images, one.seeds) if test is not None]
    if images and seeds:
        return "yes, both between the networks as trained and over seeds"
    if images:
        return "yes, between the networks as trained"
    if seeds:
        return "yes, over seeds"
    if not tests:
        return "not tested"
    # The significance of one test chosen among many is overstated, but it is not "no effect" either.
    return UNCLEAR if min(test.p for test in tests) <= ALPHA else NO_EFFECT


def evidence(compared: Sequence[Comparison], tests: int) -> list[str]:
    """Return a sentence on the images and one on the seeds, each for the comparison with the smallest p.

    Args:
        compared: comparisons of one choice.
        tests: number of tests that were corrected together.
    """
    shown = _clearest(compared, lambda one: one.images)
    sentences = []
    if shown is not None and shown.images is not None:
        over = shown.images
        where = _clearest_of([one for one in compared if one.images], f"on the same {over.images:,} images")
        sentences.append(
            f"{where} {shown.label} compared with {shown.standard}, as trained: {_sized(over.change)}, exact McNemar p "
            f"{_p(over.p)}{_corrected(over.adjusted, tests)}."
        )
    missing = [one.label for one in compared if one.images is None]
    if missing:
        sentences.append(
            "These networks are not compared by image, because a card has no answers to the same images: "
            f"{', '.join(missing)}."
        )
    trained = _clearest(compared, lambda one: one.seeds)
    if trained is None or trained.seeds is None:
        sentences.append("Nothing is known over seeds, because these networks do not have several seeds each.")
        return sentences
    test = trained.seeds
    first, second = test.seeds[1], test.seeds[0]
    numbers = f"{first} seeds each" if first == second else f"{first} and {second} seeds"
    limit = ", the smallest that so few seeds allow" if test.exact <= test.lowest else ""
    where = _clearest_of([one for one in compared if one.seeds], "between means of seeds")
    sentences.append(
        f"{where} {trained.label} compared with {trained.standard} ({numbers}): {_sized(test.change)}, t-test p "
        f"{_p(test.p)}{_corrected(test.adjusted, tests)}; exact permutation p {_p(test.exact)}, two-sided{limit}."
    )
    return sentences


def _corrected(adjusted: float, tests: int) -> str:
    return f", or {_p(adjusted).removeprefix('= ')} after Holm's correction for {tests} tests" if tests > 1 else ""


def _clearest_of(tested: Sequence[Comparison], where: str) -> str:
    """Return the beginning of a sentence on the comparison with the smallest p."""
    if len(tested) > 1:
        return f"Of {len(tested)} differences {where}, the clearest is"
    return f"{where[0].upper()}{where[1:]},"


def _clearest(
    compared: Sequence[Comparison], test: Callable[[Comparison], ImageTest | SeedTest | None]
) -> Comparison | None:
    """Return the comparison with the smallest p of a test, or None if it was possible for none."""
    tested = [(found.p, -abs(found.change.value), place) for place, one in enumerate(compared) if (found := test(one))]
    return compared[min(tested)[2]] if tested else None


def _visible(compared: Sequence[Comparison], tests: int, spread: SeedSpread | None) -> str:
    """Return a sentence on the smallest differences that the tests would see."""
    over = [one.images for one in compared if one.images is not None and one.images.lost + one.images.gained]
    seeds = [one.seeds.seeds for one in compared if one.seeds is not None] or [(3, 3)]
    parts = []
    if over:
        discordant = median((test.lost + test.gained) / test.images for test in over)
        visible = images_limit(max(round(discordant, 3), 0.001), over[0].images, ALPHA / tests)
        parts.append(f"on these images, a difference below about {visible * 100:.1f} points may be missed")
    if spread is not None and spread.deviation:
        visible = visible_over_seeds(spread, seeds[0], ALPHA / tests)
        parts.append(
            f"with {_number(max(seeds[0]))} seeds each, one below about {visible * 100:.1f} points may be missed"
        )
    if not parts:
        return ""
    said = "; ".join(parts)
    return f"{said[0].upper()}{said[1:]} (power 80%, corrected for {tests} tests)."


@lru_cache(maxsize=64)
def images_limit(discordant: float, images: int, level: float) -> float:
    """Return ``visible_over_images``, which takes a tenth of a second; it is kept."""
    return visible_over_images(discordant, images, level)


def _paper(choice: DesignChoice, compared: Sequence[Comparison]) -> str:
    """Return the paper's difference between the two values that are compared here, or between its best and worst."""
    shown = _clearest(compared, lambda one: one.images) or compared[0]
    rows = {row.name: row for row in choice.rows if row.name != NO_SE}
    table = f"In the paper's Table {choice.table} (ImageNet)"
    if shown.label in rows and shown.standard in rows:
        # The table gives errors, the page accuracy.
        change = (rows[shown.standard].top1 - rows[shown.label].top1) / 100
        return f"{table}, {shown.label} differs from {shown.standard} by {points(change, digits=2)} points."
    best, worst = (choose(rows.values(), key=lambda row: row.top1) for choose in (min, max))
    return f"{table}, {best.name} is better than {worst.name} by {worst.top1 - best.top1:.1f} points."


def _sized(change: Change) -> str:
    return f"{points(change.value, digits=2)} points (95% interval {_range(change)})"


def _range(change: Change) -> str:
    return f"{points(change.low, digits=2)} to {points(change.high, digits=2)}"


def _p(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"= {p:.2g}"


def _number(count: int) -> str:
    return {2: "two", 3: "three", 4: "four", 5: "five"}.get(count, str(count))
