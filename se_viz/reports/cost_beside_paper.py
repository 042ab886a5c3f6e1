"""Cost of SE in a network beside the paper's, and the paper's results beside those of the demo family."""

from collections.abc import Sequence

import pandas as pd

from se_viz.analysis.cost import Cost
from se_viz.demo.card import Card
from se_viz.demo.paper_networks import TABLE_2, PaperCost


def paper_cost_table(cost: Cost, name: str) -> pd.DataFrame:
    """Return what SE adds to a network, by its own counts, beside what the paper says of SE-ResNet-50.

    Args:
        cost: the cost of the network.
        name: name of the network.
    """
    params, macs = cost.totals()
    last = cost.stages[-1]
    gates = cost.params - params
    paper = PaperCost()
    rows = [
        ("parameters of the gates", f"+{_share(gates, params)}", f"+{paper.parameters:.0%}"),
        ("multiply-accumulates (FLOPs) of the gates", f"+{_share(cost.macs - macs, macs)}", f"+{paper.flops:.2%}"),
        (
            "parameters without the gates of the last stage",
            f"+{_share(gates - last.params, params)}",
            f"about +{paper.without_last_stage:.0%}",
        ),
    ]
    return pd.DataFrame(rows, columns=["SE adds", name, "SE-ResNet-50 (paper)"])


def cost_sentence(cost: Cost) -> str:
    """Return sentences on what the gates cost, which stage has most of their parameters, and what the paper counts."""
    params, _ = cost.totals()
    gates = cost.params - params
    paper = PaperCost()
    most = max(cost.stages, key=lambda stage: stage.params)
    return (
        f"The gates have {gates:,} of {cost.params:,} parameters; {most.params / max(1, gates):.0%} of these are in "
        f"stage {most.stage}. The paper removes the gates of the last stage at less than 0.1% top-5 error. Its "
        f"+{paper.flops:.2%} FLOPs of SE-ResNet-50 follow from two rounded numbers, 3.86 and 3.87 G; counted as here, "
        f"they are +{paper.flops_counted_here:.2%}."
    )


def paper_table() -> pd.DataFrame:
    """Return the paper's Table 2: error without SE and with SE in per cent, and their difference."""
    return pd.DataFrame(
        {
            "network": [row.name for row in TABLE_2],
            "top-1 error, %": [f"{row.top1:.2f}" for row in TABLE_2],
            "with SE, %": [f"{row.se_top1:.2f}" for row in TABLE_2],
            "change": [f"−{row.top1 - row.se_top1:.2f}" for row in TABLE_2],
            "GFLOPs": [f"{row.gflops:.2f}" for row in TABLE_2],
            "GFLOPs with SE": [f"{row.se_gflops:.2f}" for row in TABLE_2],
        }
    )


def family_table(cards: Sequence[Card]) -> pd.DataFrame:
    """Return the demo networks without SE and with SE (r = 16): error on Imagenette and its 95% interval.

    Args:
        cards: cards of the demo family.
    """
    chosen = [
        (label, card)
        for label, name in (("SE-ResNet-26 without SE", "no-se"), ("SE-ResNet-26, r = 16", "r16"))
        for card in cards
        if card.name == name and card.seed == 0
    ]
    return pd.DataFrame(
        {
            "network": [label for label, _ in chosen],
            "top-1 error, %": [f"{100 * (1 - card.accuracy.top1):.2f}" for _, card in chosen],
            "95% interval": [
                f"{100 * (1 - card.accuracy.high):.1f} to {100 * (1 - card.accuracy.low):.1f}" for _, card in chosen
            ],
            "parameters": [f"{card.params:,}" for _, card in chosen],
            "MMACs": [f"{card.macs / 1e6:.1f}" for _, card in chosen],
        }
    )


def _share(part: int, whole: int) -> str:
    share = part / whole if whole else 0.0
    return "less than 0.01%" if 0 < share < 1e-4 else f"{share:.2%}" if share < 0.01 else f"{share:.1%}"
