"""Facts on pretrained weights that are known before they are downloaded."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts that a library states on a set of pretrained weights.

    Attributes:
        licence: name or address of the licence; empty if the library does not state it.
        classes: number of logits.
        top1: top-1 accuracy on the validation set of ImageNet, 0–1, if the library states it.
        size: bytes to download, if the library states them.
    """

    licence: str
    classes: int
    top1: float | None = None
    size: int | None = None
