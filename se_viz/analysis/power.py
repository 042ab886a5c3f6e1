"""Power of the tests of the demo family: the difference that a test sees in four of five cases."""

from collections.abc import Callable
from math import sqrt

import numpy as np
import scipy

from se_viz.analysis.family_tests import SeedSpread

POWER = 0.8


def mcnemar_power(difference: float, discordant: float, images: int, level: float) -> float:
    """Return the probability that McNemar's exact test rejects.

    Args:
        difference: true difference of two accuracies, as a share.
        discordant: probability that exactly one of both networks is right, as a share; at least ``difference``.
        images: number of images.
        level: level of the test, two-sided.
    """
    lowest, highest = scipy.stats.binom.ppf((1e-12, 1 - 1e-12), images, discordant)
    count = np.arange(max(lowest, 1), highest + 1)
    # The largest k with 2 · P(K ≤ k) ≤ level for K ~ Binomial(count, 1/2); −1 if no k fulfils it.
    limit = scipy.stats.binom.ppf(level / 2, count, 0.5)
    limit -= 2 * scipy.stats.binom.cdf(limit, count, 0.5) > level
    towards = (1 + difference / discordant) / 2
    rejected = scipy.stats.binom.cdf(limit, count, towards) + scipy.stats.binom.sf(count - limit - 1, count, towards)
    return float(scipy.stats.binom.pmf(count, images, discordant) @ rejected)


def t_power(difference: float, spread: SeedSpread, seeds: tuple[int, int], level: float) -> float:
    """Return the probability that Student's t-test of two means rejects, and with the right sign.

    Args:
        difference: true difference of the means.
        spread: of the seeds of one network, in the same unit.
        seeds: numbers of seeds of the two networks, 2 or more.
        level: level of the test, two-sided.
    """
    shift = difference / (spread.deviation * sqrt(1 / seeds[0] + 1 / seeds[1]))
    limit = float(scipy.stats.t.ppf(1 - level / 2, spread.freedom))
    return float(scipy.stats.nct.sf(limit, spread.freedom, shift))


def visible_over_images(discordant: float, images: int, level: float) -> float:
    """Return the smallest difference of two accuracies that McNemar's test sees with a probability of 80%.

    If it would not see a difference even if all images that one of both gets right were the same network's, the largest
    difference that there can be is returned: ``discordant``.
    """
    if mcnemar_power(discordant, discordant, images, level) < POWER:
        return discordant
    return _smallest(lambda difference: mcnemar_power(difference, discordant, images, level), discordant)


def visible_over_seeds(spread: SeedSpread, seeds: tuple[int, int], level: float) -> float:
    """Return the smallest difference of two means of seeds that the t-test sees with a probability of 80%."""

    def power(difference: float) -> float:
        return t_power(difference, spread, seeds, level)

    highest = spread.deviation
    while power(highest) < POWER:
        highest *= 2
    return _smallest(power, highest)


def _smallest(power: Callable[[float], float], highest: float) -> float:
    return float(scipy.optimize.brentq(lambda difference: power(difference) - POWER, 0, highest, xtol=1e-5))
