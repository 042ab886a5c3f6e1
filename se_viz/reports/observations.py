"""The paper's three observations on its Figures 6 and 7, compared with class profiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.class_noise import depth_correlation
from se_viz.analysis.class_similarity import GateSimilarity
from se_viz.analysis.significance import TIMES
from se_viz.wording import signed

Verdict: TypeAlias = Literal["holds", "does not hold", "cannot be determined"]

# Class means of s that differ by less than this look like one curve in a figure like the paper's.
_APART = 0.05
_GROWS = 0.5
_NEARLY_ALL, _ALIKE = 0.9, 0.99


@dataclass(frozen=True, slots=True)
class Observation:
    """A claim of the paper, the verdict on it for these class profiles, and the numbers in a sentence."""

    claim: str
    verdict: Verdict
    said: str


def observations(gates: Sequence[Depth]) -> tuple[Observation, Observation, Observation]:
    """Judge the gates of ``by_depth``, in execution order, one or more.

    Limits: class means within 0.05 of each other (root mean square) barely differ; η² grows with depth if the rank
    correlation is 0.5 or more; a gate is saturated if 90% of s is within 0.1 of 1, and has one pattern if the mean
    cosine between its classes is 0.99 or more.

    A verdict cannot be determined where so few images would not show what decides it: a difference of two classes of
    the size of the first limit; on which side of 0.5 the rank correlation is; whether patterns differ by more than the
    choice of the images.
    """
    return _early(gates), _growing(gates), _last(gates)


def most_specific_gate(gates: Sequence[Depth]) -> str:
    """Return a sentence on the gate in which the class explains most of s, compared with the first gate."""
    shares = [gate.share for gate in gates]
    if not 0 < gates[0].expected_eta2 < 1:  # one class, or as many classes as images, explains none or all of anything
        return (
            "**At which gate classes differ most cannot be told from these images**: two classes or more are needed, "
            "and a class with two images or more."
        )
    if np.isnan(shares).all():
        return "At no gate: s is constant over these images."
    first, most = gates[0], gates[int(np.nanargmax(shares))]
    if most.share <= most.limit:
        return (
            f"**At no gate that can be told from chance**: the class explains at most {most.share:.0%} of the variance "
            f"of s (in {most.gate}); with random labels, 1 channel in 20 reaches {most.limit:.0%}."
        )
    said = f"**Most in {most.gate}**: the class explains {most.share:.0%} of the variance of s there"
    return f"{said}." if most is first else f"{said}, compared with {first.share:.0%} in {first.gate}."


def eta2_by_chance(gates: Sequence[Depth]) -> str:
    """Return one or two sentences on η² by chance, and on the share of channels above it."""
    known = [gate for gate in gates if not np.isnan(gate.significant_share)]
    if not known:
        return "There are too few images or classes to determine η² by chance."
    fewest, limits = min(known, key=lambda gate: gate.significant_share), [gate.limit for gate in known]
    how = f"labels shuffled {TIMES} times" if known[0].shuffled else "by the F distribution"
    said = (
        f"**By chance**, with random labels, the class would explain {known[0].expected_eta2:.1%} of the variance on "
        f"average; the 95th percentile for a channel is at most {max(limits):.1%} ({how})."
    )
    if fewest.significant_share == 1:
        return f"{said} All channels whose s varies are above their 95th percentile."
    share = f"{fewest.significant_share:.0%}"
    return f"{said} The gate with the fewest channels above it is {fewest.gate} with {share}; by chance it would be 5%."


def similar_gates(gates: Sequence[str], similarity: GateSimilarity) -> str:
    """Return two sentences on the most and the least similar of G gates, given their names in execution order."""
    one, other = np.triu_indices(len(gates), 1)
    pairs, chance = similarity.cka[one, other], similarity.chance[one, other]
    if np.isnan(pairs).all():
        return "No two gates separate classes, so their similarity is not defined."
    most, least = int(np.nanargmax(pairs)), int(np.nanargmin(pairs))
    neighbours = np.nanmean(pairs[other == one + 1]) if np.isfinite(pairs[other == one + 1]).any() else np.nan
    beside = "" if np.isnan(neighbours) else f"; the mean of neighbouring gates is {signed(neighbours, '.2f')}"
    return (
        f"**{gates[one[most]]} and {gates[other[most]]} are the most similar gates** (linear CKA {pairs[most]:.2f}), "
        f"{gates[one[least]]} and {gates[other[least]]} the least similar ({signed(pairs[least], '.2f')}){beside}. "
        f"With shuffled classes, the mean would be {signed(np.nanmean(chance), '.2f')}."
    )


def _early(gates: Sequence[Depth]) -> Observation:
    claim = "Early gates barely differ between classes."
    first = _stage(gates, gates[0])
    if not gates[0].expected_eta2 > 0:
        return Observation(claim, "cannot be determined", "At least two classes and three images are needed.")
    if np.isnan([gate.between for gate in first]).any():
        return Observation(
            claim, "cannot be determined", f"In stage {first[0].stage} s is not finite (NaN or infinite)."
        )
    apart = max(gate.between for gate in first)
    said = (
        f"In stage {first[0].stage} the SD of the class means is at most {apart:.3f} (in {gates[-1].gate} it is "
        f"{gates[-1].between:.3f}), and the class explains {_shares(first)} of the variance (by chance it would be "
        f"{gates[0].expected_eta2:.1%})."
    )
    # Two classes differ by √2 times the SD of the means.
    seen, limit = float(np.max([gate.noise.difference for gate in first])), np.sqrt(2) * _APART
    if not (seen <= limit or np.sqrt(2) * apart > seen):
        why = _unseen(seen, f"in stage {first[0].stage}")
        return Observation(claim, "cannot be determined", f"{said} {why} Add images.")
    return Observation(claim, _verdict(apart < _APART), said)


def _unseen(difference: float, where: str) -> str:
    if np.isnan(difference):
        return "With 1 image of each class, differences between classes cannot be told from those between images."
    return (
        f"With so few images, a difference below {difference:.2g} between the mean s of two classes cannot be seen "
        f"{where}."
    )


def _growing(gates: Sequence[Depth]) -> Observation:
    claim = "With depth, gates become specific to the class."
    shares = [gate.share for gate in gates]
    varying = ~np.isnan(shares)
    if varying.sum() < 3:
        return Observation(claim, "cannot be determined", "At least three gates whose s varies are needed.")
    if np.nanmin(shares) == np.nanmax(shares):
        return Observation(
            claim, "cannot be determined", f"The class explains {np.nanmax(shares):.0%} of the variance in every gate."
        )
    some = [gate for gate in gates if not np.isnan(gate.share)]
    rank, low, high = depth_correlation([gate.share for gate in some], [gate.noise for gate in some])
    most = gates[int(np.nanargmax(shares))]
    first = _stage(gates, gates[0])
    said = (
        f"The rank correlation between depth and the share of variance that the class explains is "
        f"{signed(rank, '.2f')} (95% interval over images {signed(low, '.2f')} to {signed(high, '.2f')}); "
        f"it is {_shares(first)} in stage {first[0].stage} and highest in {most.gate}, {most.share:.0%}."
    )
    if low < _GROWS <= high:
        why = f"More images are needed to tell whether the correlation is {_GROWS} or more."
        return Observation(claim, "cannot be determined", f"{said} {why}")
    return Observation(claim, _verdict(rank >= _GROWS), said)


def _last(gates: Sequence[Depth]) -> Observation:
    last = _stage(gates, gates[-1])
    saturated = [gate for gate in last if gate.saturation.near_1 >= _NEARLY_ALL]
    single = [gate for gate in last if gate.class_cosine >= _ALIKE]
    said = " ".join(
        f"{gate.gate}: {gate.saturation.near_1:.1%} of s within 0.1 of 1, {gate.saturation.near_0:.1%} within 0.1 "
        f"of 0, mean {signed(gate.saturation.mean, '.2f')}{_cosine(gate)}."
        for gate in last
    )
    claim = "The last stage is nearly saturated, or has one pattern, differing only in scale."
    if np.isnan([gate.saturation.mean for gate in last]).any():
        return Observation(
            claim, "cannot be determined", f"In stage {last[0].stage} s is not finite (NaN or infinite)."
        )
    unknown = [gate.gate for gate in last if np.isnan(gate.class_cosine) and gate not in saturated]
    if unknown:
        why = f"There are no patterns of two classes to compare in {', '.join(unknown)}."
        return Observation(claim, "cannot be determined", f"{said} {why}")
    # The paper's last stage has both: SE_5_2 at 1, SE_5_3 with one pattern for all classes.
    active = [gate for gate in last if gate not in saturated and gate not in single]
    # The choice of a few images makes patterns differ; without it their cosine would be so much higher.
    if active and not any(gate.class_cosine / (1 - gate.noise.pattern) < _ALIKE for gate in active):
        why = (
            "With so few images, the patterns of classes would differ as much by chance in "
            f"{', '.join(gate.gate for gate in active)}."
        )
        return Observation(claim, "cannot be determined", f"{said} {why} Add images.")
    return Observation(claim, _verdict(not active), said)


def _cosine(gate: Depth) -> str:
    return "" if np.isnan(gate.class_cosine) else f", cosine between classes {signed(gate.class_cosine, '.3f')}"


def _stage(gates: Sequence[Depth], of: Depth) -> list[Depth]:
    return [gate for gate in gates if gate.stage == of.stage]


def _shares(gates: Sequence[Depth]) -> str:
    shares = [gate.share for gate in gates if not np.isnan(gate.share)]
    if not shares:
        return "none"
    low, high = f"{min(shares):.0%}", f"{max(shares):.0%}"
    return low if low == high else f"{low.removesuffix('%')} to {high}"


def _verdict(holds: bool) -> Verdict:
    return "holds" if holds else "does not hold"
