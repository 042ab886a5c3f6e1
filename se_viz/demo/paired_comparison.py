"""Paired comparisons: the difference between two answers to the same images, with intervals for pairs."""

from dataclasses import dataclass
from math import sqrt

from scipy.special import bdtr

from se_viz.demo.evaluate import accuracy
from se_viz.wording import signed

_NORMAL = 1.959963984540054  # of a standard normal variable, between ± so much in 95%


def points(share: float, digits: int = 1) -> str:
    """Return a change of a share in points with its sign, "+1.2" or "−0.3"; without one where it rounds to 0."""
    said = signed(100 * share, f"+.{digits}f")
    return said if said.strip("+−0.") else said[1:]


@dataclass(frozen=True, slots=True)
class Change:
    """A difference and its 95% interval."""

    value: float
    low: float
    high: float

    @property
    def clear(self) -> bool:
        """True if the interval excludes zero."""
        return self.low > 0 or self.high < 0


def accuracy_change(right: int, lost: int, gained: int, of: int) -> Change:
    """Return the change of an accuracy over the same images, as a share, with Newcombe's interval for pairs.

    It is made of the two Wilson intervals and of the correlation φ of right answers before and after (Newcombe 1998,
    Statistics in Medicine 17, 2635-2650, method 10).

    Args:
        right: images that were right before.
        lost: those of them that are wrong after.
        gained: images that were wrong before and are right after.
        of: all images, 1 or more.
    """
    before, after = accuracy(right, of), accuracy(right - lost + gained, of)
    phi = _phi(right - lost, lost, gained, of - right - gained)
    value = (gained - lost) / of

    def reach(outer: float, inner: float) -> float:
        return sqrt(max(0.0, outer**2 - 2 * phi * outer * inner + inner**2))

    low = value - reach(after.top1 - after.low, before.high - before.top1)
    high = value + reach(after.high - after.top1, before.top1 - before.low)
    return Change(value, low, high)


def _phi(both: int, lost: int, gained: int, neither: int) -> float:
    """Return the correlation of two answers to the same images, with Newcombe's correction for continuity."""
    margins = (both + lost) * (gained + neither) * (both + gained) * (lost + neither)
    if margins == 0:
        return 0.0
    product: float = both * neither - lost * gained
    if product > 0:
        product = max(product - (both + lost + gained + neither) / 2, 0)
    return product / sqrt(margins)


def mcnemar(lost: int, gained: int) -> float:
    """Return McNemar's exact p: the probability of counts at least as unequal if both changes are equally likely."""
    # As scipy.stats.binomtest, whose hundredfold overhead matters for thousands of comparisons.
    return min(1.0, 2 * float(bdtr(min(lost, gained), lost + gained, 0.5))) if lost + gained else 1.0


def mean_change(total: float, squares: float, count: int) -> Change | None:
    """Return the mean of differences over N images with a normal interval; None for less than two images.

    Args:
        total: Σ d.
        squares: Σ d².
        count: N.
    """
    if count < 2:
        return None
    mean = total / count
    deviation = sqrt(max(0.0, squares - total * mean) / (count - 1))
    reach = _NORMAL * deviation / sqrt(count)
    return Change(*(float(f"{value:.6g}") for value in (mean, mean - reach, mean + reach)))
