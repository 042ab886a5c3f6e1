"""The smallest difference of two classes that their numbers of images can show."""

from dataclasses import dataclass

import numpy as np
import scipy

from se_viz.profiles.class_profiles import ClassProfiles, Moments
from se_viz.types import Floats

LEVEL, POWER = 0.05, 0.8
FEW = 30  # images of a class, below which a sentence says what cannot be seen


@dataclass(frozen=True, slots=True)
class Detectable:
    """The smallest difference of class means of s that would be seen in a channel.

    Attributes:
        images: number of images of the smallest class with images.
        gate: the last gate, where it was computed.
        d: the difference in standard deviations within a class (Cohen's d); NaN for a single image.
        s: the difference in units of s, for the median channel; NaN likewise.
    """

    images: int
    gate: str
    d: float
    s: float


def smallest_d(images: float) -> float:
    """Return Cohen's d that a t-test of two classes of ``images`` each finds 80% of the time at the 5% level.

    The approximation d = (t₁₋α⁄₂ + t₀.₈) √(2/n) with 2n − 2 degrees of freedom; NaN for a single image. ``images`` may
    be a mean size of classes.
    """
    if images <= 1:
        return float("nan")
    free = 2 * images - 2
    return float((scipy.stats.t.ppf(1 - LEVEL / 2, free) + scipy.stats.t.ppf(POWER, free)) * np.sqrt(2 / images))


def variance_within(moments: Moments) -> Floats:
    """Return the variance of s within the classes (C,), pooled over them; NaN if no class has two images."""
    some = moments.count > 0
    count, std = moments.count[some], moments.std[some]
    squares, freedom = (count[:, None] * np.square(std)).sum(axis=0), int((count - 1).sum())
    pooled: Floats = squares / freedom if freedom else np.full(len(squares), np.nan)
    return pooled


def detectable(profiles: ClassProfiles) -> Detectable:
    """Return the smallest difference that two classes with as many images as the smallest class would show."""
    last = list(profiles)[-1]
    moments = last.s()
    fewest = int(moments.count[moments.count > 0].min()) if moments.count.any() else 0
    d = smallest_d(fewest)
    return Detectable(fewest, last.name, d, d * float(np.median(np.sqrt(variance_within(moments)))))


def few_images(profiles: ClassProfiles) -> str:
    """Return a sentence on what few images per class cannot show; "" with 30 images or more of each class."""
    found = detectable(profiles)
    if not 0 < found.images < FEW or not found.s:  # where s is constant, no difference can be missed
        return ""
    if found.images == 1:
        alone, classes = int((profiles.counts == 1).sum()), int((profiles.counts > 0).sum())
        if alone == classes:
            return "**With 1 image of each class, nothing can be concluded about classes**: add images."
        these, them = ("1 class has", "it") if alone == 1 else (f"{alone:,} of {classes:,} classes have", "them")
        return f"**{these} a single image, from which nothing can be concluded**: add images of {them}."
    return (
        f"**With {found.images} images of a class, a difference of two classes' mean s below {found.s:.2g} (Cohen's d "
        f"{found.d:.1f}) in a channel of {found.gate} cannot be seen**: a t-test would miss it in over 20% of cases."
    )
