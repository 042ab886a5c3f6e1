"""Sentences on a gate's weights, which state what was measured and nothing else."""

import numpy as np

from se_viz.analysis.outliers import Exceptions
from se_viz.analysis.verdicts import CLOSE, NO_EFFECT, STILL, Verdict
from se_viz.types import Bools, Floats
from se_viz.wording import counted, signed


def not_finite(s: Floats) -> str:
    """Say how many weights (N, C) are NaN or infinite, and where."""
    bad = ~np.isfinite(s)
    channels: Bools = np.asarray(bad.any(axis=0))
    images: Bools = np.asarray(bad.any(axis=1))
    kinds = {"NaN": int(np.isnan(s).sum()), "infinite": int(np.isinf(s).sum())}
    counts = " and ".join(f"{count:,} {'is' if count == 1 else 'are'} {kind}" for kind, count in kinds.items() if count)
    return (
        f"Of {counted(s.size, 'weight')} {counts}, in {_of(channels, 'channel')} and "
        f"{_of(images, 'image')}, so no other verdict is possible. Check the weights of the network, and run it in "
        "fp32 if it ran in fp16 or bf16."
    )


def one_image(s: Floats) -> str:
    """Say how the weights of a single image (1, C) are distributed over the channels."""
    near = " and ".join(f"{(np.abs(s - end) < CLOSE).mean():.0%} within {CLOSE} of {end}" for end in (0, 1))
    over = f"over {counted(s.shape[1], 'channel')} (mean {signed(s.mean(), '.2f')}, SD {s.std():.2f})"
    return f"In this image s is {_range(s)} {over}; {near}. Add a second image."


def dead(s: Floats) -> str:
    """Say that all weights are near 0, and their range."""
    return f"All {counted(s.shape[1], 'channel')} stay near 0 (s is {_range(s)}): the gate suppresses all its maps."


def saturated(s: Floats, nearest: Floats, near: str) -> str:
    """Say at which ends of the range the channels are; ``nearest`` (C,)."""
    passed = " The maps pass nearly unchanged." if (nearest == 1).all() else ""
    return f"{near}: s is {_range(s)}.{passed} {NO_EFFECT}"


def constant(s: Floats, median: Floats, near: str) -> str:
    """Say by how much s deviates from a fixed factor for each channel, ``median`` (C,), and what the factors are."""
    said = [f"No weight deviates by more than {_at_most(s - median)} from its channel's median over the images."]
    if np.ptp(median) < STILL:
        said += [
            f"{'All channels get' if len(median) > 1 else 'The only channel gets'} about {signed(s.mean(), '.2f')}."
        ]
    else:
        said += [f"Channels differ: s is {_range(s)} (SD over channels {s.std(axis=1).mean():.2f})."]
    return " ".join(
        [*said, *_ended(near), "On these images, one fixed factor for each channel would do nearly the same."]
    )


def uniform(s: Floats, of_image: Floats) -> str:
    """Say which weight each image gets, ``of_image`` (N, 1), and how similar its channels are."""
    change = f"It is {_range(of_image)} (SD over images {of_image.std():.2f})"
    if s.shape[1] == 1:
        return f"The gate has one channel, whose weight depends on the image. {change}. {NO_EFFECT}"
    return (
        f"In each image all {counted(s.shape[1], 'channel')} get the same weight, to within "
        f"{_at_most(s - of_image)}. {change}: the gate scales its maps together and does not choose between "
        f"channels. {NO_EFFECT}"
    )


# What most channels do, what the others do, and the reference of their distance.
_MOST: dict[Verdict, tuple[str, str, str]] = {
    "mostly constant": ("do not change between images", "do", "from their median"),
    "mostly saturated": ("stay near an end of the range", "do not", "from the nearest"),
    "mostly uniform": ("get the same weight in each image", "do not", "from the median of its channels"),
}


def mostly(verdict: Verdict, off: Floats, deviating: Exceptions, near: str) -> str:
    """Say how many channels fit the verdict, how many do not, and by how much they deviate, ``off`` (N, C)."""
    most, others, apart = _MOST[verdict]
    channels, images = deviating.channels, deviating.images
    said = f"{_of(~channels, 'channel')} {most}"
    if channels.any():
        farthest = np.abs(off[~images][:, channels]).max()
        do = others if channels.sum() > 1 else others.replace("do", "does")
        said += f"; {channels.sum():,} {do}, up to {farthest:.2f} {apart}"
    if images.any():
        farthest = np.abs(off[images]).max()
        said = f"{_of(images, 'image')} set aside (s up to {farthest:.2f} {apart}), {said}"
    return " ".join([f"{said}.", *_ended(near), NO_EFFECT])


def depends(s: Floats, still: Exceptions, near: str) -> str:
    """Say how much s differs between channels and between images."""
    return " ".join(
        [
            f"s differs between channels (SD {s.std(axis=1).mean():.3f} on average over the images) and between images "
            f"(SD {s.std(axis=0).mean():.3f} on average over the channels; {_of(still.channels, 'channel')} change).",
            *_ended(near),
            NO_EFFECT,
        ]
    )


def levels(nearest: Floats, staying: Bools) -> str:
    """Return how many channels stay near which end: "380 of 400 channels stay near 0, 20 near 1", or ""."""
    counts = {end: int((staying & (nearest == end)).sum()) for end in np.unique(nearest)}
    said = [f"{count:,} near {end:g}".replace("-", "−") for end, count in counts.items() if count]
    if not said:
        return ""
    count, _, end = said[0].partition(" ")
    return ", ".join([f"{count} of {counted(len(nearest), 'channel')} stay {end}", *said[1:]])


def _ended(near: str) -> list[str]:
    return [f"{near}."] if near else []


def _of(some: Bools, what: str) -> str:
    return f"{int(some.sum()):,} of {counted(len(some), what)}"


def _at_most(off: Floats) -> str:
    """Return the largest distance, rounded up to a thousandth."""
    return f"{max(1, np.ceil(np.abs(off).max() * 1e3)) / 1e3:.3f}"


def _range(values: Floats) -> str:
    low, high = f"{values.min():.2f}", f"{values.max():.2f}"
    return (low if low == high else f"{low} to {high}").replace("-", "−")
