"""The paper's three observations on its Figures 6 and 7, compared with class profiles."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.stats import spearmanr

from se_viz.analysis.by_depth import Depth
from se_viz.analysis.class_similarity import GateSimilarity
from se_viz.analysis.significance import TIMES

Verdict: TypeAlias = Literal["holds", "does not hold", "cannot be told"]

# Class means of s that lie closer than this are one curve in a figure like the paper's.
_APART = 0.05
_GROWS = 0.5
_NEARLY_ALL, _ALIKE = 0.9, 0.99


@dataclass(frozen=True, slots=True)
class Observation:
    """What the paper says, whether it is so here, and the numbers in a sentence."""

    claim: str
    verdict: Verdict
    said: str


def observations(gates: Sequence[Depth]) -> tuple[Observation, Observation, Observation]:
    """Judge the gates of ``by_depth``, in execution order, one or more.

    Limits: class means within 0.05 of each other (root mean square) barely differ; η² grows with depth at a rank
    correlation of 0.5 or more; a gate is saturated where 90 % of s is within 0.1 of 1, and has one pattern where the
    mean cosine between its classes is 0.99 or more.
    """
    return _early(gates), _growing(gates), _last(gates)


def where_classes_part(gates: Sequence[Depth]) -> str:
    """One sentence with the gate in which the class explains most of s, against the first."""
    shares = [gate.share for gate in gates]
    if np.isnan(shares).all():
        return "Nowhere: no gate moves between these images."
    first, most = gates[0], gates[int(np.nanargmax(shares))]
    said = f"**Most of all in {most.gate}**: knowing the class explains {most.share:.0%} of the variance of s there"
    return f"{said}." if most is first else f"{said}, against {first.share:.0%} in {first.gate}."


def against_chance(gates: Sequence[Depth]) -> str:
    """One sentence or two on how large η² would be by chance, and how many channels are above that."""
    known = [gate for gate in gates if not np.isnan(gate.significant_share)]
    if not known:
        return "There are too few images or classes to tell what chance would do."
    fewest, limits = min(known, key=lambda gate: gate.significant_share), [gate.limit for gate in known]
    how = f"labels shuffled {TIMES} times" if known[0].shuffled else "by F's distribution"
    said = (
        f"**By chance**, with labels handed out at random, the class would explain {known[0].expected_eta2:.1%} of the "
        f"variance on average, and less than {max(limits):.1%} of a channel's 95 times of 100 ({how})."
    )
    if fewest.significant_share == 1:
        return f"{said} All channels that move are above their limit."
    share = f"{fewest.significant_share:.0%}"
    return f"{said} Fewest channels are above their limit in {fewest.gate}, {share}; by chance 5% would be."


def gates_alike(gates: Sequence[str], similarity: GateSimilarity) -> str:
    """Two sentences on the gates that are most alike and least, of the names of G gates in execution order."""
    one, other = np.triu_indices(len(gates), 1)
    pairs, chance = similarity.cka[one, other], similarity.chance[one, other]
    if np.isnan(pairs).all():
        return "No two gates tell classes apart, so none are alike."
    most, least = int(np.nanargmax(pairs)), int(np.nanargmin(pairs))
    neighbours = np.nanmean(pairs[other == one + 1]) if np.isfinite(pairs[other == one + 1]).any() else np.nan
    beside = "" if np.isnan(neighbours) else f"; one gate and the next are at {neighbours:.2f} on average"
    return (
        f"**{gates[one[most]]} and {gates[other[most]]} set classes apart most alike** (linear CKA {pairs[most]:.2f}), "
        f"{gates[one[least]]} and {gates[other[least]]} least ({pairs[least]:.2f}){beside}. "
        f"With classes shuffled, two gates would be at {np.nanmean(chance):.2f}."
    )


def _early(gates: Sequence[Depth]) -> Observation:
    claim = "Early gates barely differ between classes."
    first = _stage(gates, gates[0])
    if not gates[0].expected_eta2 > 0:
        return Observation(claim, "cannot be told", "It takes two classes, and three images, to see a difference.")
    if np.isnan([gate.between for gate in first]).any():
        return Observation(claim, "cannot be told", f"In stage {first[0].stage} s is not finite (NaN or infinite).")
    apart = max(gate.between for gate in first)
    said = (
        f"In stage {first[0].stage} the classes' mean s lie {apart:.3f} apart at most, in {gates[-1].gate} "
        f"{gates[-1].between:.3f}; the class explains {_shares(first)} of the variance there (by chance it would be "
        f"{gates[0].expected_eta2:.1%})."
    )
    return Observation(claim, _verdict(apart < _APART), said)


def _growing(gates: Sequence[Depth]) -> Observation:
    claim = "With depth, gates become specific to the class."
    shares = [gate.share for gate in gates]
    moving = ~np.isnan(shares)
    if moving.sum() < 3:
        return Observation(claim, "cannot be told", "It takes three gates that move to speak of depth.")
    if np.nanmin(shares) == np.nanmax(shares):
        return Observation(
            claim, "cannot be told", f"The class explains {np.nanmax(shares):.0%} of the variance in every gate."
        )
    rank = float(spearmanr(np.flatnonzero(moving), np.asarray(shares)[moving]).statistic)
    most = gates[int(np.nanargmax(shares))]
    first = _stage(gates, gates[0])
    said = (
        f"The rank correlation between depth and the share of variance that the class explains is {rank:.2f}; "
        f"it is {_shares(first)} in stage {first[0].stage} and highest in {most.gate}, {most.share:.0%}."
    )
    return Observation(claim, _verdict(rank >= _GROWS), said)


def _last(gates: Sequence[Depth]) -> Observation:
    last = _stage(gates, gates[-1])
    saturated = [gate for gate in last if gate.saturation.near_1 >= _NEARLY_ALL]
    single = [gate for gate in last if gate.class_cosine >= _ALIKE]
    said = " ".join(
        f"{gate.gate}: {gate.saturation.near_1:.1%} of s within 0.1 of 1, {gate.saturation.near_0:.1%} within 0.1 "
        "of 0, "
        f"mean {gate.saturation.mean:.2f}{_cosine(gate)}."
        for gate in last
    )
    claim = "The last stage is nearly saturated, or one pattern up to scale."
    if np.isnan([gate.saturation.mean for gate in last]).any():
        return Observation(claim, "cannot be told", f"In stage {last[0].stage} s is not finite (NaN or infinite).")
    unknown = [gate.gate for gate in last if np.isnan(gate.class_cosine) and gate not in saturated]
    if unknown:
        why = f"There are no patterns of two classes to compare in {', '.join(unknown)}."
        return Observation(claim, "cannot be told", f"{said} {why}")
    # The paper's last stage has both: SE_5_2 at 1, SE_5_3 with one pattern for all classes.
    idle = {gate.gate for gate in (*saturated, *single)} == {gate.gate for gate in last}
    return Observation(claim, _verdict(idle), said)


def _cosine(gate: Depth) -> str:
    return "" if np.isnan(gate.class_cosine) else f", cosine between classes {gate.class_cosine:.3f}"


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
