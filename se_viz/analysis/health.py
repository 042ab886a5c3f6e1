"""The health of a gate: how much its weights depend on the channel and on the image, in numbers and words."""

from dataclasses import dataclass

import numpy as np

from se_viz.analysis import health_sentences as words
from se_viz.analysis.outliers import exceptions
from se_viz.analysis.verdicts import CLOSE, STILL, Verdict, definitions
from se_viz.gates.gate_functions import SOFTMAX, range_of
from se_viz.types import AnyFloats, Floats
from se_viz.wording import counted

__all__ = ["CLOSE", "Health", "health"]
__doc__ = f"{__doc__}\n\n{definitions()}"


@dataclass(frozen=True, slots=True)
class Health:
    """A gate's weights s over some images, in numbers and words.

    Attributes:
        images, channels: number of images and of channels.
        finite: share of s that is neither NaN nor infinite, 0–1.
        mean: mean of s over channels and images; None if some s is not finite.
        spread: standard deviation of s over channels, averaged over the images; None if some s is not finite.
        near_0: share of s within 0.1 of 0, 0–1; that is s below 0.1 for a gate function without negative values.
        near_1: share of s within 0.1 of 1, 0–1; that is s above 0.9 for a gate function whose range ends at 1.
            For a softmax over channels, s is multiplied by the number of channels for both, as for the verdict.
        clipped: share of s that is exactly 0 or 1, which hard-sigmoid and ReLU can return.
        variation: standard deviation of a channel's s between images, averaged over channels; None for one image, or if
            some s is not finite.
        verdict: one of ``verdicts.VERDICTS``.
        meaning: the measured numbers in a sentence or two.
    """

    images: int
    channels: int
    finite: float
    mean: float | None
    spread: float | None
    near_0: float
    near_1: float
    clipped: float
    variation: float | None
    verdict: Verdict
    meaning: str

    @property
    def sentence(self) -> str:
        """The verdict and its meaning, in Markdown."""
        if self.verdict == "one image cannot tell":
            return f"**One image cannot tell** whether s depends on the image. {self.meaning}"
        subject = "s of this gate" if self.verdict == "not finite" else "this gate"
        return f"Over {counted(self.images, 'image')} {subject} is **{self.verdict}**. {self.meaning}"


def health(s: AnyFloats, function: str = "") -> Health:
    """Judge a gate by its excitation weights.

    Args:
        s: (N, C), for N images and C channels, one or more of each.
        function: gate function as in ``Gate.gate_function``, which determines the ends of its range; empty if unknown.

    Raises:
        ValueError: s does not have two axes, or is empty.
    """
    if s.ndim != 2 or not s.size:
        raise ValueError(f"s must have the shape (N, C), with one image and one channel or more, not {s.shape}.")
    values: Floats = np.asarray(s, np.float64)
    whole = bool(np.isfinite(values).all())
    verdict, meaning = _judge(values, function) if whole else ("not finite", words.not_finite(values))
    return _measured(values, function, whole, verdict, meaning)


def _measured(s: Floats, function: str, whole: bool, verdict: Verdict, meaning: str) -> Health:
    images, channels = s.shape
    scaled = s * channels if function == SOFTMAX else s
    return Health(
        images=images,
        channels=channels,
        finite=float(np.isfinite(s).mean()),
        mean=float(s.mean()) if whole else None,
        spread=float(s.std(axis=1).mean()) if whole else None,
        near_0=float((np.abs(scaled) < CLOSE).mean()),
        near_1=float((np.abs(scaled - 1) < CLOSE).mean()),
        clipped=float(((s == 0) | (s == 1)).mean()),
        variation=float(s.std(axis=0).mean()) if whole and images > 1 else None,
        verdict=verdict,
        meaning=meaning,
    )


def _judge(s: Floats, function: str) -> tuple[Verdict, str]:
    """Return the first verdict of ``VERDICTS`` that applies to finite s, and its sentences."""
    if function == SOFTMAX:
        verdict, meaning = _judge(s * s.shape[1], "")
        return verdict, f"{meaning} Here s is multiplied by {s.shape[1]:,}, so that 1 is the average weight."
    if len(s) == 1:
        return "one image cannot tell", words.one_image(s)
    median = np.median(s, axis=0)
    # The ends of the function's range, with 0 and 1, where s of other functions collects in practice.
    ends = np.array([0.0, 1.0, *(range_of(function) or ())])
    nearest = ends[np.abs(median[:, None] - ends).argmin(axis=1)]
    settled = exceptions(s - nearest, CLOSE)
    near = words.levels(nearest, ~settled.channels)
    if settled.none:
        return ("saturated", words.saturated(s, nearest, near)) if nearest.any() else ("dead", words.dead(s))
    still = exceptions(s - median, STILL, np.maximum(1, np.abs(median)))
    if still.none:
        return "constant", words.constant(s, median, near)
    if still.few:
        return "mostly constant", words.mostly("mostly constant", s - median, still, near)
    of_image = np.median(s, axis=1, keepdims=True)
    alike = exceptions(s - of_image, STILL, np.maximum(1, np.abs(of_image)))
    if alike.none:
        return "uniform", words.uniform(s, of_image)
    if settled.few:
        return "mostly saturated", words.mostly("mostly saturated", s - nearest, settled, near)
    if alike.few:
        return "mostly uniform", words.mostly("mostly uniform", s - of_image, alike, near)
    return "image-dependent", words.depends(s, still, near)
