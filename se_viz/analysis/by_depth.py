"""Class specificity and saturation of every gate, from class profiles."""

from dataclasses import dataclass

import numpy as np

from se_viz.analysis.class_noise import ClassNoise, class_noise
from se_viz.analysis.class_similarity import class_similarity
from se_viz.analysis.health import CLOSE
from se_viz.analysis.histogram import share_below
from se_viz.analysis.selectivity import variance
from se_viz.analysis.significance import expected_eta2, test_selectivity
from se_viz.gates.gate_functions import SOFTMAX
from se_viz.profiles.class_profiles import ClassProfiles, GateProfile, Histogram
from se_viz.types import Floats


@dataclass(frozen=True, slots=True)
class Saturation:
    """Shares (0–1) of the s of all images and channels within 0.1 of 0 and of 1, and the mean and spread of s.

    Shares are read from histograms: their error is less than the share in the bins around 0.1 and 0.9. Spread is the
    standard deviation, over channels, of the channel means.
    """

    near_0: float
    near_1: float
    mean: float
    spread: float


@dataclass(frozen=True, slots=True)
class Depth:
    """The numbers of one gate.

    Attributes:
        gate, stage, block: its name and its position in the network.
        share: η² of the gate as a whole.
        quartiles: quartiles of η² over its channels.
        expected_eta2: mean η² if the class did not matter.
        limit: 95th percentile of η² of a channel if the class did not matter (median over the channels).
        significant_share: share of the varying channels whose η² is above their limit.
        shuffled: True if that was tested by shuffling labels, False if by F's distribution (``test_selectivity``).
        between: standard deviation of the class means around their mean, over channels (root mean square), in units of
            s: the distance between the curves of the paper's Figure 6.
        class_cosine: mean cosine between the patterns of two classes, uncentred; 1 if they differ only in scale.
        saturation: the shares of s near 0 and near 1.
        noise: limits set by the number of images.
    """

    gate: str
    stage: int
    block: int
    share: float
    quartiles: tuple[float, float, float]
    expected_eta2: float
    limit: float
    significant_share: float
    shuffled: bool
    between: float
    class_cosine: float
    saturation: Saturation
    noise: ClassNoise


def saturation(gate: GateProfile, classes_at_once: int = 32) -> Saturation:
    """Return the shares of a gate's s near 0 and near 1, by the same limits as ``health``.

    For a softmax over channels these are divided by the number of channels, as its weights sum to 1.

    Histograms of 1,000 classes and 2,048 channels would take 1 GB, and several times as much while they are summed, so
    they are read ``classes_at_once`` at a time.
    """
    moments = gate.s()
    nonempty = moments.count > 0
    weights = moments.count / moments.count.sum()
    scale = 1 / gate.entry.channels if gate.entry.function == SOFTMAX else 1.0
    near_0 = near_1 = 0.0
    for start in range(0, len(weights), classes_at_once):
        some = slice(start, start + classes_at_once)
        histogram, counted = gate.histogram(some), nonempty[some]

        def share(low: float, high: float, of: Histogram = histogram) -> Floats:
            within: Floats = share_below(of, high * scale) - share_below(of, low * scale)
            return np.asarray(within.mean(axis=1))

        near_0 += float(weights[some][counted] @ share(-CLOSE, CLOSE)[counted])
        near_1 += float(weights[some][counted] @ share(1 - CLOSE, 1 + CLOSE)[counted])
    means = weights[nonempty] @ moments.mean[nonempty]
    return Saturation(near_0, near_1, float(means.mean()), float(means.std()))


def by_depth(profiles: ClassProfiles) -> tuple[Depth, ...]:
    """Return the numbers of every gate, in execution order."""
    return tuple(_depth(profiles, gate) for gate in profiles)


def _depth(profiles: ClassProfiles, gate: GateProfile) -> Depth:
    moments, checked = gate.s(), test_selectivity(profiles, gate)
    parts = variance(moments)
    first, median, third = np.nanquantile(parts.share, (0.25, 0.5, 0.75)) if parts.total.any() else [np.nan] * 3
    nonempty = moments.count > 0
    alike = class_similarity(moments.mean[nonempty], centred=False)
    pairs = alike[np.triu_indices(len(alike), 1)]
    return Depth(
        gate.name,
        gate.entry.stage,
        gate.entry.block,
        parts.overall,
        (float(first), float(median), float(third)),
        expected_eta2(moments.count),
        float(np.nanmedian(checked.limit)) if np.isfinite(checked.limit).any() else float("nan"),
        checked.significant_share,
        checked.shuffled,
        float(np.sqrt(moments.mean[nonempty].var(axis=0).mean())),
        float(pairs.mean()) if len(pairs) else float("nan"),
        saturation(gate),
        class_noise(moments),
    )
