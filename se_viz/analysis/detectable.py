"""The smallest difference of two classes that their numbers of images can show."""

from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from se_viz.profiles.class_profiles import ClassProfiles

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
    """Return Cohen's d that a t-test of two classes with so many images each finds 80 % of the time at the 5 % level.

    The approximation d = (t₁₋α⁄₂ + t₀.₈) √(2/n) with 2n − 2 degrees of freedom; NaN for a single image. ``images`` may
    be a mean size of classes.
    """
    if images <= 1:
        return float("nan")
    free = 2 * images - 2
    return float((t.ppf(1 - LEVEL / 2, free) + t.ppf(POWER, free)) * np.sqrt(2 / images))


def detectable(profiles: ClassProfiles) -> Detectable:
    """Return the smallest difference that two classes with as many images as the smallest class would show."""
    last = list(profiles)[-1]
    moments = last.s()
    some = moments.count > 0
    counts = moments.count[some]
    free = int((counts - 1).sum())
    within = (
        np.sqrt((counts[:, None] * np.square(moments.std[some])).sum(axis=0) / free) if free else np.array([np.nan])
    )
    d = smallest_d(int(counts.min())) if some.any() else float("nan")
    return Detectable(int(counts.min()) if some.any() else 0, last.name, d, d * float(np.median(within)))


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
