"""What is known of pretrained weights before they are fetched."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """What a library says of a set of pretrained weights.

    Attributes:
        licence: its name or address; empty where the library does not say.
        classes: number of logits.
        top1: share of ImageNet's validation set that is right, where the library says it.
        size: bytes to download, where the library says it.
    """

    licence: str
    classes: int
    top1: float | None = None
    size: int | None = None
