"""The paper's ablations (Hu et al., arXiv 1709.01507): single-crop error of SE-ResNet-50 on ImageNet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One row of a table.

    Attributes:
        name: value of the design choice, as ``design_choices.choice_label`` returns it.
        top1, top5: error in per cent.
        params: millions of parameters; None if the table does not have them.
        gflops: billions of multiply-accumulates per image; None if the table does not have them.
    """

    name: str
    top1: float
    top5: float
    params: float | None = None
    gflops: float | None = None


TABLE_10 = (
    PaperRow("r = 2", 22.29, 6.00, params=45.7),
    PaperRow("r = 4", 22.25, 6.09, params=35.7),
    PaperRow("r = 8", 22.26, 5.99, params=30.7),
    PaperRow("r = 16", 22.28, 6.03, params=28.1),
    PaperRow("r = 32", 22.72, 6.20, params=26.9),
    PaperRow("no SE", 23.30, 6.55, params=25.6),
)
"""Reduction ratio."""

TABLE_11 = (PaperRow("max", 22.57, 6.09), PaperRow("avg", 22.28, 6.03))
"""Squeeze operator."""

TABLE_12 = (PaperRow("ReLU", 23.47, 6.98), PaperRow("tanh", 23.00, 6.38), PaperRow("sigmoid", 22.28, 6.03))
"""Gate function."""

TABLE_13 = (
    PaperRow("no SE", 23.30, 6.55, params=25.6, gflops=3.86),
    PaperRow("stage 2", 23.03, 6.48, params=25.6, gflops=3.86),
    PaperRow("stage 3", 23.04, 6.32, params=25.7, gflops=3.86),
    PaperRow("stage 4", 22.68, 6.22, params=26.4, gflops=3.86),
    PaperRow("all stages", 22.28, 6.03, params=28.1, gflops=3.87),
)
"""Gated stages."""

TABLE_14 = (
    PaperRow("standard", 22.28, 6.03),
    PaperRow("pre", 22.23, 6.00),
    PaperRow("post", 22.78, 6.35),
    PaperRow("identity", 22.20, 6.15),
)
"""Integration: position of the gate in the residual block."""
