"""η² by chance: its distribution if the labels of the same images were assigned at random."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import scipy
from scipy.sparse import csr_array

from se_viz.analysis.selectivity import STILL, variance
from se_viz.profiles.class_profiles import ClassProfiles, GateProfile, Moments
from se_viz.types import AnyInts, Counts, Floats, Positions

LEVEL = 0.95  # share of the random labellings that are below the limit
TIMES = 199  # random labellings


def expected_eta2(counts: Counts) -> float:
    """Return the mean of η² over all assignments of the labels, (K − 1) / (N − 1), from image counts (K,)."""
    classes, images = int((counts > 0).sum()), int(counts.sum())
    return (classes - 1) / (images - 1) if images > 1 else float("nan")


@dataclass(frozen=True, slots=True)
class SelectivityTest:
    """η² of the C channels of a gate compared with random labellings; NaN where s is constant.

    Attributes:
        share: η² (C,).
        limit: 95th percentile of η² over random labellings (C,).
        p: share of random labellings that reach η² (C,).
        shuffled: True if labels were shuffled, False if F's distribution was used.
    """

    share: Floats
    limit: Floats
    p: Floats
    shuffled: bool

    @property
    def significant_share(self) -> float:
        """Share of the varying channels whose η² at most 5% of random labellings reach, 0–1; 0.05 by chance."""
        varying = ~np.isnan(self.p)
        return float((self.p[varying] <= 1 - LEVEL).mean()) if varying.any() else float("nan")


def test_selectivity(profiles: ClassProfiles, gate: GateProfile, most: int = 20_000_000) -> SelectivityTest:  # noqa: PT028 - no test
    """Return the test of one gate of class profiles.

    Labels are shuffled if the class profiles have single images and at most ``most`` values of s, which takes a few
    seconds; otherwise F's distribution is used.
    """
    if profiles.header.images and len(profiles.table.labels) * sum(one.entry.channels for one in profiles) <= most:
        return permutation(gate, profiles.table.labels)
    return f_test(gate.s())


def f_test(moments: Moments) -> SelectivityTest:
    """Return the test of one-way ANOVA: under chance η² is distributed as Beta((K − 1) / 2, (N − K) / 2).

    The test is exact for normal s. For s concentrated at the ends of its range, the limit is within 3% of that of
    shuffled labels for 20 images or more, and within 10% of it for six (measured on 40 channels each).
    """
    counts, share = moments.count, variance(moments).share
    classes, images = int((counts > 0).sum()), int(counts.sum())
    nothing = np.full(len(share), np.nan)
    if classes < 2 or images <= classes:
        return SelectivityTest(share, nothing, nothing, shuffled=False)
    null = scipy.stats.beta((classes - 1) / 2, (images - classes) / 2)
    return SelectivityTest(share, np.where(np.isnan(share), np.nan, null.ppf(LEVEL)), null.sf(share), shuffled=False)


def permutation(gate: GateProfile, labels: AnyInts, times: int = TIMES, seed: int = 0) -> SelectivityTest:
    """Return the test made by shuffling the labels of the single images.

    Args:
        gate: a gate of class profiles with single images.
        labels: labels (N,) of the images, ``profiles.table.labels``.
        times: number of random labellings; the true one is counted with them, so p is at least 1 / (times + 1).
        seed: seed of the random numbers.

    Raises:
        NotInProfiles: the class profiles have no single images.
    """
    s = gate.images()
    s = s - s.mean(axis=0)
    total = np.square(s).sum(axis=0)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    columns, ones = np.arange(len(s)), np.ones(len(s))

    def between(codes: Positions) -> Floats:
        member = csr_array((ones, (codes, columns)), shape=(len(counts), len(s)))
        sums: Floats = (np.square(member @ s) / counts[:, None]).sum(axis=0)
        return sums

    actual = between(codes)
    rng = np.random.default_rng(seed)
    shuffled = np.stack([between(rng.permutation(codes)) for _ in range(times)])
    # With few images a labelling repeats, so a value that is equal except for rounding counts as reached.
    reached = (shuffled >= actual * (1 - 1e-9)).sum(axis=0)
    still = total <= len(s) * STILL**2
    with np.errstate(invalid="ignore", divide="ignore"):
        share, limit = (
            np.where(still, np.nan, sums / total) for sums in (actual, np.quantile(shuffled, LEVEL, axis=0))
        )
    return SelectivityTest(share, limit, np.where(still, np.nan, (1 + reached) / (1 + times)), shuffled=True)


def significance_table(profiles: ClassProfiles) -> pd.DataFrame:
    """Return η² of every channel and its values by chance, a row for each, in execution order of the gates.

    Columns: gate, stage, block, channel, eta2, chance (its mean over random labellings), limit (95th percentile over
    random labellings), p and test ("shuffled" or "F").
    """
    expected = expected_eta2(profiles.counts)
    parts = []
    for gate in profiles:
        entry, tested = gate.entry, test_selectivity(profiles, gate)
        place = {"gate": gate.name, "stage": entry.stage, "block": entry.block, "channel": np.arange(entry.channels)}
        numbers = {"eta2": tested.share, "chance": expected, "limit": tested.limit, "p": tested.p}
        parts.append(pd.DataFrame(place | numbers | {"test": "shuffled" if tested.shuffled else "F"}))
    return pd.concat(parts, ignore_index=True)
