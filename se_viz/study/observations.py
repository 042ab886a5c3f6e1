"""The paper's observations on its Figures 6 and 7, put to the gates of any atlas, in words made of the numbers."""

from collections.abc import Sequence

from scipy.stats import spearmanr

from se_viz.study.depth import Depth

_STEADY = 0.5
_MOSTLY = 0.5


def observations(depths: Sequence[Depth]) -> str:
    """Three sentences: whether early gates tell classes apart, later ones more, and what the last stage does.

    Args:
        depths: of the gates in execution order, from ``by_depth``.
    """
    if len(depths) < 2:
        return f"In {depths[0].gate} the class explains {depths[0].share:.0%} of the variance of s."
    first, most = depths[0], max(depths, key=lambda depth: depth.share)
    said = [
        f"In {most.gate} knowing the class explains {most.share:.0%} of the variance of s, in the first gate, "
        f"{first.gate}, {first.share:.0%}" + ("." if most is not first else ", the most of all.")
    ]
    trend = float(spearmanr(range(len(depths)), [depth.share for depth in depths]).statistic)
    grows = (
        "grows with depth" if trend >= _STEADY else "falls with depth" if trend <= -_STEADY else "has no clear trend"
    )
    said.append(
        f"Class-specificity {grows} (rank correlation {trend:+.2f}), where the paper sees it grow.".replace("-", "−")
        if trend < _STEADY
        else f"Class-specificity {grows} (rank correlation {trend:+.2f}), as in the paper."
    )
    last = [depth for depth in depths if depth.stage == depths[-1].stage]
    open_ = max(last, key=lambda depth: depth.saturation.open)
    verdict = "saturates at 1, as in the paper" if open_.saturation.open >= _MOSTLY else "does not saturate at 1"
    said.append(
        f"The last stage {verdict} (at most {open_.saturation.open:.0%} of s above 0.9, in {open_.gate}); the patterns "
        f"of two classes in {depths[-1].gate} have a cosine of {depths[-1].likeness:.2f}"
        + (", one pattern up to scale." if depths[-1].likeness >= 0.95 else ".")
    )
    return " ".join(said)
