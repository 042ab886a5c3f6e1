"""The paper's Table 2 (Hu et al., arXiv 1709.01507): SE in other networks, and its cost according to Section 4.

The numbers were compared with two copies of the full text.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One row of Table 2, as re-implemented by the authors: single-crop error on ImageNet in per cent, and cost.

    Attributes:
        name: the network.
        top1, top5, gflops: without SE.
        se_top1, se_top5, se_gflops: with SE.
    """

    name: str
    top1: float
    top5: float
    gflops: float
    se_top1: float
    se_top5: float
    se_gflops: float


TABLE_2 = (
    NetworkRow("ResNet-50", 24.80, 7.48, 3.86, 23.29, 6.62, 3.87),
    NetworkRow("ResNet-101", 23.17, 6.52, 7.58, 22.38, 6.07, 7.60),
    NetworkRow("ResNet-152", 22.42, 6.34, 11.30, 21.57, 5.73, 11.32),
    NetworkRow("ResNeXt-50", 22.11, 5.90, 4.24, 21.10, 5.49, 4.25),
    NetworkRow("ResNeXt-101", 21.18, 5.57, 7.99, 20.70, 5.01, 8.00),
    NetworkRow("VGG-16", 27.02, 8.81, 15.47, 25.22, 7.70, 15.48),
    NetworkRow("BN-Inception", 25.38, 7.89, 2.03, 24.23, 7.14, 2.04),
    NetworkRow("Inception-ResNet-v2", 20.37, 5.21, 11.75, 19.80, 4.79, 11.76),
)
"""VGG-16 with batch norm."""


@dataclass(frozen=True, slots=True)
class PaperCost:
    """Cost of SE in ResNet-50 with r = 16, as Section 4 states it.

    Attributes:
        parameters: share of additional parameters.
        flops: share of additional FLOPs.
        flops_counted_here: the same share as ``se-viz cost timm/legacy_seresnet50`` counts it.
        without_last_stage: share of additional parameters without the gates of the last stage.
    """

    parameters: float = 0.10
    flops: float = 0.0026
    flops_counted_here: float = 0.0007
    without_last_stage: float = 0.04
