"""The logit that an intervention asks about, by the name or the number of a class."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import torch
from torch import Tensor

from se_viz.model.model import Model

Target: TypeAlias = int | str | Sequence[int | str] | None


def targets_among(logits: Tensor, network: object, target: Target) -> Tensor:
    """Return the number of the logit that is asked about, for each image (N,).

    Args:
        logits: of the images (N, K).
        network: its classes have names if it is a ``Model``.
        target: class by name or number, one for all images or one for each; None for the class that is predicted. A
            binary head has one logit, that of its second name.

    Raises:
        KeyError: there is no such class; the message names what there is.
        TypeError: a target is neither a name nor a number.
        ValueError: there is neither one nor one for each image.
    """
    images, outputs = logits.shape
    if target is None:
        return logits.float().argmax(1)
    if isinstance(target, Tensor | np.ndarray | np.generic):
        target = target.tolist()
    asked = list(target) if isinstance(target, Sequence) and not isinstance(target, str) else [target]
    asked = [one.item() if isinstance(one, Tensor | np.generic) else one for one in asked]
    if len(asked) not in (1, images):
        raise ValueError(f"There are {len(asked)} targets for {images} images: give one, or one for each.")
    names = network.classes if isinstance(network, Model) else ()
    found = [_number(one, outputs, names) for one in asked]
    return torch.tensor(found * (images // len(found)))


def _number(target: int | str, outputs: int, names: Sequence[str]) -> int:
    if isinstance(target, str):
        if target in names and outputs == 1 and len(names) == 2:
            if target == names[1]:
                return 0
            raise KeyError(
                f"The only logit is that of {names[1]}, so ask about {names[1]}: what raises its logit lowers that of "
                f"{names[0]} by the same amount."
            )
        if target in names[:outputs]:
            return names.index(target)
        near = ", ".join(names[:12]) if names else f"numbers 0 to {outputs - 1}, as the classes have no names"
        raise KeyError(f"There is no class {target!r}: choose one of {near}{' …' if len(names) > 12 else ''}.")
    if not isinstance(target, int) or isinstance(target, bool):
        raise TypeError(f"A target is the name or the number of a class, not {target!r}.")
    if not 0 <= target < outputs:
        raise KeyError(f"There is no logit {target}: choose one of 0 to {outputs - 1}.")
    return target
