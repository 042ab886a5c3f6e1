"""How large η² would be by chance: the same images, with their labels handed out at random."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array
from scipy.stats import beta

from se_viz.analysis.selectivity import STILL, variance
from se_viz.profiles.class_profiles import ClassProfiles, GateProfile

Floats = npt.NDArray[np.float64]

LEVEL = 0.95  # share of the labellings at random that stay below the limit
TIMES = 199  # labellings at random


def expected_eta2(counts: npt.NDArray[np.int64]) -> float:
    """The mean of η² over all ways to hand the labels out at random: (K − 1) / (N − 1); counts (K,) of images."""
    classes, images = int((counts > 0).sum()), int(counts.sum())
    return (classes - 1) / (images - 1) if images > 1 else float("nan")


@dataclass(frozen=True, slots=True)
class SelectivityTest:
    """η² of the C channels of a gate against labels handed out at random; not numbers where s never moves.

    Attributes:
        share: η² (C,).
        limit: what 95 % of random labellings stay below (C,).
        p: share of random labellings that reach η² (C,).
        shuffled: whether labels were shuffled, or F's distribution taken.
    """

    share: Floats
    limit: Floats
    p: Floats
    shuffled: bool

    @property
    def significant_share(self) -> float:
        """Share of the channels that move whose η² only 5 % of random labellings reach, 0–1; 0.05 by chance."""
        moving = ~np.isnan(self.p)
        return float((self.p[moving] <= 1 - LEVEL).mean()) if moving.any() else float("nan")


def test_selectivity(profiles: ClassProfiles, gate: str) -> SelectivityTest:
    """Of a gate: labels are shuffled where the class profiles have single images, up to 20 million s in all; else by
    F.
    """
    if profiles.header.images and len(profiles.table.labels) * sum(one.entry.channels for one in profiles) <= _MOST:
        return permutation(profiles[gate], profiles.table.labels)
    return f_test(profiles[gate])


def f_test(gate: GateProfile) -> SelectivityTest:
    """What one-way ANOVA says: under chance η² is distributed as Beta((K − 1) / 2, (N − K) / 2).

    Exact for normal s. Of s heaped at its ends the limit lies within 3 % of that of shuffled labels from 20 images on,
    and within 10 % of it for six (measured on 40 channels each).
    """
    moments = gate.s()
    counts, share = moments.count, variance(moments).share
    classes, images = int((counts > 0).sum()), int(counts.sum())
    nothing = np.full(len(share), np.nan)
    if classes < 2 or images <= classes:
        return SelectivityTest(share, nothing, nothing, shuffled=False)
    null = beta((classes - 1) / 2, (images - classes) / 2)
    return SelectivityTest(share, np.where(np.isnan(share), np.nan, null.ppf(LEVEL)), null.sf(share), shuffled=False)


def permutation(
    gate: GateProfile, labels: npt.NDArray[np.integer], times: int = TIMES, seed: int = 0
) -> SelectivityTest:
    """Shuffle the labels of the single images.

    Args:
        gate: a gate of class profiles with single images.
        labels: (N,) of the images, ``profiles.table.labels``.
        times: random labellings; the true one is counted with them, so p is 1 / (times + 1) at least.
        seed: of the random numbers.

    Raises:
        NotInProfiles: the class profiles have no single images.
    """
    s = gate.images()
    s = s - s.mean(axis=0)
    total = np.square(s).sum(axis=0)
    _, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    columns, ones = np.arange(len(s)), np.ones(len(s))

    def between(codes: npt.NDArray[np.intp]) -> Floats:
        member = csr_array((ones, (codes, columns)), shape=(len(counts), len(s)))
        sums: Floats = (np.square(member @ s) / counts[:, None]).sum(axis=0)
        return sums

    found = between(codes)
    rng = np.random.default_rng(seed)
    shuffled = np.stack([between(rng.permutation(codes)) for _ in range(times)])
    # Equal but for rounding counts as reached: with few images a labelling repeats itself.
    reached = (shuffled >= found * (1 - 1e-9)).sum(axis=0)
    still = total <= len(s) * STILL**2
    with np.errstate(invalid="ignore", divide="ignore"):
        share, limit = (np.where(still, np.nan, sums / total) for sums in (found, np.quantile(shuffled, LEVEL, axis=0)))
    return SelectivityTest(share, limit, np.where(still, np.nan, (1 + reached) / (1 + times)), shuffled=True)


def significance_table(profiles: ClassProfiles) -> pd.DataFrame:
    """η² of every channel beside what chance gives, one row for each, in execution order of the gates.

    Columns: gate, stage, block, channel, eta2, chance (its mean over random labellings), limit (what 95 % of them stay
    below), p and test ("shuffled" or "F").
    """
    expected = expected_eta2(profiles.counts)
    parts = []
    for gate in profiles:
        entry, found = gate.entry, test_selectivity(profiles, gate.name)
        place = {"gate": gate.name, "stage": entry.stage, "block": entry.block, "channel": np.arange(entry.channels)}
        numbers = {"eta2": found.share, "chance": expected, "limit": found.limit, "p": found.p}
        parts.append(pd.DataFrame(place | numbers | {"test": "shuffled" if found.shuffled else "F"}))
    return pd.concat(parts, ignore_index=True)


_MOST = 20_000_000  # some seconds of shuffling
