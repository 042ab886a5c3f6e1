"""Files of weights."""

import io
from pathlib import Path
from typing import Any

import torch

from se_viz.zoo import timm_source

SMALL = "timm/test_efficientnet"


def pickled(value: Any, **options: Any) -> bytes:
    """Return the file that torch.save makes of a value."""
    out = io.BytesIO()
    torch.save(value, out, **options)
    return out.getvalue()


def small_weights(classes: int) -> dict[str, torch.Tensor]:
    """Return weights of the architecture ``SMALL`` for a number of classes, the same at each call."""
    torch.manual_seed(0)
    return timm_source.create("test_efficientnet", num_classes=classes).state_dict()


def under(prefix: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return weights with a prefix before each name."""
    return {f"{prefix}{key}": value for key, value in weights.items()}


class Evil:
    """A value whose pickle creates a file where the code in it is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return open, (str(self.path), "w")
